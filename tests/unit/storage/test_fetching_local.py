"""What a user means by a path: a file, a pattern, a directory; and standard input."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest

from flyball.errors import (
    ConfigurationError,
    DataQualityError,
    EnvironmentFailed,
    InvalidRequest,
    NotFound,
)
from flyball.storage.fetching import Fetcher, shown, spool

CONTENT = b"user,title\n1,Portal\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two CSV files, one deeper, and what is no data."""
    folder = tmp_path / "data"
    for name in ("b.csv", "a.csv", "deep/c.csv", "_SUCCESS", ".hidden.csv", ".git/d.csv"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
    return folder


def names(location: str, folder: Path) -> list[str]:
    into = folder.parent / "into"
    into.mkdir(exist_ok=True)
    found = Fetcher().fetch(location, into)
    assert not list(into.iterdir())  # local files are read where they are
    return [file.path.relative_to(folder).as_posix() for file in found]


class TestALocalSource:
    def test_is_a_file(self, folder: Path) -> None:
        assert names(f"{folder}/a.csv", folder) == ["a.csv"]

    def test_is_a_directory_without_hidden_files_and_markers(self, folder: Path) -> None:
        assert names(str(folder), folder) == ["a.csv", "b.csv", "deep/c.csv"]
        assert names(f"{folder}/", folder) == ["a.csv", "b.csv", "deep/c.csv"]

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("*.csv", ["a.csv", "b.csv"]),
            ("**/*.csv", ["a.csv", "b.csv", "deep/c.csv"]),
            ("[!a].csv", ["b.csv"]),
            ("*", ["a.csv", "b.csv"]),
            (".hid*", [".hidden.csv"]),
        ],
    )
    def test_is_a_pattern(self, folder: Path, pattern: str, expected: list[str]) -> None:
        assert names(f"{folder}/{pattern}", folder) == expected

    def test_with_wildcards_in_its_very_name_is_that_file(self, folder: Path) -> None:
        (folder / "a[1].csv").write_bytes(CONTENT)
        (folder / "a1.csv").write_bytes(CONTENT)
        assert names(f"{folder}/a[1].csv", folder) == ["a[1].csv"]

    def test_that_is_not_there_names_the_nearest(self, folder: Path) -> None:
        with pytest.raises(NotFound, match=r"did you mean 'a\.csv'"):
            names(f"{folder}/aa.csv", folder)
        with pytest.raises(NotFound, match=r"nothing matches .*\*\.cvs"):
            names(f"{folder}/*.cvs", folder)
        with pytest.raises(NotFound, match="there is no directory"):
            names(f"{folder}/nowhere/a.csv", folder)

    def test_that_is_an_empty_directory_is_refused(self, folder: Path) -> None:
        (folder / "empty" / ".only-hidden").mkdir(parents=True)
        with pytest.raises(DataQualityError, match="has no file to read"):
            names(f"{folder}/empty", folder)

    def test_never_leaves_the_directory_by_a_link(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "secret.csv").write_bytes(b"secret")
        (tmp_path / "vault").mkdir()
        (tmp_path / "vault" / "more.csv").write_bytes(b"secret")
        (folder / "z.csv").symlink_to(tmp_path / "secret.csv")
        (folder / "y").symlink_to(tmp_path / "vault")
        (folder / "x.csv").symlink_to(folder / "a.csv")
        (folder / "w.csv").symlink_to(tmp_path / "nowhere")
        assert names(str(folder), folder) == ["a.csv", "b.csv", "deep/c.csv", "x.csv"]

    def test_that_leads_nowhere_says_so(self, folder: Path, tmp_path: Path) -> None:
        (folder / "w.csv").symlink_to(tmp_path / "nowhere")
        with pytest.raises(NotFound, match="link to a file that is not there"):
            names(f"{folder}/w.csv", folder)

    def test_that_is_a_pipe_is_told_to_come_as_standard_input(self, folder: Path) -> None:
        """It could be read only once, and not by another process."""
        os.mkfifo(folder / "pipe")
        with pytest.raises(EnvironmentFailed, match="give its content as standard input"):
            names(f"{folder}/pipe", folder)

    @pytest.mark.parametrize("name", ["nul\x00.csv", "x" * 300])
    def test_with_an_impossible_name_is_refused(self, folder: Path, name: str) -> None:
        with pytest.raises((EnvironmentFailed, NotFound)):
            names(f"{folder}/{name}", folder)

    def test_is_held_against_the_digest_in_its_location(self, folder: Path) -> None:
        sha256 = hashlib.sha256(CONTENT).hexdigest()
        assert names(f"{folder}/a.csv#sha256={sha256.upper()}", folder) == ["a.csv"]
        with pytest.raises(DataQualityError, match=f"has the SHA-256 {sha256}"):
            names(f"{folder}/a.csv#sha256={'0' * 64}", folder)
        with pytest.raises(InvalidRequest, match="64 hex digits"):
            names(f"{folder}/a.csv#sha256=abc", folder)
        with pytest.raises(InvalidRequest, match="means 3 files"):
            names(f"{folder}#sha256={sha256}", folder)


