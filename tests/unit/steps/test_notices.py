"""What people are told of, and what they are spared."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flyball.domain.deployment import WAITS
from flyball.domain.ledger import GENESIS, Entry, LedgerRow, chained
from flyball.domain.notices import Urgency
from flyball.steps.notices import BURST, LINES, OLD, due, notice_of
from flyball.steps.rehearsal import BEGUN, CUT_OFF, ENDED, FELL_SHORT, MEASURED
from flyball.testing.builders import NOON, a_version, an_entry

NEW, BEFORE = a_version("1.1.0").name, a_version("1.0.0").name


def rows(*entries: Entry) -> list[LedgerRow]:
    return [chained(entry, seq=n, previous=GENESIS) for n, entry in enumerate(entries, 1)]


def said(**fields):
    """The notice of one row."""
    defaults = {"subject": "games/2", "actor": "controller", "before": "", "after": ""}
    [row] = rows(an_entry(**(defaults | fields)))
    return notice_of(row, lambda deployment: NEW if deployment == "games/2" else "")


def a_rollback(**fields) -> Entry:
    told = {"action": "route", "subject": "games/2", "before": NEW, "after": BEFORE}
    return an_entry(**(told | {"reason": "rollback: 40 of 100 failed"} | fields))


class TestPeopleAreTold:
    def test_at_once_that_a_version_was_rolled_back_to_what_why_and_by_whom(self):
        notice = said(action="route", before=NEW, after=BEFORE, reason="rollback: 40 of 100 failed")
        assert notice.urgency is Urgency.NOW
        assert notice.title == "games was rolled back from 1.1.0 to 1.0.0"
        for word in (NEW, BEFORE, "Why: 40 of 100 failed", "by itself", "ledger row 1"):
            assert word in notice.text
        by_hand = said(action="route", reason="rollback: x", actor="operator:ada")
        assert "by operator:ada" in by_hand.text

    def test_at_once_that_a_rollout_was_withdrawn(self):
        notice = said(action="withdraw", before="5%", after="0%", reason="errors rose")
        assert (notice.urgency, "1.1.0" in notice.title) == (Urgency.NOW, True)
        assert f"{NEW} had 5% of the traffic" in notice.text
        assert "errors rose" in notice.text

    def test_that_a_rollout_waits_for_them_and_how_to_let_it_go_on(self):
        notice = said(action="hold", after=WAITS, reason="all was shown")
        assert notice.urgency is Urgency.SOON
        assert f"flyball approve games {NEW}" in notice.text

    def test_that_a_rollout_is_held_and_how_soon_depends_on_who_holds_it(self):
        by_itself = said(action="hold", after="the split is off", reason="the split is off")
        by_hand = said(action="hold", after="lunch", reason="lunch", actor="operator:ada")
        assert (by_itself.urgency, by_hand.urgency) == (Urgency.SOON, Urgency.INFO)
        assert f"flyball resume games {NEW}" in by_itself.text

    @pytest.mark.parametrize(
        ("action", "words"),
        [
            ("undecided", "has not shown enough in time"),
            ("promote", "promoted without evidence"),
            ("give up", "was given up"),
        ],
    )
    def test_of_what_should_be_looked_at_soon(self, action, words):
        notice = said(action=action, before=NEW, reason="because")
        assert (notice.urgency, words in notice.title) == (Urgency.SOON, True)
        assert "because" in notice.text

    def test_what_serves_and_what_begins_to_be_rolled_out(self):
        serves = said(action="route", before=BEFORE, after=NEW, reason="all was shown")
        begins = said(action="deploy", before=BEFORE, after=NEW, reason="canary deployment begun")
        assert serves.title == "games: 1.1.0 serves now"
        assert begins.title == "games: a rollout of 1.1.0 has begun"
        assert {serves.urgency, begins.urgency} == {Urgency.INFO}

    def test_that_a_version_could_not_be_loaded(self):
        notice = said(
            subject=f"games/{NEW}", before="staging", after="development", reason="damaged"
        )
        assert notice.title == "games: 1.1.0 could not be deployed"
        assert "damaged" in notice.text

    @pytest.mark.parametrize(
        ("begin", "urgency"),
        [(MEASURED, Urgency.INFO), (FELL_SHORT, Urgency.SOON), (CUT_OFF, Urgency.SOON)],
    )
    def test_how_a_rehearsal_ended(self, begin, urgency):
        notice = said(action="drill", reason=f"{begin}0.2 s there")
        assert notice.urgency is urgency
        assert notice.text.startswith("0.2 s there")

    def test_also_where_nobody_knows_the_version_of_a_rollout_any_more(self):
        [row] = rows(an_entry(action="withdraw", subject="games/9", before="5%", reason="x"))
        assert "of rollout games/9" in notice_of(row).text


class TestPeopleAreSpared:
    @pytest.mark.parametrize(
        "action", ["ingest", "shift", "resume", "approve", "forget", "quarantine", "anything"]
    )
    def test_what_is_only_a_step_on_the_way(self, action):
        assert said(action=action, reason="x") is None

    def test_moves_of_the_lifecycle_that_another_row_tells_of(self):
        assert said(action="transition", before="validation", after="staging") is None
        assert said(action="transition", before="monitoring", after="rollback") is None

    @pytest.mark.parametrize("begin", [BEGUN, ENDED])
    def test_the_two_switches_of_a_rehearsal(self, begin):
        assert said(action="drill", reason=f"{begin}x") is None


def told(entries, *, now=NOON, first=False):
    return due(rows(*entries), now=now, first=first, version_of=lambda _: "")


class TestAfterASilence:
    def test_few_and_fresh_things_are_told_one_by_one_in_order(self):
        found = told([a_rollback(reason=f"rollback: {n}") for n in range(3)])
        assert [f"Why: {n}" in one.notice.text for n, one in enumerate(found)] == [True] * 3
        assert [one.row for one in found] == [1, 2, 3]

    def test_old_things_are_told_together_before_fresh_ones(self):
        old = [a_rollback(at=NOON - 2 * OLD) for _ in range(4)]
        together, fresh = told([*old, an_entry(action="ingest"), a_rollback()])
        assert together.notice.title == "4 things happened since the last notice"
        assert together.notice.urgency is Urgency.NOW
        assert together.notice.text.count("games was rolled back") == 4
        assert (together.row, fresh.row) == (4, 6)

    def test_a_single_old_thing_stays_as_it_is(self):
        [one] = told([a_rollback(at=NOON - timedelta(days=3))])
        assert one.notice.title.startswith("games was rolled back")
        assert one.notice.at == NOON - timedelta(days=3)

    def test_very_many_things_are_one_notice_with_the_newest_of_them(self):
        entries = [a_rollback(reason=f"rollback: {n}") for n in range(LINES + 20)]
        [one] = told(entries)
        assert one.notice.text.count("rolled back") == LINES
        assert "20 earlier ones are left out" in one.notice.text
        assert one.row == len(entries)

    def test_at_most_a_handful_come_one_by_one(self):
        assert len(told([a_rollback()] * BURST)) == BURST
        assert len(told([a_rollback()] * (BURST + 1))) == 1

    def test_a_new_notifier_hears_nothing_of_the_past(self):
        entries = [a_rollback(at=NOON - 2 * OLD), a_rollback(at=NOON - 2 * OLD), a_rollback()]
        [one] = told(entries, first=True)
        assert one.row == 3

    def test_a_clock_that_was_set_back_loses_and_doubles_nothing(self):
        """Rows whose times do not rise are still told in their order."""
        times = (0, 3, 0, 3, 0)
        found = told([a_rollback(at=NOON - hours * OLD) for hours in times])
        assert [one.row for one in found] == [4, 5]
        assert found[0].notice.text.count("rolled back") == 4

    def test_the_same_rows_are_told_with_the_same_ids(self):
        entries = [a_rollback(), a_rollback()]
        assert [d.notice.id for d in told(entries)] == [d.notice.id for d in told(entries)]
        assert len({d.notice.id for d in told(entries)}) == 2
