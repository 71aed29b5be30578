"""Each notifier is told everything, in order, at least once, whatever happens to the others."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from flyball.domain.notices import Notice
from flyball.errors import ConfigurationError, EnvironmentFailed
from flyball.loop import lock
from flyball.loop.notices import Notices, deliver, tell_alone, tell_now
from flyball.ports import Change
from flyball.storage.notice_marks import FileNoticeMarks
from flyball.testing.builders import a_deployment, a_version, an_entry
from flyball.testing.fakes import ManualClock, MemoryRecords


@dataclass
class Friend:
    """A notifier that remembers; it can be away, and can be kept waiting."""

    name: str = "friend"
    away: bool = False
    dies_after: int = 10**6
    told: list[Notice] = field(default_factory=list)
    attempts: int = 0
    go: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.whom = f"my {self.name}"
        self.go.set()

    def tell(self, notice: Notice) -> None:
        self.attempts += 1
        assert self.go.wait(20)
        if self.away or len(self.told) >= self.dies_after:
            raise EnvironmentFailed(f"{self.whom} is away")
        self.told.append(notice)

    def reach(self) -> None:
        """Fine."""


class Parts:
    """What telling needs."""

    def __init__(self, home, *friends: Friend) -> None:
        self.records, self.clock = MemoryRecords(), ManualClock()
        self.notifiers = friends
        self.notice_marks = FileNoticeMarks(home / "notices")

    def rolled_back(self, *reasons: str) -> None:
        entries = [
            an_entry(action="route", subject="games/1", reason=f"rollback: {why}")
            for why in reasons
        ]
        self.records.commit([], entries)


class Seconds:
    """A monotonic clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def friend() -> Friend:
    return Friend()


@pytest.fixture
def parts(tmp_path, friend) -> Parts:
    return Parts(tmp_path, friend)


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def reasons(friend: Friend) -> list[str]:
    """The reasons of the rollbacks that it was told of."""
    lines = [line for notice in friend.told for line in notice.text.splitlines()]
    return [line.removeprefix("Why: ") for line in lines if line.startswith("Why: ")]


def followed(notices: Notices) -> dict[str, Exception]:
    """One look, and the end of what it began; then what went wrong."""
    notices.follow()
    for courier in notices._couriers or ():
        if courier.thread is not None:
            courier.thread.join(20)
    return notices.follow()


class TestANotifier:
    def test_is_told_what_is_new_once_and_in_order(self, parts, friend):
        parts.rolled_back("a", "b")
        assert deliver(parts, friend) == 2
        assert deliver(parts, friend) == 0
        parts.rolled_back("c")
        assert deliver(parts, friend) == 1
        assert reasons(friend) == ["a", "b", "c"]

    def test_is_told_nothing_where_nothing_ever_happened(self, parts, friend):
        assert deliver(parts, friend) == 0
        assert friend.told == []

    def test_is_told_also_what_happens_while_it_is_being_told(self, parts, friend):
        """A row that is appended between two looks at the ledger pushes none out of sight."""

        class Busy(MemoryRecords):
            def ledger(self, *, model=None, limit=None):
                found = super().ledger(model=model, limit=limit)
                if len(super().ledger()) < 9:
                    parts.rolled_back(f"{len(super().ledger())}")
                return found

        parts.records = Busy()
        parts.rolled_back("0", "1")
        while len(reasons(friend)) < 9:
            deliver(parts, friend)
        assert reasons(friend) == [str(n) for n in range(9)]

    @pytest.mark.parametrize("count", [63, 64, 65, 300])
    def test_is_told_of_every_row_however_many_there_are(self, parts, friend, count):
        parts.records.commit([], [an_entry(action="ingest")])
        deliver(parts, friend)
        parts.records.commit([], [an_entry(action="ingest") for _ in range(count)])
        parts.rolled_back("a")
        parts.records.commit([], [an_entry(action="ingest") for _ in range(count)])
        deliver(parts, friend)
        assert reasons(friend) == ["a"]

    def test_goes_on_where_it_failed(self, parts, friend):
        """What it took is not told again, and what it did not take is."""
        parts.rolled_back("a", "b", "c")
        friend.dies_after = 1
        with pytest.raises(EnvironmentFailed):
            deliver(parts, friend)
        friend.dies_after = 9
        deliver(parts, friend)
        assert reasons(friend) == ["a", "b", "c"]

    def test_is_told_again_what_a_crash_kept_from_being_marked(self, parts, friend, tmp_path):
        parts.rolled_back("a")
        deliver(parts, friend)
        (tmp_path / "notices" / "friend.json").unlink()  # the crash came just before the mark
        deliver(parts, friend)
        assert reasons(friend) == ["a", "a"]
        assert len({notice.id for notice in friend.told}) == 1, "the same thing has the same id"

    @pytest.mark.parametrize("content", [b"", b"{", b'{"ledger": "x"}', b"[]", b"\xff"])
    def test_is_told_what_is_fresh_where_its_mark_is_damaged(
        self, parts, friend, tmp_path, content
    ):
        parts.rolled_back("a")
        deliver(parts, friend)
        (tmp_path / "notices" / "friend.json").write_bytes(content)
        deliver(parts, friend)
        assert reasons(friend) == ["a", "a"]

    def test_of_a_home_with_another_ledger_begins_anew(self, parts, friend):
        parts.rolled_back("a", "b", "c")
        deliver(parts, friend)
        parts.records = MemoryRecords()
        parts.rolled_back("restored")
        deliver(parts, friend)
        assert reasons(friend)[-1] == "restored"

    def test_hears_the_version_of_a_rollout(self, parts, friend):
        version = a_version("1.7.0").name
        withdrawn = an_entry(action="withdraw", subject="games/1", before="5%", after="0%")
        parts.records.commit([Change(value=a_deployment(version=version))], [withdrawn])
        deliver(parts, friend)
        assert version in friend.told[0].text

    def test_is_told_by_one_process_at_a_time(self, parts, friend):
        """Both were to tell the same; the second finds it told."""
        parts.rolled_back("a")
        friend.go.clear()
        threads = [threading.Thread(target=deliver, args=(parts, friend)) for _ in range(3)]
        for thread in threads:
            thread.start()
        friend.go.set()
        for thread in threads:
            thread.join(20)
        assert reasons(friend) == ["a"]


