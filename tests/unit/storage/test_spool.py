"""Events on disk: kept in order, taken over by exactly one, and never more than may be."""

from __future__ import annotations

import errno
import os
import signal
from multiprocessing import get_context
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from flyball.errors import InvalidRequest, StorageUnavailable
from flyball.serving.problems import status_of
from flyball.storage import spool as module
from flyball.storage import spool_files as files
from flyball.storage.spool import Spool, SpoolFull
from flyball.storage.spool_tail import SpoolTail
from flyball.testing.builders import an_event
from flyball.testing.events import numbered

FORK = get_context("fork")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "spool"


def emptied(spool: Spool) -> list:
    """Everything that waits, taken out."""
    events = []
    while some := spool.first():
        events += some
        spool.drop()
    return events


class TestASpool:
    def test_gives_back_what_it_was_given_in_order(self, folder):
        spool = Spool(folder)
        sent = [
            *numbered(3),
            an_event("odd", user_id='Zoë "\\ \x1f\N{VIDEO GAME}\n', value=None),
        ]
        spool.append(sent[:2])
        spool.append(sent[2:])
        assert spool.waiting == 4
        assert emptied(spool) == sent
        assert spool.waiting == 0

    def test_touches_nothing_before_the_first_event(self, folder):
        spool = Spool(folder)
        assert (spool.adopt(), spool.first(), spool.size(), spool.waiting) == (0, [], 0, 0)
        assert not folder.exists()

    def test_gives_the_same_again_until_that_is_safe(self, folder):
        spool = Spool(folder)
        spool.append(numbered(2))
        assert spool.first() == spool.first() == numbered(2)
        spool.append([an_event("later")])
        spool.drop()
        spool.drop()  # nothing was given since
        assert emptied(spool) == [an_event("later")]

    def test_gives_many_part_by_part_and_frees_their_space(self, folder, monkeypatch):
        monkeypatch.setattr(module, "FILE_BYTES", 3_000)
        monkeypatch.setattr(module, "PART_BYTES", 1_000)
        spool = Spool(folder)
        for event in numbered(50):
            spool.append([event])
        assert len(files.listed(folder)) > 3
        before, first = spool.size(), spool.first()
        assert 1 < len(first) < 50
        assert emptied(spool) == numbered(50)
        assert (spool.size(), before > 10_000) == (0, True)
        assert files.listed(folder) == []

    def test_is_for_its_owner_only(self, folder):
        spool = Spool(folder)
        spool.append(numbered(1))
        [path] = files.listed(folder)
        assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)

    def test_refuses_what_is_too_much_and_takes_more_once_some_is_moved(self, folder):
        line = Spool(folder)
        line.append(numbered(1))
        spool = Spool(folder, limit=3 * line.size() + 20)
        spool.append(numbered(2))
        with pytest.raises(SpoolFull, match=r"server\.spool") as refused:
            spool.append(numbered(1))
        assert status_of(refused.value) == 503
        assert emptied(spool) == numbered(2)
        spool.append(numbered(1))

    def test_of_no_bytes_takes_nothing(self, folder):
        with pytest.raises(SpoolFull):
            Spool(folder, limit=0).append(numbered(1))
        assert not folder.exists()

    def test_refuses_what_is_no_text_and_keeps_nothing_of_it(self, folder):
        spool = Spool(folder)
        with pytest.raises(InvalidRequest, match="Unicode"):
            spool.append([an_event("fine"), an_event("half \ud800")])
        assert spool.waiting == 0

    @pytest.mark.parametrize("already", [0, 2])
    def test_takes_back_what_a_full_disk_took_in_part(self, folder, monkeypatch, already):
        """And writes to that file no more; what was there before stays."""
        spool, write = Spool(folder), os.write
        if already:
            spool.append(numbered(already))

        def full(fd: int, data: memoryview) -> int:
            if len(data) < 300:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(fd, data[: len(data) // 2])

        with monkeypatch.context() as patched:
            patched.setattr(files.os, "write", full)
            with pytest.raises(StorageUnavailable, match="disk is full") as refused:
                spool.append(numbered(5, prefix="lost"))
        assert status_of(refused.value) == 507
        spool.append(numbered(2, prefix="later"))
        spool.close()
        after = Spool(folder)
        after.adopt()
        assert emptied(after) == [*numbered(already), *numbered(2, prefix="later")]

    def test_passes_over_what_the_disk_damaged_and_says_so(self, folder):
        spool = Spool(folder)
        spool.append(numbered(3))
        [path] = files.listed(folder)
        path.write_bytes(path.read_bytes().replace(b"event-1", b"event-?"))
        with capture_logs() as lines:
            assert [event.event_id for event in spool.first()] == ["event-0", "event-2"]
        assert [line["lost"] for line in lines] == [1]
        spool.drop()
        assert spool.waiting == 0

    def test_that_somebody_cut_off_comes_to_an_end(self, folder):
        spool = Spool(folder)
        spool.append(numbered(3))
        os.truncate(files.listed(folder)[0], 0)
        with capture_logs() as lines:
            assert spool.first() == []
        assert [line["lost"] for line in lines] == [3]
        spool.drop()
        assert spool.waiting == 0


class TestWhatADeadProcessLeft:
    def test_is_taken_over_in_order(self, folder):
        child = FORK.Process(target=_keep_and_die, args=(folder,))
        child.start()
        child.join(30)
        assert child.exitcode == -signal.SIGKILL
        spool = Spool(folder)
        assert spool.adopt() == 5
        spool.append([an_event("own")])
        assert emptied(spool) == [*numbered(5), an_event("own")]

    def test_is_taken_over_by_exactly_one(self, folder):
        for number in range(10):
            left = Spool(folder)
            left.append(numbered(3, prefix=f"{number}"))
            left.close()
        with FORK.Pool(3) as pool:
            found = pool.map(_take_all, [folder] * 3, chunksize=1)
        taken = [id for ids in found for id in ids]
        assert sorted(taken) == sorted(f"{n}-{k}" for n in range(10) for k in range(3))

    def test_is_left_alone_while_the_process_lives(self, folder):
        living, other = Spool(folder), Spool(folder)
        living.append(numbered(2))
        assert (other.adopt(), other.waiting, other.first()) == (0, 0, [])
        living.close()
        assert other.adopt() == 2

    def test_that_holds_no_event_is_cleared_away(self, folder):
        folder.mkdir(parents=True)
        (folder / "1-dead.spool").write_bytes(b"")
        (folder / "2-dead.spool").write_bytes(b"0123abcd {torn")
        assert Spool(folder).adopt() == 0
        assert files.listed(folder) == []

    def test_is_left_to_the_next_when_its_heir_ends(self, folder):
        first = Spool(folder)
        first.append(numbered(2))
        first.close()
        heir = Spool(folder)
        heir.adopt()
        heir.close()
        last = Spool(folder)
        assert last.adopt() == 2
        assert emptied(last) == numbered(2)


class TestATail:
    def test_reads_what_others_write_once_as_it_comes(self, folder):
        own, other = Spool(folder), Spool(folder)
        tail = SpoolTail(folder, own.mark)
        assert tail.new() == []
        own.append([an_event("own")])
        other.append(numbered(2))
        assert tail.new() == numbered(2)
        assert tail.new() == []
        other.append([an_event("later")])
        assert tail.new() == [an_event("later")]

    def test_reads_what_was_left_also_once_it_is_taken_over_here(self, folder):
        left = Spool(folder)
        left.append(numbered(2))
        left.close()
        own = Spool(folder)
        own.adopt()
        assert SpoolTail(folder, own.mark).new() == numbered(2)

    def test_waits_for_the_rest_of_a_line(self, folder):
        other = Spool(folder)
        other.append(numbered(2))
        [path] = files.listed(folder)
        whole = path.read_bytes()
        path.write_bytes(whole[:-5])
        tail = SpoolTail(folder, "nobody")
        assert tail.new() == numbered(1)
        path.write_bytes(whole)
        assert tail.new() == numbered(2)[1:]

    def test_forgets_files_that_are_gone(self, folder):
        other = Spool(folder)
        tail = SpoolTail(folder, "nobody")
        other.append(numbered(1))
        assert tail.new() == numbered(1)
        emptied(other)
        assert tail.new() == []
        other.append(numbered(2))
        assert tail.new() == numbered(2)


def _keep_and_die(folder: Path) -> None:
    Spool(folder).append(numbered(5))
    with files.listed(folder)[0].open("ab") as file:
        file.write(b'0badc0de {"event_id":"never ack')
    os.kill(os.getpid(), signal.SIGKILL)


def _take_all(folder: Path) -> list[str]:
    spool = Spool(folder)
    spool.adopt()
    return [event.event_id for event in emptied(spool)]
