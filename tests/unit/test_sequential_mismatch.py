"""Whether users are split as they were drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from flyball.domain.judging import Split
from flyball.errors import InvalidRequest
from flyball.stats.sequential import mismatch

WRONG = -math.log(mismatch.CERTAIN)


def seen(share, champion, challenger):
    return Split(share=share, champion=champion, challenger=challenger)


class TestTheSplit:
    @pytest.mark.parametrize(("share", "n"), [(0.05, 30), (0.5, 8), (0.25, 1)])
    def test_as_drawn_gives_evidence_of_one_on_average(self, share, n):
        k = np.arange(n + 1)
        values = [math.exp(mismatch.log_evidence([seen(share, n - i, int(i))])) for i in k]
        assert stats.binom.pmf(k, n, share) @ values == pytest.approx(1.0)

    def test_of_one_step_is_half_scipys_beta_binomial_and_half_no_opinion(self):
        prior = mismatch._PRIOR
        log_e = stats.betabinom.logpmf(70, 1000, prior * 0.05, prior * 0.95)
        log_e -= stats.binom.logpmf(70, 1000, 0.05)
        expected = math.log(0.5 * math.exp(log_e) + 0.5)
        assert mismatch.log_evidence([seen(0.05, 930, 70)]) == pytest.approx(expected)

    def test_off_by_a_third_is_found_in_some_thousand_users(self):
        assert mismatch.log_evidence([seen(0.05, 9500, 500)]) < 0.0
        assert mismatch.log_evidence([seen(0.05, 9667, 333)]) > WRONG
        assert mismatch.log_evidence([seen(0.05, 9340, 660)]) > WRONG

    def test_that_goes_wrong_in_a_late_step_is_found(self):
        fine = [seen(0.05, 9500, 500), seen(0.25, 7500, 2500)]
        assert mismatch.log_evidence(fine) < WRONG
        assert mismatch.log_evidence([*fine, seen(0.5, 1200, 900)]) > WRONG

    def test_of_nobody_says_nothing(self):
        assert mismatch.log_evidence([]) == pytest.approx(0.0)
        assert mismatch.log_evidence([seen(0.05, 0, 0)] * 3) == pytest.approx(0.0)

    def test_of_a_share_that_is_none_is_refused(self):
        with pytest.raises(InvalidRequest, match="is no split"):
            mismatch.log_evidence([seen(1.0, 3, 3)])
