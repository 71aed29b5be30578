"""A report's decision: every check must pass, one failure is enough to refuse."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from flyball.domain.validation import Decision, Verdict, decide, recommendations
from flyball.testing.builders import a_check

P, F, I, E = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR  # noqa: E741


@pytest.mark.parametrize(
    ("verdicts", "decision"),
    [
        ([], Decision.UNDECIDED),
        ([P], Decision.PROMOTE),
        ([P, P, P], Decision.PROMOTE),
        ([P, F], Decision.REJECT),
        ([F, E, I], Decision.REJECT),
        ([P, I], Decision.UNDECIDED),
        ([P, E], Decision.UNDECIDED),
        ([I], Decision.UNDECIDED),
        ([E], Decision.UNDECIDED),
    ],
)
def test_follows_from_the_verdicts(verdicts: list[Verdict], decision: Decision) -> None:
    assert decide([a_check(verdict) for verdict in verdicts]) is decision


@pytest.mark.parametrize("verdicts", list(product(Verdict, repeat=3)))
def test_is_never_promote_unless_every_check_passed(verdicts: tuple[Verdict, ...]) -> None:
    promoted = decide([a_check(verdict) for verdict in verdicts]) is Decision.PROMOTE
    assert promoted == all(verdict is Verdict.PASS for verdict in verdicts)


def test_recommendations_come_most_urgent_first_and_skip_the_empty() -> None:
    results = [
        a_check(P, recommendation="watch it"),
        a_check(I, recommendation="bring more data"),
        a_check(P),
        a_check(F, recommendation="train again"),
        a_check(E, recommendation="repair the disk"),
    ]
    assert recommendations(results) == (
        "train again",
        "repair the disk",
        "bring more data",
        "watch it",
    )


class TestAnAdvisoryCheck:
    """May stop a candidate by failing, never by having too little data to judge."""

    def advice(self, verdict):
        return replace(a_check(verdict), advisory=True)

    def test_that_is_inconclusive_is_passed_over(self):
        results = [a_check(Verdict.PASS), self.advice(Verdict.INCONCLUSIVE)]
        assert decide(results) is Decision.PROMOTE

    def test_that_fails_rejects(self):
        results = [a_check(Verdict.PASS), self.advice(Verdict.FAIL)]
        assert decide(results) is Decision.REJECT

    def test_that_could_not_be_carried_out_leaves_it_undecided(self):
        results = [a_check(Verdict.PASS), self.advice(Verdict.ERROR)]
        assert decide(results) is Decision.UNDECIDED

    def test_alone_is_no_evidence(self):
        assert decide([self.advice(Verdict.INCONCLUSIVE)]) is Decision.UNDECIDED
