"""A rollback by hand while nothing runs: people are told by the command itself, once."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from toy import MODEL, ToyHome, until

from chat_server import TOKEN, Chat, serving
from console_process import control
from flyball import Flyball
from flyball.configuration import load
from flyball.domain.deployment import Phase
from flyball.domain.lifecycle import State
from flyball.loop import lock
from flyball.loop.notices import Notices
from flyball.ports import Change
from flyball.testing.builders import a_deployment, an_entry


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def chat():
    chat = Chat()
    with serving(chat):
        yield chat


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home where a second version serves and the first stands by."""
    made = ToyHome(tmp_path / "home")
    for ordinal, answer in enumerate(("old", "new"), 1):
        version = made.publish(answer)
        good = replace(version, state=State.PRODUCTION)
        done = a_deployment(model=MODEL, version=version.name, ordinal=ordinal, phase=Phase.DONE)
        made.records.commit([Change(value=good, replacing=version), Change(value=done)])
        made.serve(version)
    made.platform.close()
    return made.home


def flyball(home: Path, chat: Chat) -> Flyball:
    variables = {"FLYBALL_NOTIFY__WEBHOOK": chat.url}
    return Flyball(config=load(home, environ=variables), actor="operator:ada")


def test_a_rollback_while_nothing_runs_tells_people_and_the_next_start_does_not(home, chat):
    with flyball(home, chat) as verbs:
        done = verbs.rollback(MODEL, reason="complaints")
        assert done.seconds is None, "no worker is there to confirm it"
        [told] = chat.got
        assert told["text"].startswith("toy was rolled back from 1.0.1 to 1.0.0")
        assert "complaints" in told["text"]
        assert "operator:ada" in told["text"]
        follower = Notices(verbs.platform)
        assert follower.follow() == {}
        follower.close()
        assert len(chat.got) == 1


def test_a_rollback_is_done_though_nobody_can_be_told_and_is_told_later(home, chat, caplog):
    chat.status = 500
    with flyball(home, chat) as verbs:
        assert verbs.rollback(MODEL).serving.startswith("1.0.0")
        assert "`flyball up` tells it later" in caplog.text
        assert TOKEN not in caplog.text
        chat.status = 200
        follower = Notices(verbs.platform)
        follower.follow()
        follower.close()
        assert "was rolled back" in chat.got[0]["text"]


def test_a_rollback_beside_a_control_process_leaves_telling_to_it(home, chat):
    with flyball(home, chat) as verbs:
        with lock.control_lock(home, lock.CONTROL, now=verbs.platform.clock.now()):
            verbs.rollback(MODEL)
        assert chat.got == []


@pytest.mark.slow
def test_the_real_control_process_tells_of_a_rollback_once(home, chat, monkeypatch):
    monkeypatch.setenv("FLYBALL_NOTIFY__WEBHOOK", chat.url)
    with control(home), flyball(home, chat) as verbs:
        verbs.rollback(MODEL, reason="complaints")
        until(lambda: chat.got, 60)
        verbs.platform.records.commit([], [an_entry(model=MODEL, action="promote")])
        until(lambda: len(chat.got) > 1, 60)
    first, second = chat.got
    assert "rolled back from 1.0.1 to 1.0.0" in first["text"]
    assert "promoted" in second["text"], "and not the rollback again"
    log = (home.parent / f"{home.name}.log").read_text()
    assert TOKEN not in log
