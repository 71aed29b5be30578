"""When a search combines: at the end of its trials or of its time, whichever comes first."""

from __future__ import annotations

from typing import Any

import pytest
from search_world import FAMILIES

from flyball.domain.training import Origin, SearchBudget, Trial
from flyball.steps.agenda import Agenda

EARLIER = [{"family": "curve", "hyperparameters": {"degree": 3, "penalty": 0.5}}]


def a_trial(number: int, family: str, **fields: Any) -> Trial:
    defaults = {"value": 0.1 * number, "seconds": 1.0, "hyperparameters": {}}
    return Trial(number=number, family=family, **(defaults | fields))


class TestTheTimeForCombinations:
    """A share of it is kept."""

    @pytest.fixture
    def agenda(self) -> Agenda:
        return Agenda.of(
            ("mean", "curve", "average"),
            FAMILIES,
            baseline="mean",
            skipped={},
            earlier=EARLIER,
            budget=SearchBudget(trials=50, timeout_s=100.0),
        )

    @pytest.fixture
    def ended(self) -> list[Trial]:
        return [a_trial(n, f) for n, f in enumerate(["mean", "curve", "curve"])]

    def test_a_tenth_is_kept(self, agenda, ended):
        assert agenda.following(ended, left_s=10.5) == "draw"
        assert agenda.following(ended, left_s=9.5).family == "average"

    def test_more_where_the_parts_took_longer(self, agenda, ended):
        slow = [a_trial(n, trial.family, seconds=9.0) for n, trial in enumerate(ended)]
        assert agenda.following(slow, left_s=18.5) == "draw"
        assert agenda.following(slow, left_s=17.5).family == "average"

    def test_but_never_more_than_a_quarter(self, agenda, ended):
        slow = [a_trial(n, trial.family, seconds=500.0) for n, trial in enumerate(ended)]
        assert agenda.following(slow, left_s=25.5) == "draw"

    def test_what_did_well_before_waits_for_it(self, agenda, ended):
        assert agenda.following(ended[:2], left_s=50.0).origin is Origin.EARLIER
        assert agenda.following(ended[:2], left_s=5.0).origin is Origin.COMBINED

    def test_the_defaults_do_not(self, agenda, ended):
        assert agenda.following(ended[:1], left_s=0.1).origin is Origin.DEFAULT

    def test_none_begins_when_it_is_up(self, agenda, ended):
        assert agenda.following(ended, left_s=0.0) is None

    def test_once_begun_nothing_else_is_drawn(self, agenda, ended):
        """A later process has more time left than the one that was killed."""
        last = agenda.following(ended, left_s=5.0)
        combined = a_trial(
            3, "average", origin=Origin.COMBINED, hyperparameters=last.hyperparameters
        )
        assert agenda.following([*ended, combined], left_s=99.0) is None
