"""The privacy key: made once, kept to its owner, and never silently replaced."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from flyball.errors import ConfigurationError, StorageUnavailable
from flyball.storage.secrets import CHECK_FILE, KEY_FILE, pseudonyms

RACER = """
import sys
from pathlib import Path
from flyball.storage.secrets import pseudonyms
sys.stdin.read()
print(pseudonyms(Path(sys.argv[1]), "").of("player-1"))
"""


def test_a_key_is_made_on_first_use_for_its_owner_only(tmp_path):
    made = pseudonyms(tmp_path / "home", "")
    path = tmp_path / "home" / KEY_FILE
    assert len(path.read_text().strip()) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.key == path.read_text().strip().encode()


def test_the_same_key_is_used_ever_after(tmp_path):
    assert pseudonyms(tmp_path, "") == pseudonyms(tmp_path, "")


def test_two_homes_have_different_keys(tmp_path):
    first, other = pseudonyms(tmp_path / "a", ""), pseudonyms(tmp_path / "b", "")
    assert first.of("player-1") != other.of("player-1")


def test_the_file_s_content_may_be_given_as_the_setting(tmp_path):
    """So that another machine, or a vault, gives the same people the same pseudonyms."""
    of_file = pseudonyms(tmp_path, "")
    key = (tmp_path / KEY_FILE).read_text().strip()
    (tmp_path / KEY_FILE).unlink()
    assert pseudonyms(tmp_path, key).of("player-1") == of_file.of("player-1")


def test_a_key_in_the_settings_leaves_no_key_on_disk(tmp_path):
    key = "correct horse battery staple"
    pseudonyms(tmp_path, key)
    assert {path.name for path in tmp_path.iterdir()} == {CHECK_FILE}
    assert key not in (tmp_path / CHECK_FILE).read_text()


def test_a_lost_key_is_not_replaced_and_says_what_to_do(tmp_path):
    pseudonyms(tmp_path, "")
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(ConfigurationError, match=r"is gone.*Restore it from a backup"):
        pseudonyms(tmp_path, "")
    assert not (tmp_path / KEY_FILE).exists()


def test_another_key_than_the_first_is_refused(tmp_path):
    pseudonyms(tmp_path, "")
    with pytest.raises(ConfigurationError, match="not the one that this home's pseudonyms"):
        pseudonyms(tmp_path, "another key of some length")


def test_a_short_key_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ConfigurationError, match="has 5 bytes"):
        pseudonyms(tmp_path, "short")
    assert list(tmp_path.iterdir()) == []


def test_who_chose_to_go_on_without_the_lost_key_gets_a_new_one(tmp_path):
    first = pseudonyms(tmp_path, "")
    (tmp_path / KEY_FILE).unlink()
    (tmp_path / CHECK_FILE).unlink()
    assert pseudonyms(tmp_path, "").of("player-1") != first.of("player-1")


def test_processes_that_begin_at_once_end_with_one_key(tmp_path):
    command = [sys.executable, "-c", RACER, str(tmp_path)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for racer in racers:  # all are waiting for the end of their standard input
        assert racer.stdin is not None
        racer.stdin.close()
        racer.stdin = None
    answers = {racer.communicate(timeout=60)[0].strip() for racer in racers}
    assert answers == {pseudonyms(tmp_path, "").of("player-1")}
    assert {path.name for path in tmp_path.iterdir()} == {KEY_FILE, CHECK_FILE}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_is_said_so(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageUnavailable, match="privacy key"):
        pseudonyms(tmp_path, "")


def test_a_home_that_is_a_file_is_said_so(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(StorageUnavailable, match="privacy key"):
        pseudonyms(tmp_path / "home", "")
