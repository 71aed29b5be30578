"""The contract of ``flyball.ports.Check``: what a validation report relies on."""

from __future__ import annotations

import pytest

from flyball.domain.canonical import canonical_json
from flyball.domain.validation import CheckResult, Verdict
from flyball.ports import Check, CheckContext


class CheckContract:
    """Inherit and give three fixtures: ``check``, ``healthy`` and ``faulty``."""

    @pytest.fixture
    def check(self) -> Check:
        """The check under test."""
        raise NotImplementedError

    @pytest.fixture
    def healthy(self) -> CheckContext:
        """A candidate that must pass."""
        raise NotImplementedError

    @pytest.fixture
    def faulty(self) -> CheckContext:
        """A candidate that must not pass, and can be judged."""
        raise NotImplementedError

    def test_passes_a_healthy_candidate(self, check: Check, healthy: CheckContext) -> None:
        """And has nothing to recommend."""
        result = check.run(healthy)
        assert result.verdict is Verdict.PASS, result.summary
        assert not result.recommendation

    def test_does_not_pass_a_faulty_one_and_says_what_to_do(
        self, check: Check, faulty: CheckContext
    ) -> None:
        """A verdict that stops a version names the next step."""
        result = check.run(faulty)
        assert result.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE), result.summary
        assert result.recommendation

    def test_signs_its_results(
        self, check: Check, healthy: CheckContext, faulty: CheckContext
    ) -> None:
        """With its own name, whatever they say."""
        assert check.name
        assert {check.run(healthy).check, check.run(faulty).check} == {check.name}

    def test_says_in_one_sentence_what_decided(
        self, check: Check, healthy: CheckContext, faulty: CheckContext
    ) -> None:
        """In one line, and with its numbers as JSON."""
        for result in (check.run(healthy), check.run(faulty)):
            assert result.summary
            assert "\n" not in result.summary
            assert canonical_json(result.details)

    def test_judges_the_same_twice(self, check: Check, healthy: CheckContext) -> None:
        """Judging changes nothing."""
        assert _said(check.run(healthy)) == _said(check.run(healthy))


def _said(result: CheckResult) -> tuple[str, Verdict, str]:
    return result.check, result.verdict, result.recommendation
