"""``flyball doctor`` says whether people would be told of a rollback; it tells them nothing."""

from __future__ import annotations

import socket

import pytest

from flyball.configuration import load
from flyball.doctor.finding import Level
from flyball.doctor.notices import notices
from flyball.testing.builders import an_entry
from flyball.wiring import Platform, build


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def platform(tmp_path):
    made: list[Platform] = []

    def of(**notify: str) -> Platform:
        variables = {f"FLYBALL_NOTIFY__{key.upper()}": value for key, value in notify.items()}
        made.append(build(load(tmp_path / "home", environ=variables)))
        return made[-1]

    yield of
    for one in made:
        one.close()


def found(platform: Platform, *, readable: bool = False, running: bool = True):
    return list(notices(platform, readable=readable, running=running))


def test_nobody_to_be_told_is_well_and_said(platform):
    [finding] = found(platform())
    assert (finding.level, "nobody is told" in finding.detail) == (Level.OK, True)


def test_a_wrong_setting_fails_with_its_name_and_no_secret(platform):
    [finding] = found(platform(webhook="htps://chat/s3cret"))
    assert finding.level is Level.FAIL
    assert "notify.webhook" in finding.detail
    assert "s3cret" not in finding.detail + finding.advice


def test_one_that_can_be_reached_is_named(platform, server):
    url = f"http://127.0.0.1:{server.getsockname()[1]}/s3cret"
    [finding] = found(platform(webhook=url))
    assert (finding.level, finding.name) == (Level.OK, "notices by webhook")
    assert "127.0.0.1" in finding.detail
    assert "s3cret" not in finding.detail


def test_one_that_cannot_be_reached_fails_and_the_other_is_examined_too(platform, server):
    port = server.getsockname()[1]
    server.close()
    mails = {"smtp": f"smtp://127.0.0.1:{port}", "mail_from": "a@b.org", "mail_to": '["c@d.org"]'}
    found_ = found(platform(webhook=f"http://127.0.0.1:{port}/s3cret", **mails))
    assert [finding.level for finding in found_] == [Level.FAIL, Level.FAIL]
    assert [finding.name for finding in found_] == ["notices by webhook", "notices by mail"]
    assert "s3cret" not in str(found_)


@pytest.mark.parametrize(("running", "level"), [(True, Level.OK), (False, Level.WARN)])
def test_what_waits_is_told_where_nobody_is_there_to_deliver_it(platform, server, running, level):
    here = platform(webhook=f"http://127.0.0.1:{server.getsockname()[1]}/x")
    here.records.commit([], [an_entry(), an_entry()])
    with here.notice_marks.turn("webhook") as turn:
        turn.move(1)
    [finding] = found(here, readable=True, running=running)
    assert finding.level is level
    if not running:
        assert "1 row of the ledger" in finding.detail
