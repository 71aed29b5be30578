"""Files that are not what they should be, through the real command line."""

from __future__ import annotations

import gzip

import pytest
from gameday_home import MODEL, count, opened
from gameday_processes import flyball

from flyball.domain.data import DataBatch
from flyball.domain.ledger import Entry

pytestmark = pytest.mark.xdist_group("bad-input")  # one home for all of them

GOOD = "user_id,title,event,value\n" + "".join(
    f"player-{p},{title},purchase,1\n" for p in range(20) for title in ("Portal", "Braid")
)
BINARY = bytes(range(256)) * 40
FILES = {
    "empty": (b"", 1, ["is empty"]),
    "header only": (GOOD.splitlines()[0].encode() + b"\n", 1, ["no rows"]),
    "cut short": (gzip.compress(GOOD.encode())[:-20], 1, ["gzip", "cut short"]),
    "binary": (BINARY, 1, ["is binary"]),
    "another encoding": (GOOD.encode("utf-16"), 1, ["UTF-16", "iconv"]),
    "another delimiter": (GOOD.replace(",", "~").encode(), 1, ["comma, semicolon, tab or bar"]),
    "other columns": (b"colour,size\nred,1\nblue,2\n", 1, ["'colour', 'size'", "user_id"]),
    "too many bad rows": (
        GOOD.replace("Portal", "").encode(),
        1,
        ["20 of 40 rows", "max_quarantined"],
    ),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home that holds one good batch, named ``monday``; each test leaves it as it was."""
    folder = tmp_path_factory.mktemp("bad-input")
    (folder / "good.csv").write_text(GOOD)
    home = folder / "home"
    done = flyball("ingest", MODEL, folder / "good.csv", "--batch-id", "monday", home=home)
    assert done.code == 0, done.err
    return home


@pytest.mark.timeout(900)
class TestABadFile:
    """A message and an exit code, no traceback, and nothing of it is stored."""

    def _refused(self, home, code, words, *arguments):
        before = stored(home)
        ended = flyball("ingest", MODEL, *arguments, "--json", home=home)
        ended.refused(code, *words)
        problem = ended.json()
        assert problem["type"].startswith("urn:flyball:problem:")
        assert problem["detail"]
        assert stored(home) == before

    @pytest.mark.parametrize("kind", FILES)
    def test_is_refused(self, kind, home, tmp_path):
        content, code, words = FILES[kind]
        path = tmp_path / "purchases.csv"
        path.write_bytes(content)
        self._refused(home, code, [*words, str(path)], path)

    def test_that_is_not_there_is_a_wrong_call(self, home, tmp_path):
        path = tmp_path / "purchses.csv"
        (tmp_path / "purchases.csv").write_text(GOOD)
        self._refused(home, 2, ["no file", str(path), "purchases.csv"], path)

    def test_under_a_batch_id_used_for_other_content_is_refused(self, home, tmp_path):
        path = tmp_path / "other.csv"
        path.write_text(GOOD.replace("Portal", "Limbo"))
        self._refused(home, 1, ["monday", "taken", "another id"], path, "--batch-id", "monday")

    def test_again_is_the_same_batch_and_no_error(self, home):
        before = stored(home)
        again = flyball("ingest", MODEL, home.parent / "good.csv", "--json", home=home)
        assert (again.code, again.json()[0]["new"]) == (0, False)
        assert stored(home) == before

    def test_of_several_stops_after_the_good_ones(self, home, tmp_path):
        bad, good = tmp_path / "bad.csv", home.parent / "good.csv"
        bad.write_bytes(BINARY)
        self._refused(home, 1, [str(bad), "is binary"], good, bad)


def stored(home):
    """The batches, the ledger, the files, and what is still to be done."""
    verbs = opened(home)
    verbs.verify_ledger()
    entries: list[Entry] = [row.entry for row in verbs.ledger()]
    files = [p for folder in (".dvc/cache", "data", "remote") for p in (home / folder).rglob("*")]
    unfinished = "status NOT IN ('SUCCESS', 'ERROR')"
    return (
        verbs.platform.records.find(DataBatch),
        entries,
        sorted(files),
        sorted((home / "scratch").iterdir()),
        count(home / "workflows.sqlite", "workflow_status", unfinished),
    )