@pytest.mark.parametrize(
    "location", ["ftp://h/a.csv", "file:///a.csv", "gs://b/a#SELECT 1", "x://"]
)
def test_an_unknown_kind_of_address_lists_the_known(location: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"cannot be read; give a file, http"):
        Fetcher().fetch(location, tmp_path)


@pytest.mark.parametrize("location", ["events:games", "events:games:1:x", "events::1:2"])
def test_stored_events_need_a_model_and_two_cursors(location: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        Fetcher().fetch(location, tmp_path)


class TestStandardInput:
    def test_becomes_a_file_named_by_its_content(self, tmp_path: Path) -> None:
        path = spool(io.BytesIO(CONTENT), tmp_path / "new" / "spool")
        assert path.name == f"stdin-{hashlib.sha256(CONTENT).hexdigest()}"
        assert path.read_bytes() == CONTENT
        assert spool(io.BytesIO(CONTENT), path.parent) == path
        assert list(path.parent.iterdir()) == [path]
        assert shown(str(path)) == "standard input"
        (file,) = Fetcher().fetch(str(path), tmp_path)
        assert (file.path, file.name) == (path, "standard input")

    def test_that_is_empty_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataQualityError, match="standard input is empty"):
            spool(io.BytesIO(), tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_that_breaks_off_leaves_nothing(self, tmp_path: Path) -> None:
        class Broken(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell():
                    raise OSError(5, "Input/output error")
                return super().read(3)

        with pytest.raises(EnvironmentFailed, match="standard input"):
            spool(Broken(CONTENT), tmp_path)
        assert list(tmp_path.iterdir()) == []


class TestShown:
    @pytest.mark.parametrize(
        ("location", "safe"),
        [
            ("data/a.csv", "data/a.csv"),
            ("https://h:8443/a.csv?page=2", "https://h:8443/a.csv?page=2"),
            ("https://me:pw@h/a.csv", "https://***@h/a.csv"),
            ("https://ghp_token@h/a.csv", "https://***@h/a.csv"),
            ("https://h/a?page=2&token=t#sha256=ab", "https://h/a?page=2&token=***#sha256=ab"),
            (
                "https://b.s3.amazonaws.com/a?X-Amz-Credential=AK&X-Amz-Date=1&X-Amz-Signature=ff",
                "https://b.s3.amazonaws.com/a?X-Amz-Credential=***&X-Amz-Date=1&X-Amz-Signature=***",
            ),
            ("https://h/a#access_token=t", "https://h/a"),
            ("https://me:p@ss@h/a", "https://***@h/a"),
            ("http://[broken/a?token=t", "http://[broken/a"),
            ("s3://bucket/in/*.csv", "s3://bucket/in/*.csv"),
            ("s3://bucket/what?.csv", "s3://bucket/what?.csv"),
            ("s3://id:secret@bucket/a", "s3://***@bucket/a"),
            ("sqlite:///shop.sqlite#SELECT 1", "sqlite:///shop.sqlite#SELECT 1"),
            (
                "postgresql+psycopg://me:pw@h/d?sslpassword=x&a=b#SELECT '#'",
                "postgresql+psycopg://me:***@h/d?sslpassword=***&a=b#SELECT '#'",
            ),
            (
                "postgresql://h/d?user=me&password=pw#SELECT 1",
                "postgresql://h/d?user=me&password=***#SELECT 1",
            ),
            ("events:games:0:7", "events:games:0:7"),
        ],
    )  # fmt: skip
    def test_says_where_without_what_opens_it(self, location: str, safe: str) -> None:
        assert shown(location) == safe
