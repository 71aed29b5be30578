"""The reliability plot of a validation report."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

import numpy as np
import pytest

from flyball.stats.reliability import Reliability, reliability
from flyball.steps.reliability_chart import described, percent, reliability_chart


def judged(factor: float = 1.0, n: int = 60_000, shift: float = 4.0) -> Reliability:
    rng = np.random.default_rng(2)
    chances = 1 / (1 + np.exp(shift - 2 * rng.normal(size=n)))
    return reliability(np.minimum(chances * factor, 1.0), rng.random(n) < chances)


def dots(picture: str) -> list[Element]:
    return fromstring(picture).findall(".//circle")


def test_has_a_dot_for_every_bin_within_the_frame() -> None:
    found = judged()
    places = [
        (float(d.attrib["cx"]), float(d.attrib["cy"])) for d in dots(reliability_chart(found))
    ]
    assert len(places) == len(found.bins) == 10
    assert all(70 <= x <= 540 and 16 <= y <= 286 for x, y in places)


def test_dots_of_true_probabilities_lie_on_the_line_and_of_wrong_ones_beside_it() -> None:
    def off(factor: float) -> float:
        picture = dots(reliability_chart(judged(factor)))
        across = [(float(d.attrib["cx"]) - 70) / 470 for d in picture]
        up = [(286 - float(d.attrib["cy"])) / 270 for d in picture]
        return float(np.mean(np.array(up) - np.array(across)))

    assert abs(off(1.0)) < 0.02
    assert off(0.3) > 0.08
    assert off(3.0) < -0.08


def test_says_in_words_what_it_shows() -> None:
    assert "No sign that the probabilities are far wrong" in described(judged())
    assert "do not hold" in described(judged(0.5))
    assert "Too few hits" in described(judged(n=200))
    assert described(judged()) in reliability_chart(judged()).replace("&amp;", "&")


def test_is_drawn_of_bins_without_a_hit_and_of_one_bin() -> None:
    nothing = reliability(np.full(50, 0.001), np.zeros(50, bool))
    assert len(dots(reliability_chart(nothing))) == 1
    everything = reliability(np.full(50, 0.999), np.ones(50, bool))
    assert len(dots(reliability_chart(everything))) == 1


def test_loads_nothing_and_names_no_colour_of_its_own() -> None:
    """So it fits light and dark pages, and the report's content policy."""
    picture = reliability_chart(judged())
    assert "http" not in picture
    assert "script" not in picture
    assert "#" not in picture


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0%"), (1.0, "100%"), (0.5, "50%"), (0.1234, "12%"), (0.01, "1%"), (0.000123, "0.012%")],
)
def test_shares_are_written_as_people_read_them(share: float, words: str) -> None:
    assert percent(share) == words
