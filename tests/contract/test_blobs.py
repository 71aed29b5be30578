"""Every store of artifacts keeps the published contract."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from flyball.errors import ArtifactCorrupt, NotFound, StorageUnavailable
from flyball.storage.blobs import FileBlobs
from flyball.testing.blobs import BlobsContract, damage, folder


class TestFileBlobs(BlobsContract):
    """The contract, on a folder."""

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> FileBlobs:
        """Artifacts in a folder of their own."""
        return FileBlobs(tmp_path / "artifacts")


def put_in_a_child(root: Path, source: Path) -> multiprocessing.Process:
    """Another process that stores ``source``."""
    child = multiprocessing.get_context("spawn").Process(target=_put, args=(root, source))
    child.start()
    return child


def _put(root: Path, source: Path) -> None:
    FileBlobs(root).put(source)


class TestOnAFolder:
    """What files on a disk add to the contract."""

    def test_a_kill_half_way_leaves_nothing_under_a_final_name(self, tmp_path: Path) -> None:
        """Whatever is there afterwards is whole, and putting it again succeeds."""
        root, source = tmp_path / "artifacts", tmp_path / "in"
        folder(source, **{f"f{n}_bin": "x" * 500_000 for n in range(40)})
        child = put_in_a_child(root, source)
        while child.is_alive() and not list(root.glob(".arriving/*/*")):
            time.sleep(0.001)
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        blobs = FileBlobs(root)
        for found in root.glob("??/*"):
            if found.is_dir():
                blobs.get(found.name)
        assert len(list(blobs.get(blobs.put(source)).iterdir())) == 40

    def test_two_processes_may_put_the_same_at_once(self, tmp_path: Path) -> None:
        """It is there once, and sound."""
        root, source = tmp_path / "artifacts", folder(tmp_path / "in", a_txt="one", b_txt="two")
        children = [put_in_a_child(root, source) for _ in range(2)]
        for child in children:
            child.join()
        assert [child.exitcode for child in children] == [0, 0]
        (found,) = (path for path in root.glob("??/*") if path.is_dir())
        assert FileBlobs(root).get(found.name).is_dir()

    def test_leaves_no_temporary_files(self, tmp_path: Path) -> None:
        """After a put the folder for arrivals is empty."""
        root = tmp_path / "artifacts"
        FileBlobs(root).put(folder(tmp_path / "in", a_txt="one"))
        assert list((root / ".arriving").iterdir()) == []

    def test_sweeps_what_a_killed_process_left_long_ago(self, tmp_path: Path) -> None:
        """A day later, on the next put; what is recent may still be at work."""
        root = tmp_path / "artifacts"
        for name, age in (("old", 100_000.0), ("recent", 60.0)):
            left = folder(root / ".arriving" / name, a_txt="half")
            os.utime(left, (time.time() - age,) * 2)
        FileBlobs(root).put(folder(tmp_path / "in", a_txt="one"))
        assert [path.name for path in (root / ".arriving").iterdir()] == ["recent"]

    def test_a_file_in_the_way_is_said(self, tmp_path: Path) -> None:
        """With the place, and what to do."""
        (tmp_path / "artifacts").write_text("a file")
        with pytest.raises(StorageUnavailable, match=r"artifacts.*free space"):
            FileBlobs(tmp_path / "artifacts").put(folder(tmp_path / "in", a_txt="one"))

    def test_damage_is_found_without_the_listing_too(self, tmp_path: Path) -> None:
        """Then no file can be named, and the blob is still refused."""
        root = tmp_path / "artifacts"
        blobs = FileBlobs(root)
        digest = blobs.put(folder(tmp_path / "in", a_txt="one"))
        damage(blobs.get(digest), "changed")
        (root / digest[:2] / f"{digest}.json").unlink()
        with pytest.raises(ArtifactCorrupt, match="listing"):
            blobs.get(digest)

    def test_a_link_smuggled_in_is_damage(self, tmp_path: Path) -> None:
        """It is refused, wherever it points."""
        blobs = FileBlobs(tmp_path / "artifacts")
        found = blobs.get(blobs.put(folder(tmp_path / "in", a_txt="one")))
        found.chmod(0o755)
        (found / "link").symlink_to("/dev/null")
        with pytest.raises(ArtifactCorrupt, match="link"):
            blobs.get(found.name)

    def test_unverified_reading_still_needs_it_to_be_there(self, tmp_path: Path) -> None:
        """A missing blob is never an empty directory."""
        with pytest.raises(NotFound, match="train"):
            FileBlobs(tmp_path).get("ab" * 32, verify=False)
