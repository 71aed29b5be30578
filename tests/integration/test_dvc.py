"""What Flyball writes, the real ``dvc`` command reads."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flyball.storage.datasets import DvcDatasets

pytest.importorskip("dvc", reason="the dvc command is not installed (pip install dvc)")


def dvc(home: Path, *arguments: str) -> str:
    """Run ``dvc`` in a home; returns what it prints. Its own state stays in the home."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "DVC_SITE_CACHE_DIR": str(home / "site-cache"),
        "DVC_GLOBAL_CONFIG_DIR": str(home / "global-config"),
        "DVC_SYSTEM_CONFIG_DIR": str(home / "system-config"),
        "DVC_NO_ANALYTICS": "true",
    }
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with two models and three batches."""
    home = tmp_path / "home"
    datasets = DvcDatasets(home, home / "remote")
    fill(datasets, tmp_path)
    return home


def fill(datasets: DvcDatasets, folder: Path) -> dict[str, str]:
    """Two models and three batches; returns the versions."""
    files: dict[str, str] = {}
    versions: dict[str, str] = {}
    for number, text in enumerate(("one", "two"), 1):
        content = folder / f"{number}.parquet"
        content.write_text(text)
        files[f"000{number}-x.parquet"] = datasets.keep(content)
        versions["games"] = datasets.lay_out("games", files)
        versions["income"] = datasets.lay_out("income", {"0001-x.parquet": datasets.keep(content)})
    return versions


def workspace(home: Path) -> dict[str, str]:
    """The data files, by path."""
    data = home / "data"
    return {str(p.relative_to(data)): p.read_text() for p in sorted(data.rglob("*.parquet"))}


LAID_OUT = {
    "games/0001-x.parquet": "one",
    "games/0002-x.parquet": "two",
    "income/0001-x.parquet": "two",
}


def test_status_finds_nothing_to_do(home: Path) -> None:
    """Workspace, cache and remote agree with the ``.dvc`` files."""
    assert workspace(home) == LAID_OUT
    assert "up to date" in dvc(home, "status")
    assert "in sync" in dvc(home, "status", "--cloud")


def test_status_notices_a_changed_file(home: Path) -> None:
    """So the agreement above is no accident."""
    (home / "data" / "games" / "0001-x.parquet").write_text("changed")
    assert "modified" in dvc(home, "status")


def test_checkout_brings_a_lost_workspace_back(home: Path) -> None:
    """From the cache."""
    shutil.rmtree(home / "data" / "games")
    shutil.rmtree(home / "data" / "income")
    dvc(home, "checkout")
    assert workspace(home) == LAID_OUT


def test_pull_brings_workspace_and_cache_back(home: Path) -> None:
    """From the remote, byte for byte; and Flyball goes on from there."""
    shutil.rmtree(home / "data" / "games")
    shutil.rmtree(home / "data" / "income")
    shutil.rmtree(home / ".dvc" / "cache")
    dvc(home, "pull")
    assert workspace(home) == LAID_OUT
    datasets = DvcDatasets(home, home / "remote")
    third = home.parent / "3.parquet"
    third.write_text("three")
    datasets.lay_out("income", {"0001-x.parquet": datasets.keep(third)})
    assert "up to date" in dvc(home, "status")
    assert workspace(home)["income/0001-x.parquet"] == "three"


def test_a_moved_home_still_pulls(home: Path) -> None:
    """The remote in it is named relative to it."""
    moved = home.rename(home.with_name("moved"))
    shutil.rmtree(moved / "data" / "games")
    shutil.rmtree(moved / ".dvc" / "cache")
    dvc(moved, "pull")
    assert workspace(moved) == LAID_OUT


def test_other_files_of_the_home_are_not_dvcs(home: Path) -> None:
    """Not even when they look like its own."""
    (home / "artifacts").mkdir()
    (home / "artifacts" / "odd.dvc").write_text("not: [yaml")
    assert "up to date" in dvc(home, "status")


def test_a_home_with_a_remote_in_s3_is_a_dvc_project(tmp_path: Path) -> None:
    """Its state can be told without the network; ``dvc checkout`` needs the package dvc-s3."""
    home = tmp_path / "home"
    fill(DvcDatasets(home, "s3://bucket/prefix"), tmp_path)
    assert "up to date" in dvc(home, "status")
    assert "s3://bucket/prefix" in dvc(home, "remote", "list")
    (home / "data" / "games" / "0001-x.parquet").write_text("changed")
    assert "modified" in dvc(home, "status")