class TestTheFollower:
    def test_tells_everybody_and_says_nothing_of_it(self, tmp_path, seconds):
        friends = Friend("one"), Friend("two")
        parts = Parts(tmp_path, *friends)
        parts.rolled_back("a")
        notices = Notices(parts, monotonic=seconds)
        assert followed(notices) == {}
        assert [reasons(friend) for friend in friends] == [["a"], ["a"]]

    def test_does_not_let_one_that_is_away_keep_the_others(self, tmp_path, seconds):
        gone, there = Friend("gone", away=True), Friend("there")
        parts = Parts(tmp_path, gone, there)
        parts.rolled_back("a")
        troubles = followed(Notices(parts, monotonic=seconds))
        assert reasons(there) == ["a"]
        assert "my gone is away" in str(troubles["notices to gone"])

    def test_does_not_wait_for_one_that_is_slow(self, tmp_path, seconds):
        slow, quick = Friend("slow"), Friend("quick")
        slow.go.clear()
        parts = Parts(tmp_path, slow, quick)
        notices = Notices(parts, monotonic=seconds)
        try:
            for why in ("a", "b", "c"):
                parts.rolled_back(why)
                notices.follow()  # returns, though the slow one is still at it
                notices._couriers[1].thread.join(20)
            assert reasons(quick) == ["a", "b", "c"]
            assert slow.attempts == 1
        finally:
            slow.go.set()
            notices.close()

    def test_asks_one_that_is_away_again_after_a_while_that_grows(self, parts, friend, seconds):
        parts.rolled_back("a")
        friend.away = True
        notices = Notices(parts, monotonic=seconds)
        asked = []
        for _ in range(200):
            before = friend.attempts
            followed(notices)
            if friend.attempts > before:
                asked.append(seconds.now)
            seconds.now += 1.0
        gaps = [later - earlier for earlier, later in pairwise(asked)]
        assert gaps[:4] == [5.0, 10.0, 20.0, 40.0]
        friend.away = False
        seconds.now += 600
        assert followed(notices) == {}
        assert reasons(friend) == ["a"]

    def test_reads_one_row_where_nothing_is_new(self, parts, friend, seconds):
        parts.rolled_back("a")
        notices = Notices(parts, monotonic=seconds)
        followed(notices)
        thread = notices._couriers[0].thread
        for _ in range(3):
            notices.follow()
        assert notices._couriers[0].thread is thread, "nobody was woken"

    def test_says_what_is_wrong_with_the_settings_and_lives(self, tmp_path, seconds):
        class Wrong(Parts):
            @property
            def notifiers(self):
                raise ConfigurationError("notify.webhook is not a URL")

            @notifiers.setter
            def notifiers(self, _value):
                """Not kept."""

        notices = Notices(Wrong(tmp_path), monotonic=seconds)
        assert "notify.webhook" in str(notices.follow()["notices"])
        notices.close()

    def test_goes_on_after_the_database_was_away(self, parts, friend, seconds):
        parts.rolled_back("a")
        notices = Notices(parts, monotonic=seconds)
        parts.records.broken = True
        assert "broken" in str(notices.follow()["notices"])
        parts.records.broken = False
        assert followed(notices) == {}
        assert reasons(friend) == ["a"]


class TestACommandWithoutAControlProcess:
    def test_tells_everybody_in_one_attempt(self, tmp_path):
        gone, there = Friend("gone", away=True), Friend("there")
        parts = Parts(tmp_path, gone, there)
        parts.rolled_back("a")
        troubles = tell_now(parts, within_s=20)
        assert reasons(there) == ["a"]
        assert (gone.attempts, list(troubles)) == (1, ["notice to my gone"])

    def test_does_not_wait_longer_than_it_should(self, parts, friend):
        parts.rolled_back("a")
        friend.go.clear()
        try:
            [trouble] = tell_now(parts, within_s=0.05).values()
            assert "within 0.05 s" in str(trouble)
        finally:
            friend.go.set()

    def test_never_fails_for_it(self, parts, friend, tmp_path, caplog):
        parts.rolled_back("a")
        friend.away = True
        tell_alone(parts, tmp_path)
        assert "`flyball up` tells it later" in caplog.text
        parts.records.broken = True
        tell_alone(parts, tmp_path)

    def test_leaves_it_to_a_control_process_that_runs(self, parts, friend, tmp_path):
        parts.rolled_back("a")
        with lock.control_lock(tmp_path, lock.CONTROL, now=parts.clock.now()):
            tell_alone(parts, tmp_path)
        assert friend.told == []
        tell_alone(parts, tmp_path)
        assert reasons(friend) == ["a"]
