"""The published contract of the port ``Blobs``: inherit it and give it a ``blobs`` fixture."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flyball.errors import ArtifactCorrupt, FlyballError, InvalidRequest, NotFound
from flyball.ports import Blobs


def folder(root: Path, **files: str) -> Path:
    """A directory with these files; ``__`` in a name is a folder, ``_`` before the suffix a dot."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


class BlobsContract:
    """What every store of artifacts promises."""

    def test_gives_back_what_was_put(self, blobs: Blobs, tmp_path: Path) -> None:
        """Every file, in its folder, byte for byte."""
        digest = blobs.put(folder(tmp_path / "in", a_txt="one", deep__b_txt="two"))
        found = blobs.get(digest)
        assert (found / "a.txt").read_text() == "one"
        assert (found / "deep" / "b.txt").read_text() == "two"
        assert len(digest) == 64

    def test_the_same_content_has_the_same_digest(self, blobs: Blobs, tmp_path: Path) -> None:
        """Wherever it came from, and however often."""
        first = blobs.put(folder(tmp_path / "x", a_txt="one", b_txt="two"))
        second = blobs.put(folder(tmp_path / "y", b_txt="two", a_txt="one"))
        assert first == second
        assert blobs.get(first) == blobs.get(second)

    @pytest.mark.parametrize(
        "other", [{"a_txt": "ONE"}, {"b_txt": "one"}, {"a_txt": "one", "b_txt": ""}]
    )
    def test_other_content_has_another_digest(
        self, blobs: Blobs, tmp_path: Path, other: dict[str, str]
    ) -> None:
        """Bytes, names and number of files all count."""
        first = blobs.put(folder(tmp_path / "x", a_txt="one"))
        assert blobs.put(folder(tmp_path / "y", **other)) != first

    def test_keeps_its_copy_when_the_original_changes(self, blobs: Blobs, tmp_path: Path) -> None:
        """What is stored does not follow the directory it came from."""
        source = folder(tmp_path / "in", a_txt="one")
        digest = blobs.put(source)
        (source / "a.txt").write_text("changed")
        assert (blobs.get(digest) / "a.txt").read_text() == "one"

    def test_is_read_only(self, blobs: Blobs, tmp_path: Path) -> None:
        """No file of an artifact carries a permission to write."""
        found = blobs.get(blobs.put(folder(tmp_path / "in", a_txt="one")))
        assert not (found / "a.txt").stat().st_mode & 0o222

    @pytest.mark.parametrize("unknown", ["0" * 64, "no digest", "../../etc"])
    def test_says_when_there_is_no_such_content(self, blobs: Blobs, unknown: str) -> None:
        """Also for text that is no digest, which never becomes a path."""
        with pytest.raises(NotFound):
            blobs.get(unknown)

    @pytest.mark.parametrize("how", ["changed", "missing", "added"])
    def test_names_the_file_that_is_damaged(self, blobs: Blobs, tmp_path: Path, how: str) -> None:
        """A flipped, removed or added file is found on a verified get, and named."""
        digest = blobs.put(folder(tmp_path / "in", a_txt="one", b_txt="two"))
        damage(blobs.get(digest), how)
        with pytest.raises(ArtifactCorrupt, match=f"a.txt (is|was) {how}"):
            blobs.get(digest)

    def test_putting_it_again_heals_a_damaged_blob(self, blobs: Blobs, tmp_path: Path) -> None:
        """The sound copy takes the place of the damaged one."""
        source = folder(tmp_path / "in", a_txt="one", b_txt="two")
        digest = blobs.put(source)
        damage(blobs.get(digest), "changed")
        assert blobs.put(source) == digest
        assert (blobs.get(digest) / "a.txt").read_text() == "one"

    def test_accepts_no_links(self, blobs: Blobs, tmp_path: Path) -> None:
        """A link could point anywhere, now or later."""
        source = folder(tmp_path / "in", a_txt="one")
        (source / "link").symlink_to("a.txt")
        with pytest.raises(InvalidRequest, match="link"):
            blobs.put(source)

    def test_accepts_no_empty_directory(self, blobs: Blobs, tmp_path: Path) -> None:
        """Nothing is not an artifact."""
        (tmp_path / "in").mkdir()
        with pytest.raises(FlyballError, match="no file"):
            blobs.put(tmp_path / "in")


def damage(directory: Path, how: str) -> None:
    """Change, remove or add ``a.txt`` (or ``aa.txt``) in a stored, read-only directory."""
    os.chmod(directory, 0o755)  # noqa: S103 - a test's own directory
    path = directory / ("aa.txt" if how == "added" else "a.txt")
    if how != "added":
        path.chmod(0o644)
        path.unlink()
    if how != "missing":
        path.write_text("ONE")
