"""Lines that counts cross: the same decisions as the tests they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flyball.domain.judging import Promises, Split
from flyball.stats.sequential import parts, split
from flyball.stats.sequential.critical import lines
from flyball.stats.sequential.lines import line


def high(n: int, k: int) -> bool:
    return k >= 0.3 * n + 2 * math.sqrt(n) + 1


def low(n: int, k: int) -> bool:
    return k <= 0.3 * n - 2 * math.sqrt(n) - 1


@pytest.mark.parametrize(("shown", "rising"), [(high, True), (low, False)])
def test_a_line_is_where_the_test_begins_to_show_it(shown, rising):
    found = line(shown, 3_000, rising=rising)
    for total, critical in zip(found.totals.astype(int), found.critical, strict=True):
        ks = [k for k in range(total + 1) if shown(total, k)]
        none = total + 1 if rising else -1
        wanted = (min if rising else max)(ks) if ks else none
        assert abs(critical - wanted) <= math.floor(0.02 * math.sqrt(total))


def test_nothing_is_shown_beyond_the_largest_total_that_was_looked_at():
    found = line(high, 100, rising=True)
    beyond = np.array([found.totals[-1] + 1])
    assert not found.crossed(beyond, beyond).any()


@pytest.mark.parametrize("what", ["errors", "latency", "clicks", "purchases"])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_judges_lines_decide_as_its_evidence_does(what, share):
    promises, rng = Promises(), np.random.default_rng(5)
    found = lines(what, promises, share, 4_000)
    fewer, needed = what in ("clicks", "purchases"), parts.level(what, promises)
    wrong = 0
    for _ in range(300):
        n = int(rng.choice(found.harm.totals[1:]))
        k = int(rng.binomial(n, share * rng.uniform(0.0, 2.0)))
        seen = (Split(share=share, champion=n - k, challenger=k),)
        test = split.log_evidence_below if fewer else split.log_evidence
        harm = test(seen, restarts=True) >= needed
        wrong += harm != bool(found.harm.crossed(np.array([n]), np.array([k]))[0])
    assert wrong == 0
