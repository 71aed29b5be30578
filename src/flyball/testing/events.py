"""What every implementation of the port ``Events`` promises.

Inherit it and give a fixture ``events`` that yields an empty implementation.
"""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from flyball.domain.traffic import Event, EventType
from flyball.errors import InvalidRequest
from flyball.ports import Events
from flyball.testing import builders as a
from flyball.testing.records import together


def numbered(count: int, *, prefix: str = "event") -> list[Event]:
    """That many events with different ids."""
    return [a.an_event(f"{prefix}-{number}") for number in range(count)]


class EventsContract:
    """No acknowledged event is lost, none is counted twice, and readers miss none."""

    def test_come_back_exactly_and_in_order(self, events: Events) -> None:
        sent = [
            a.an_event("b", type=EventType.DISLIKE, value=None, recommendation_id=""),
            a.an_event("a", user_id="Zoë \N{VIDEO GAME}", value=0.1),
        ]
        assert events.append(sent) == [True, True]
        assert events.after(0)[0] == sent

    def test_sent_twice_are_stored_once(self, events: Events) -> None:
        assert events.append(numbered(3)) == [True] * 3
        again = [*numbered(2), a.an_event("new")]
        assert events.append(again) == [False, False, True]
        assert events.count() == {"purchase": 4}

    def test_twice_in_one_call_are_new_once_and_the_first_stays(self, events: Events) -> None:
        first, other, second = a.an_event("x", value=1.0), a.an_event("y"), a.an_event("x")
        assert events.append([first, other, second]) == [True, True, False]
        assert events.after(0)[0] == [first, other]

    def test_none_at_all_are_fine(self, events: Events) -> None:
        assert events.append([]) == []
        assert events.after(0) == ([], 0)
        assert events.count() == {}

    def test_many_in_one_call_are_all_stored(self, events: Events) -> None:
        sent = numbered(1_201)
        events.append(sent[600:601])
        new = events.append(sent)
        assert [index for index, fresh in enumerate(new) if not fresh] == [600]
        assert events.count() == {"purchase": 1_201}

    def test_can_be_read_page_by_page_without_a_gap(self, events: Events) -> None:
        events.append(numbered(5))
        seen, cursor = [], 0
        while page := events.after(cursor, limit=2)[0]:
            seen += page
            cursor = events.after(cursor, limit=2)[1]
        assert seen == numbered(5)
        events.append([a.an_event("late")])
        assert [event.event_id for event in events.after(cursor)[0]] == ["late"]

    def test_leave_the_cursor_where_nothing_is_new(self, events: Events) -> None:
        events.append(numbered(2))
        cursor = events.after(0)[1]
        assert events.after(cursor) == ([], cursor)

    def test_can_be_read_up_to_a_cursor_and_of_one_model(self, events: Events) -> None:
        """What comes later, or belongs to others, is not in it, however the pages fall."""
        for number in range(7):
            events.append([a.an_event(f"{number}", model=("games", "adult")[number % 2])])
        until = events.after(0, limit=5)[1]
        seen, cursor = [], 0
        while page := events.after(cursor, limit=2, until=until, model="games")[0]:
            seen += [event.event_id for event in page]
            cursor = events.after(cursor, limit=2, until=until, model="games")[1]
        assert (seen, cursor) == (["0", "2", "4"], until)
        assert events.after(until, until=until) == ([], until)

    def test_can_be_read_by_type_and_the_rest_is_passed_by(self, events: Events) -> None:
        """The last page leaves the cursor behind everything, so that nothing is looked at twice."""
        kinds = (EventType.PLAY, EventType.CLICK, EventType.IMPRESSION)
        events.append([a.an_event(f"{n}", type=kinds[n % 3]) for n in range(8)])
        wanted = {EventType.PLAY.value, EventType.CLICK.value}
        seen, cursor = events.after(0, limit=4, types=wanted)
        more, end = events.after(cursor, limit=4, types=wanted)
        assert [event.event_id for event in seen + more] == ["0", "1", "3", "4", "6", "7"]
        events.append([a.an_event("8", type=kinds[2])])
        assert end < events.last()
        assert events.after(end, limit=4, types=wanted) == ([], events.last())

    def test_of_a_large_call_are_each_told_whether_they_are_new(self, events: Events) -> None:
        """Some stored before, some twice in the call, in any place."""
        events.append(numbered(400)[::3])
        sent = numbered(400) + numbered(400)[::50]
        new = events.append(sent)
        assert new == [n % 3 != 0 for n in range(400)] + [False] * 8
        assert events.count() == {"purchase": 400}

    def test_without_a_finite_value_are_refused_with_all_of_the_call(self, events: Events) -> None:
        with pytest.raises(InvalidRequest):
            events.append([a.an_event("fine"), a.an_event("odd", value=float("nan"))])
        assert events.count() == {}

    def test_received_since_a_moment_all_come_after_its_cursor(self, events: Events) -> None:
        """Also those that waited on disk, and were stored after others that came later."""
        for minutes in (0, 60, -600, 120, 30, 180):
            received = a.NOON + timedelta(minutes=minutes)
            events.append([a.an_event(f"{minutes}", received_at=received)])
        for minutes in range(-700, 300, 10):
            since = a.NOON + timedelta(minutes=minutes)
            found = events.after(events.before(since))[0]
            expected = [e for e in events.after(0)[0] if e.received_at >= since]
            assert [e for e in found if e.received_at >= since] == expected

    def test_say_where_the_newest_is(self, events: Events) -> None:
        assert events.last() == 0
        events.append(numbered(3))
        last = events.last()
        assert last == events.after(0)[1]
        events.append([a.an_event("later")])
        assert [event.event_id for event in events.after(last)[0]] == ["later"]

    def test_of_a_forgotten_user_are_gone_and_no_others(self, events: Events) -> None:
        """Also where ids look alike, hold wildcards, or stand in another field."""
        who = '100%_"\\/é'
        theirs = [a.an_event(f"x{n}", user_id=who) for n in range(3)]
        others = [
            a.an_event("1", user_id=who.upper()),
            a.an_event("2", user_id='100AB"\\/é'),
            a.an_event("3", item_id=who),
            a.an_event("4", user_id=who, model="adult"),
            a.an_event("5", user_id=f"{who}."),
        ]
        events.append([*others[:2], *theirs, *others[2:]])
        assert events.forget("games", who) == 3
        assert events.after(0)[0] == others
        assert events.forget("games", who) == 0

    def test_that_were_forgotten_never_move_the_cursor_back(self, events: Events) -> None:
        """A reader that has seen them misses nothing that comes after."""
        events.append([a.an_event("1", user_id="ann"), a.an_event("2", user_id="bob")])
        cursor = events.last()
        assert events.forget("games", "bob") == 1
        events.append([a.an_event("3", user_id="ann")])
        assert [event.event_id for event in events.after(cursor)[0]] == ["3"]

    def test_are_counted_by_type_and_model(self, events: Events) -> None:
        events.append([a.an_event("1", type=EventType.CLICK), a.an_event("2", model="adult")])
        assert events.count() == {"click": 1, "purchase": 1}
        assert events.count("games") == {"click": 1}
        assert events.count("nobody") == {}

    def test_raced_for_by_many_writers_are_new_to_exactly_one(self, events: Events) -> None:
        answers = together(4, lambda _: events.append(numbered(40)))
        assert [sum(column) for column in zip(*answers, strict=True)] == [1] * 40

    def test_written_meanwhile_are_not_missed_by_a_reader(self, events: Events) -> None:
        """A reader that follows its cursor sees each event of concurrent writers once."""
        writers, calls = 3, 15
        wanted = writers * calls * 2
        seen: list[str] = []

        def act(index: int) -> None:
            if index < writers:
                for call in range(calls):
                    events.append(numbered(2, prefix=f"{index}.{call}"))
                return
            cursor = 0
            while len(seen) < wanted and events.count().get("purchase", 0) <= wanted:
                page, cursor = events.after(cursor, limit=7)
                seen.extend(event.event_id for event in page)
                if not page and events.count() == {"purchase": wanted}:
                    page, cursor = events.after(cursor, limit=wanted)
                    seen.extend(event.event_id for event in page)
                    return

        together(writers + 1, act)
        assert len(seen) == len(set(seen)) == wanted

    def test_windows_come_back_oldest_first(self, events: Events) -> None:
        late = a.a_window(start=a.NOON + timedelta(seconds=1))
        early = a.a_window(requests=3, errors=1)
        events.add_windows([late, early])
        assert events.windows("games", since=a.NOON) == [early, late]

    def test_windows_keep_whom_they_answered_in_a_rollout(self, events: Events) -> None:
        window = a.a_window(
            start=a.NOON + timedelta(seconds=0.25),
            seconds=0.25,
            units={"seen": (3, 2**48 - 1), "failed": (3,)},
            units_below={"seen": 2**48 - 1},
            salt="games/7",
        )
        events.add_windows([window])
        assert events.windows("games", since=a.NOON) == [window]

    def test_windows_are_forgotten_by_age_and_events_are_not(self, events: Events) -> None:
        events.append(numbered(2))
        old, young = a.a_window(start=a.NOON), a.a_window(start=a.NOON + timedelta(hours=1))
        events.add_windows([old, young])
        assert events.forget_windows(before=young.start) == 1
        assert events.windows(old.model, since=a.NOON) == [young]
        assert len(events.after(0)[0]) == 2

    def test_windows_are_stored_once(self, events: Events) -> None:
        events.add_windows([a.a_window()])
        events.add_windows([a.a_window(requests=99), a.a_window(worker="host:2")])
        events.add_windows([])
        found = events.windows("games", since=a.NOON)
        assert [(window.worker, window.requests) for window in found] == [
            ("host:1", 10),
            ("host:2", 10),
        ]

    @pytest.mark.parametrize("hours", [0, 2])
    def test_windows_are_chosen_by_time_model_and_version(self, events: Events, hours: int) -> None:
        """``since`` may be in any time zone, and is part of what it asks for."""
        new = a.a_window(version=a.a_version("1.1.0").name)
        old = a.a_window(start=a.NOON - timedelta(milliseconds=1))
        events.add_windows([old, a.a_window(), new, a.a_window(model="adult")])
        since = a.NOON.astimezone(timezone(timedelta(hours=hours)))
        assert len(events.windows("games", since=since)) == 2
        assert events.windows("games", since=since, version=new.version) == [new]
        assert events.windows("nobody", since=since) == []
