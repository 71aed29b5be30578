"""Ingest, whatever the rows, their order, their format and the moment of a crash."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.ledger import Entry
from flyball.domain.privacy import Pseudonyms
from flyball.domain.schema import Column, ColumnType, Schema
from flyball.errors import DataQualityError, FlyballError
from flyball.ports import LINE, Change, Datasets
from flyball.settings import Gates
from flyball.steps.conform import conform
from flyball.steps.ingest import Ingest
from flyball.steps.shelf import Ingested
from flyball.storage.datasets import DvcDatasets
from flyball.storage.sources import FileSources
from flyball.testing.fakes import ManualClock, MemoryRecords

SCHEMA = Schema(
    columns=(
        Column(name="user_id", type=ColumnType.STRING),
        Column(name="title", type=ColumnType.STRING, nullable=True),
        Column(name="value", type=ColumnType.NUMBER, nullable=True, minimum=0.0),
    ),
    key=("user_id", "title", "value"),
)

words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.sampled_from(' \n",;|'), max_size=8
)
numbers = st.floats(-1e6, 1e300) | st.none()
rows = st.lists(st.tuples(words, words, numbers), min_size=1, max_size=12)


@contextmanager
def a_file(content: bytes) -> Iterator[Path]:
    """A file for the length of a block."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "players"
        path.write_bytes(content)
        yield path


