"""``kill -9`` while data files move, and two at once: what is kept is whole, and stays."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from gameday_processes import until

from flyball.storage.datasets import DvcDatasets
from flyball.storage.objects import md5_of

SIZE = 12_000_000
KILLS = 4

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROGRAM = """
    import sys
    from datetime import UTC, datetime, timedelta
    from pathlib import Path
    from flyball.storage.datasets import DvcDatasets

    home, content = Path(sys.argv[1]), Path(sys.argv[2])
    datasets = DvcDatasets(home, home / "remote")
    print("ready", flush=True)
    number = 0
    while True:  # until it is killed
        {work}
        number += 1
        print(number, flush=True)
"""
WORK = {
    "keep": """content.write_bytes(number.to_bytes(4, "big") + content.read_bytes()[4:])
        datasets.keep(content)""",
    "lay out": """content.write_bytes(number.to_bytes(4, "big") + content.read_bytes()[4:])
        datasets.lay_out("games", {"a.parquet": datasets.keep(content)})""",
    "collect": """datasets.keep(content)
        soon = datetime.now(UTC) + timedelta(hours=1)
        datasets.remove(list(datasets.stored()), kept_before=soon)""",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def datasets(home: Path) -> DvcDatasets:
    return DvcDatasets(home, home / "remote")


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A file that takes some time to store."""
    path = tmp_path / "content"
    path.write_bytes(random.Random(3).randbytes(SIZE))
    return path


@contextmanager
def working(work: str, home: Path, content: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that does one thing again and again; inside, it has begun."""
    program = textwrap.dedent(PROGRAM).replace("{work}", WORK[work].replace("\n    ", "\n"))
    argv = [sys.executable, "-c", program, str(home), str(content)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


class TestAKill:
    """At random instants, several times on one home."""

    @pytest.mark.parametrize("work", WORK)
    def test_leaves_only_whole_objects(self, work, home, datasets, content):
        """What has an object's name has its bytes; the lock is free; the next one succeeds."""
        chance = random.Random(work)
        for _ in range(KILLS):
            with working(work, home, content) as process:
                instant = datetime.now(UTC) + timedelta(milliseconds=chance.randrange(10, 250))
                until(lambda instant=instant: datetime.now(UTC) > instant)
                process.kill()
                assert process.wait() == -signal.SIGKILL
            for folder in datasets._folders():
                for oid, _status in folder.stored():
                    assert folder.sound(oid), oid
            md5 = datasets.keep(content)
            version = datasets.lay_out("games", {"a.parquet": md5})
            assert datasets.listing(version) == {"a.parquet": md5}
            laid_out = home / "data" / "games"
            assert [path.name for path in laid_out.iterdir()] == ["a.parquet"]
            assert md5_of(laid_out / "a.parquet") == md5


class TestTwoAtOnce:
    """An ingest keeps, a collection removes."""

    def test_a_collection_never_takes_what_is_being_kept(self, home, datasets, content):
        """What was kept since the collection looked stays, however the two interleave."""
        md5 = datasets.keep(content)
        with working("keep", home, content) as other:
            for _ in range(10):
                looked = datasets.stored()[md5].kept_at
                limit = looked + timedelta(microseconds=1)
                while datasets.stored()[md5].kept_at < limit:  # a file's clock ticks every 4 ms
                    datasets.keep(_the_same(content, md5, home.parent))
                assert datasets.remove([md5], kept_before=limit).objects == 0
                assert datasets.path(md5).stat().st_size == SIZE
            assert other.poll() is None

    def test_many_that_keep_and_lay_out_do_not_disturb_each_other(self, home, datasets, tmp_path):
        """The version laid out last is whole, and all that was kept is."""
        contents = []
        for number in range(3):
            contents.append(tmp_path / f"content-{number}")
            contents[-1].write_bytes(random.Random(number).randbytes(SIZE // 10))
        with (
            working("lay out", home, contents[0]) as one,
            working("lay out", home, contents[1]) as other,
        ):
            for _ in range(10):
                md5 = datasets.keep(contents[2])
                assert datasets.listing(datasets.lay_out("games", {"b": md5})) == {"b": md5}
            assert one.poll() is None
            assert other.poll() is None
        datasets.lay_out("games", {"b": md5})
        assert [path.name for path in (home / "data" / "games").iterdir()] == ["b"]
        for folder in datasets._folders():
            assert all(folder.sound(oid) for oid, _ in folder.stored())


def _the_same(content: Path, md5: str, folder: Path) -> Path:
    """The bytes of the first moment: the other process changes its file."""
    path = folder / "first"
    if not path.exists():
        first = random.Random(3).randbytes(SIZE)
        path.write_bytes(first)
        assert md5_of(path) == md5
    return path
