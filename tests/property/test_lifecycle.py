"""The lifecycle as a machine: whatever is tried, only declared moves with their evidence happen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import TRANSITIONS, ModelVersion, State
from flyball.errors import IllegalTransition, StaleWrite
from flyball.ports import Change
from flyball.testing.builders import a_version, an_entry, evidence
from flyball.testing.fakes import MemoryRecords

ALLOWED = {
    ("development", "training"): {"dataset"},
    ("training", "validation"): {"run"},
    ("validation", "staging"): {"report"},
    ("validation", "development"): {"report"},
    ("staging", "production"): {"smoke"},
    ("staging", "development"): {"smoke"},
    ("production", "monitoring"): {"applied"},
    ("monitoring", "production"): {"health", "decision"},
    ("monitoring", "rollback"): {"health", "decision"},
    ("production", "rollback"): {"health", "decision"},
    ("rollback", "staging"): {"applied"},
    ("production", "archived"): {"decision", "applied"},
}
"""ARCHITECTURE.md's lifecycle, written down a second time and apart from the code."""

STATES = st.sampled_from(State)
EVIDENCE = st.builds(evidence, st.sampled_from(EvidenceKind))


def moved(version: ModelVersion, target: State, reason: Evidence) -> tuple[Change, Entry]:
    """A move as a step would write it."""
    after = version.moved(target, reason)
    entry = an_entry(before=version.state, after=target, evidence=reason)
    return Change(value=after, replacing=version), entry


class Lifecycle(RuleBasedStateMachine):
    """Writers that read, wait and write as they like, over one stored version."""

    @initialize()
    def register(self) -> None:
        self.records = MemoryRecords()
        self.state = State.DEVELOPMENT
        self.history: list[tuple[str, str]] = []
        self.records.commit([Change(value=a_version())])
        self.early = a_version()

    def _stored(self) -> ModelVersion:
        return self.records.get(ModelVersion, a_version().id)

    @rule(wanted=STATES, reason=EVIDENCE)
    def try_any_move(self, wanted: State, reason: Evidence) -> None:
        """Any move from here: it happens exactly when it is declared and has its evidence."""
        if reason.kind in ALLOWED.get((self.state, wanted), set()):
            change, entry = moved(self._stored(), wanted, reason)
            self.records.commit([change], [entry])
            self._now_in(wanted)
        else:
            with pytest.raises(IllegalTransition, match=a_version().id):
                moved(self._stored(), wanted, reason)

    @rule(choice=st.data())
    def make_a_declared_move(self, choice: st.DataObject) -> None:
        onward = [t for t in TRANSITIONS if t.source is self.state]
        if onward:
            transition = choice.draw(st.sampled_from(onward))
            reason = evidence(choice.draw(st.sampled_from(transition.needs)))
            change, entry = moved(self._stored(), transition.target, reason)
            self.records.commit([change], [entry])
            self._now_in(transition.target)

    @rule()
    def read_and_wait(self) -> None:
        """A slow writer reads now and will write later."""
        self.early = self._stored()

    @precondition(lambda self: any(t.source is self.early.state for t in TRANSITIONS))
    @rule(choice=st.data())
    def write_what_was_read_before(self, choice: st.DataObject) -> None:
        """The slow writer succeeds only if nothing changed since."""
        onward = [t for t in TRANSITIONS if t.source is self.early.state]
        transition = choice.draw(st.sampled_from(onward))
        change, entry = moved(self.early, transition.target, evidence(transition.needs[0]))
        if self.early == self._stored():
            self.records.commit([change], [entry])
            self._now_in(transition.target)
        else:
            with pytest.raises(StaleWrite):
                self.records.commit([change], [entry])

    @rule(choice=st.data())
    def race_for_one_move(self, choice: st.DataObject) -> None:
        """Two writers read the same value and both write: exactly one succeeds."""
        onward = [t for t in TRANSITIONS if t.source is self.state]
        if not onward:
            return
        read, won = self._stored(), []
        for transition in choice.draw(st.lists(st.sampled_from(onward), min_size=2, max_size=2)):
            change, entry = moved(read, transition.target, evidence(transition.needs[0]))
            try:
                self.records.commit([change], [entry])
                won.append(transition.target)
            except StaleWrite:
                continue
        assert len(won) == 1
        self._now_in(won[0])

    def _now_in(self, target: State) -> None:
        self.history.append((str(self.state), str(target)))
        self.state = target

    @invariant()
    def only_the_state_ever_changes(self) -> None:
        assert self._stored() == replace(a_version(), state=self.state)

    @invariant()
    def the_ledger_tells_the_whole_way(self) -> None:
        rows = self.records.ledger()
        assert [(row.entry.before, row.entry.after) for row in rows] == self.history
        assert set(self.history) <= set(ALLOWED)
        assert self.records.verify_ledger() == len(self.history)


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=30, stateful_step_count=25)


def test_the_declared_transitions_are_those_of_the_architecture() -> None:
    declared = {(str(t.source), str(t.target)): set(map(str, t.needs)) for t in TRANSITIONS}
    assert declared == ALLOWED