def as_csv(cells: Sequence[tuple[str, str, float | None]], delimiter: str = ",") -> bytes:
    """As Python's own writer spells it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["user_id", "title", "value"])
    writer.writerows(cells)
    return text.getvalue().encode()


def as_jsonl(cells: Sequence[tuple[str, str, float | None]]) -> bytes:
    """One object a line."""
    names = ("user_id", "title", "value")
    return "\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in cells).encode()


def read(content: bytes) -> tuple[pl.DataFrame, int]:
    """The rows that the product reads from these bytes, and how many it rejects."""
    with a_file(content) as path, FileSources(path.parent).open(str(path), [SCHEMA]) as reading:
        chunks = list(reading)
        assert {chunk.frame.columns[-1] for chunk in chunks} <= {LINE}
        frames = [chunk.frame.drop(LINE) for chunk in chunks]
        empty = pl.DataFrame(schema=dict.fromkeys(reading.columns, pl.String))
        frame = pl.concat(frames) if frames else empty
        return frame, sum(chunk.rejected.height for chunk in chunks)


@settings(max_examples=30, deadline=None)
@given(rows, st.sampled_from(",;\t|"))
def test_csv_and_jsonl_of_the_same_rows_are_the_same_table(
    cells: list[tuple[str, str, float | None]], delimiter: str
) -> None:
    """Quotes, delimiters and line ends in cells included."""
    cells = [(f"u{user}", title, value) for user, title, value in cells]
    tables = [read(as_csv(cells, delimiter)), read(as_jsonl(cells))]
    assert tables[0][0].equals(tables[1][0])
    expected = [(user.strip(), title.strip() or None, value) for user, title, value in cells]
    assert [
        (user, (title or "").strip() or None, value) for user, title, value in expected
    ] == tables[0][0].rows()


@settings(max_examples=40, deadline=None)
@given(rows, st.lists(st.sampled_from(["x", "", "1,2", "1,2,3,4", "a,b,c", "a,b,-1"]), max_size=9))
def test_rows_kept_and_rows_left_out_add_up(
    cells: list[tuple[str, str, float | None]], junk: list[str]
) -> None:
    """No row is lost without a finding, and none is counted twice."""
    lines = [line for line in junk if line]
    content = as_csv(cells) + "\n".join(lines).encode()
    with a_file(content) as path, FileSources(path.parent).open(str(path), [SCHEMA]) as reading:
        total = 0
        for chunk in reading:
            kept, aside = conform(chunk.frame, reading.schema)
            total += kept.height + aside.height + chunk.rejected.height + chunk.blank
    assert total == len(cells) + len(lines)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300) | rows.map(as_csv).map(lambda content: content[: len(content) // 2]))
def test_any_bytes_are_read_or_refused_in_our_own_words(content: bytes) -> None:
    """Nothing else ever escapes."""
    try:
        said = " ".join(read(content)[0].columns)
    except FlyballError as error:
        said = str(error)
    assert "players" in said or "user_id" in said


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_damaged_parquet_file_never_breaks_the_reader(data: st.DataObject) -> None:
    """It is refused, or what can be read fits the schema."""
    buffer = io.BytesIO()
    frame = {"user_id": [str(n) for n in range(50)], "title": ["a"] * 50, "value": [1.0] * 50}
    pl.DataFrame(frame).write_parquet(buffer)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(4, len(content) - 5))] = data.draw(st.integers(0, 255))
    try:
        frame, _ = read(bytes(content))
    except DataQualityError:
        return
    assert [str(kind) for kind in frame.dtypes] == ["String", "String", "Float64"]


class Killed(BaseException):
    """Stands for the end of the process."""


@dataclass
class Fuse:
    """Kills at one of the moments just before or after an effect."""

    left: int | None

    def burn(self) -> None:
        """One more such moment."""
        if self.left == 0:
            self.left = None
            raise Killed
        if self.left is not None:
            self.left -= 1


class Fused(MemoryRecords):
    """Records, and datasets, that may die around each effect."""

    def __init__(self, datasets: Datasets) -> None:
        super().__init__()
        self.fuse = Fuse(None)
        self.datasets = datasets

    def commit(self, changes: Sequence[Change], entries: Sequence[Entry] = ()) -> None:
        """See ``Records.commit``."""
        self.fuse.burn()
        super().commit(changes, entries)
        self.fuse.burn()

    def keep(self, content: Path) -> str:
        """See ``Datasets.keep``."""
        self.fuse.burn()
        kept = self.datasets.keep(content)
        self.fuse.burn()
        return kept

    def lay_out(self, model: str, files: Mapping[str, str]) -> str:
        """See ``Datasets.lay_out``."""
        self.fuse.burn()
        version = self.datasets.lay_out(model, files)
        self.fuse.burn()
        return version

    def path(self, md5: str) -> Path:
        """See ``Datasets.path``."""
        return self.datasets.path(md5)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(0, 12)), max_size=8))
def test_repeating_until_it_succeeds_is_doing_it_once(
    story: list[tuple[int, int | None]],
) -> None:
    """Batches in any order, repeated, killed anywhere: each is there once, in order of arrival."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        world = Fused(DvcDatasets(root / "home", str(root / "remote")))
        arrived: list[str] = []
        for batch, moment in story:
            world.fuse = Fuse(moment)
            done = None
            while done is None:
                done = _attempt(world, root, batch)
            assert done.new <= (done.batch.batch_id not in arrived)
            if done.batch.batch_id not in arrived:
                arrived.append(done.batch.batch_id)
        newest = world.find(DatasetVersion, model="games", limit=1)
        assert [list(version.batches) for version in newest] == [arrived][: len(newest)]
        assert len(world.find(DataBatch)) == len(arrived) == len(world.ledger())
        laid_out = {path.name for path in (root / "home" / "data").glob("games/*")}
        assert laid_out == {name for version in newest for name in version.files}


def _attempt(world: Fused, root: Path, batch: int) -> Ingested | None:
    """One try; None where it was killed."""
    source = root / f"{batch}.csv"
    source.write_bytes(as_csv([(f"user {batch}", "a", float(batch))]))
    try:
        ingest = Ingest(
            model="games",
            schemas=(SCHEMA,),
            limits=Gates(),
            pseudonyms=Pseudonyms(b"a key of the tests"),
            sources=FileSources(root / "scratch"),
            datasets=world,  # type: ignore[arg-type] - both ports in one
            records=world,
            clock=ManualClock(),
            actor="control",
            scratch=root / "scratch",
        )
        return ingest(str(source), batch_id=f"batch-{batch}")
    except Killed:
        return None
