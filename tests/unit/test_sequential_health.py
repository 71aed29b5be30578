"""A bake's judge: a breach is shown, and chance is not taken for one, however often one looks."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.domain.validation import Verdict
from flyball.stats.sequential.health import judge_health
from flyball.testing.builders import a_window

LIMIT, ALPHA = 0.01, 0.01 / 289
"""The defaults: a day in stretches of five minutes, and the whole."""


def judged(requests: int, errors: int, alpha: float = ALPHA) -> tuple[Verdict, str]:
    return judge_health(a_window(requests, errors), limit=LIMIT, alpha=alpha, min_requests=100)


@pytest.mark.parametrize(
    ("requests", "errors", "verdict"),
    [
        (99, 0, Verdict.INCONCLUSIVE),
        (99, 99, Verdict.FAIL),
        (100, 0, Verdict.PASS),
        (100, 1, Verdict.PASS),
        (100, 2, Verdict.INCONCLUSIVE),
        (10_000, 101, Verdict.INCONCLUSIVE),
        (10_000, 200, Verdict.FAIL),
        (4, 4, Verdict.FAIL),
    ],
)
def test_follows_what_the_failures_show(requests, errors, verdict):
    found, why = judged(requests, errors)
    assert found is verdict
    assert str(requests) in why


def test_no_traffic_is_inconclusive():
    nothing = judge_health(None, limit=LIMIT, alpha=ALPHA, min_requests=100)
    assert nothing == (Verdict.INCONCLUSIVE, "0 of the 100 requests needed")


def test_a_good_version_is_rolled_back_as_seldom_as_promised():
    """At the very limit, with a look after every answer: 1,000 stretches of 2,000 answers."""
    chance = np.random.default_rng(7)
    errors = np.cumsum(chance.random((1000, 2000)) < LIMIT, axis=1)
    failed = 0
    for path in errors:
        looks = np.flatnonzero(np.diff(path, prepend=0))  # evidence of harm grows at errors only
        failed += any(
            judged(int(n) + 1, int(path[n]), alpha=0.05)[0] is Verdict.FAIL for n in looks
        )
    assert failed <= 0.05 * 1000


def test_a_version_whose_every_second_answer_fails_is_found_within_ten():
    chance = np.random.default_rng(8)
    waits = []
    for _ in range(200):
        path = np.cumsum(chance.random(200) < 0.5)
        found = [n for n in range(200) if judged(n + 1, int(path[n]))[0] is Verdict.FAIL]
        waits.append(found[0] + 1)
    assert np.median(waits) <= 10
