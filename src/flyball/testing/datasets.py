"""The published contract of the port ``Datasets``: inherit it, give a ``datasets`` fixture."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flyball.errors import ArtifactCorrupt, FlyballError, NotFound
from flyball.ports import Datasets, Transferred

NOBODY = "0" * 32
"""The hash of no file."""


def a_file(folder: Path, text: str) -> Path:
    """A file with this content, under a name of its own."""
    path = folder / f"content-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    path.write_text(text, encoding="utf-8")
    return path


def soon() -> datetime:
    """Later than anything that was kept so far."""
    return datetime.now(UTC) + timedelta(minutes=1)


class DatasetsContract:
    """What every store of dataset versions promises."""

    def test_gives_back_the_bytes(self, datasets: Datasets, tmp_path: Path) -> None:
        """By their DVC hash, which is the MD5 of the file."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        assert md5 == hashlib.md5(b"one").hexdigest()  # noqa: S324
        assert datasets.path(md5).read_text() == "one"

    def test_keeps_a_copy(self, datasets: Datasets, tmp_path: Path) -> None:
        """What becomes of the file that was given does not matter."""
        content = a_file(tmp_path, "one")
        md5 = datasets.keep(content)
        content.write_text("two")
        assert datasets.path(md5).read_text() == "one"

    def test_stores_the_same_bytes_once(self, datasets: Datasets, tmp_path: Path) -> None:
        """So a repeated step does no harm."""
        content = a_file(tmp_path, "one")
        md5 = datasets.keep(content)
        before = {oid: stored.size for oid, stored in datasets.stored().items()}
        assert datasets.keep(content) == md5
        assert {oid: stored.size for oid, stored in datasets.stored().items()} == before

    def test_files_are_read_only(self, datasets: Datasets, tmp_path: Path) -> None:
        """No file of a dataset carries a permission to write."""
        path = datasets.path(datasets.keep(a_file(tmp_path, "one")))
        assert not path.stat().st_mode & 0o222

    @pytest.mark.parametrize("unknown", [NOBODY, "no hash", "../../x", ""])
    def test_says_when_there_is_no_such_file(self, datasets: Datasets, unknown: str) -> None:
        """Also for text that is no hash, which never becomes a path."""
        with pytest.raises(NotFound):
            datasets.path(unknown)

    def test_a_version_lists_its_files(self, datasets: Datasets, tmp_path: Path) -> None:
        """By name, with their hashes, also when it is no longer the one laid out."""
        one, two = (datasets.keep(a_file(tmp_path, text)) for text in ("one", "two"))
        first = datasets.lay_out("games", {"0001-b": one})
        second = datasets.lay_out("games", {"0001-b": one, "0002-a": two})
        assert datasets.listing(first) == {"0001-b": one}
        assert datasets.listing(second) == {"0001-b": one, "0002-a": two}

    def test_the_version_depends_on_names_and_bytes(
        self, datasets: Datasets, tmp_path: Path
    ) -> None:
        """Either one changed is another version; the same again is the same one."""
        hashes = [datasets.keep(a_file(tmp_path, text)) for text in ("one", "two")]
        layouts = [{name: md5} for name in ("0001-a", "0001-b") for md5 in hashes]
        versions = [datasets.lay_out("games", files) for files in layouts]
        assert len(set(versions)) == 4
        assert [datasets.lay_out("games", files) for files in layouts] == versions

    def test_the_order_of_files_does_not_matter(self, datasets: Datasets, tmp_path: Path) -> None:
        """A version is a set of named files."""
        one, two = (datasets.keep(a_file(tmp_path, text)) for text in ("one", "two"))
        version = datasets.lay_out("games", {"a": one, "b": two})
        assert datasets.lay_out("games", {"b": two, "a": one}) == version

    def test_models_do_not_mix(self, datasets: Datasets, tmp_path: Path) -> None:
        """Each model has its own dataset; equal content is an equal version."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        games = datasets.lay_out("games", {"0001-a": md5})
        assert datasets.lay_out("income", {"0001-a": md5}) == games

    @pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
    def test_refuses_names_that_are_no_file(
        self, datasets: Datasets, tmp_path: Path, name: str
    ) -> None:
        """A name is one file in the dataset's own folder."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        with pytest.raises(FlyballError):
            datasets.lay_out("games", {name: md5})

    def test_lays_out_only_what_was_kept(self, datasets: Datasets, tmp_path: Path) -> None:
        """A version never names a file that is not there."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        before = set(datasets.stored())
        with pytest.raises(NotFound, match=NOBODY):
            datasets.lay_out("games", {"a": md5, "b": NOBODY})
        assert set(datasets.stored()) == before

    def test_says_when_a_version_is_not_here(self, datasets: Datasets) -> None:
        """With how to get it."""
        with pytest.raises(NotFound, match="pull"):
            datasets.listing(NOBODY)


class RemoteContract:
    """What every remote of such a store promises."""

    def test_brings_back_what_was_pushed(self, datasets: Datasets, tmp_path: Path) -> None:
        """A lost cache is filled again, by the version alone."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        listing = datasets.lay_out("games", {"a": md5}) + ".dir"
        datasets.push([listing, md5])
        for oid in (md5, listing):
            datasets.path(oid).unlink()
        assert datasets.pull([listing, md5]).objects == 2
        assert datasets.path(md5).read_text() == "one"
        assert datasets.listing(listing.removesuffix(".dir")) == {"a": md5}

    def test_copies_only_what_is_missing(self, datasets: Datasets, tmp_path: Path) -> None:
        """The second time nothing goes over the network."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        datasets.push([md5])
        assert datasets.push([md5]) == Transferred(objects=0, size=0)
        assert datasets.pull([md5]) == Transferred(objects=0, size=0)
        path = datasets.path(md5)
        path.unlink()
        assert datasets.pull([md5, md5]) == Transferred(objects=1, size=3)
        assert not path.stat().st_mode & 0o222

    def test_pull_heals_a_damaged_file(self, datasets: Datasets, tmp_path: Path) -> None:
        """It is not enough that a file of that name is there."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        datasets.push([md5])
        path = datasets.path(md5)
        path.chmod(0o644)
        path.write_text("bad")
        assert datasets.pull([md5]).objects == 1
        assert datasets.path(md5).read_text() == "one"

    def test_says_what_is_not_there(self, datasets: Datasets) -> None:
        """Neither here to push, nor there to pull."""
        with pytest.raises(NotFound, match=NOBODY):
            datasets.push([NOBODY])
        with pytest.raises(NotFound, match=r"00/0|0{32}"):
            datasets.pull([NOBODY])

    def test_never_pushes_damaged_bytes(self, datasets: Datasets, tmp_path: Path) -> None:
        """Whoever pulls them elsewhere could not tell where they broke."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        sound = datasets.keep(a_file(tmp_path, "two"))
        datasets.push([sound])
        for oid in (md5, sound):
            path = datasets.path(oid)
            path.chmod(0o644)
            path.write_text("bad")
        try:
            datasets.push([md5, sound])  # a remote beside it heals them
        except ArtifactCorrupt:
            datasets.pull([sound])
        assert datasets.path(sound).read_text() == "two"


class CollectionContract:
    """What whoever collects garbage relies on."""

    def test_lists_what_is_stored(self, datasets: Datasets, tmp_path: Path) -> None:
        """Files and listings, with what they take and since when they are kept."""
        began = datetime.now(UTC) - timedelta(seconds=2)
        md5 = datasets.keep(a_file(tmp_path, "three"))
        version = datasets.lay_out("games", {"a": md5})
        stored = datasets.stored()
        assert set(stored) == {md5, f"{version}.dir"}
        assert stored[md5].size >= 5
        assert began <= stored[md5].kept_at <= soon()

    def test_removes_what_is_told(self, datasets: Datasets, tmp_path: Path) -> None:
        """And nothing else; what is not there is no trouble."""
        one, two = (datasets.keep(a_file(tmp_path, text)) for text in ("one", "two"))
        size = datasets.stored()[one].size
        gone = datasets.remove([one, NOBODY], kept_before=soon())
        assert gone == Transferred(objects=1, size=size)
        assert set(datasets.stored()) == {two}
        with pytest.raises(NotFound):
            datasets.path(one)

    def test_what_was_kept_since_stays(self, datasets: Datasets, tmp_path: Path) -> None:
        """Somebody is about to name it."""
        content = a_file(tmp_path, "one")
        md5 = datasets.keep(content)
        known = datasets.stored()[md5].kept_at
        assert datasets.remove([md5], kept_before=known).objects == 0
        assert datasets.path(md5).read_text() == "one"

    def test_keeping_again_counts_as_kept_now(self, datasets: Datasets, tmp_path: Path) -> None:
        """An old file that a new batch has again is not garbage."""
        content = a_file(tmp_path, "one")
        md5 = datasets.keep(content)
        first = datasets.stored()[md5].kept_at
        while datasets.stored()[md5].kept_at == first:
            datasets.keep(content)
        assert datasets.stored()[md5].kept_at > first

    def test_can_be_kept_again_after(self, datasets: Datasets, tmp_path: Path) -> None:
        """Collected is not forbidden."""
        content = a_file(tmp_path, "one")
        md5 = datasets.keep(content)
        datasets.remove([md5], kept_before=soon())
        assert datasets.keep(content) == md5
        assert datasets.path(md5).read_text() == "one"
