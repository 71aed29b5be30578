"""The published contract of the port ``Datasets``: inherit it, give a ``datasets`` fixture."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from flyball.errors import BatchConflict, FlyballError, NotFound
from flyball.ports import Datasets


def a_file(folder: Path, text: str) -> Path:
    """A file with this content, under a name of its own."""
    path = folder / f"content-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    path.write_text(text, encoding="utf-8")
    return path


class DatasetsContract:
    """What every store of dataset versions promises."""

    def test_gives_back_the_bytes(self, datasets: Datasets, tmp_path: Path) -> None:
        """By the hash that the dataset names the file with."""
        added = datasets.add("games", {}, "0001-a.parquet", a_file(tmp_path, "one"))
        found = datasets.path(added.files["0001-a.parquet"])
        assert found.read_text() == "one"
        assert added.files == {"0001-a.parquet": hashlib.md5(b"one").hexdigest()}  # noqa: S324

    def test_grows_by_one_file_a_version(self, datasets: Datasets, tmp_path: Path) -> None:
        """The new version has the old files and the new one, in order of arrival."""
        first = datasets.add("games", {}, "0001-b.parquet", a_file(tmp_path, "one"))
        second = datasets.add("games", first.files, "0002-a.parquet", a_file(tmp_path, "two"))
        assert list(second.files) == ["0001-b.parquet", "0002-a.parquet"]
        assert second.version != first.version
        assert datasets.path(first.files["0001-b.parquet"]).read_text() == "one"

    def test_adding_the_same_again_changes_nothing(
        self, datasets: Datasets, tmp_path: Path
    ) -> None:
        """The same files have the same version, so a repeated step does no harm."""
        content = a_file(tmp_path, "one")
        first = datasets.add("games", {}, "0001-a.parquet", content)
        assert datasets.add("games", {}, "0001-a.parquet", content) == first
        assert datasets.add("games", first.files, "0001-a.parquet", content) == first

    def test_the_version_depends_on_names_and_bytes(
        self, datasets: Datasets, tmp_path: Path
    ) -> None:
        """Either one changed is another version."""
        one, two = a_file(tmp_path, "one"), a_file(tmp_path, "two")
        versions = {
            datasets.add("games", {}, name, content).version
            for name in ("0001-a.parquet", "0001-b.parquet")
            for content in (one, two)
        }
        assert len(versions) == 4

    def test_a_name_never_gets_other_bytes(self, datasets: Datasets, tmp_path: Path) -> None:
        """The first bytes stay; the caller is told to use another name."""
        first = datasets.add("games", {}, "0001-a.parquet", a_file(tmp_path, "one"))
        with pytest.raises(BatchConflict, match="0001-a"):
            datasets.add("games", first.files, "0001-a.parquet", a_file(tmp_path, "two"))
        assert datasets.path(first.files["0001-a.parquet"]).read_text() == "one"

    def test_models_do_not_mix(self, datasets: Datasets, tmp_path: Path) -> None:
        """Each model has its own dataset; equal content is an equal version."""
        content = a_file(tmp_path, "one")
        games = datasets.add("games", {}, "0001-a.parquet", content)
        other = datasets.add("income", {}, "0001-a.parquet", content)
        assert games == other

    def test_files_are_read_only(self, datasets: Datasets, tmp_path: Path) -> None:
        """No file of a dataset carries a permission to write."""
        added = datasets.add("games", {}, "0001-a.parquet", a_file(tmp_path, "one"))
        path = datasets.path(added.files["0001-a.parquet"])
        assert not path.stat().st_mode & 0o222

    @pytest.mark.parametrize("unknown", ["0" * 32, "no hash", "../../x"])
    def test_says_when_there_is_no_such_file(self, datasets: Datasets, unknown: str) -> None:
        """Also for text that is no hash, which never becomes a path."""
        with pytest.raises(NotFound):
            datasets.path(unknown)

    @pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
    def test_refuses_names_that_are_no_file(
        self, datasets: Datasets, tmp_path: Path, name: str
    ) -> None:
        """A name is one file in the dataset's own folder."""
        with pytest.raises(FlyballError):
            datasets.add("games", {}, name, a_file(tmp_path, "one"))
