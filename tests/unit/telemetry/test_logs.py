"""One event is one line, whatever users send; logs never go to standard output."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from flyball.telemetry import logs


@pytest.fixture
def stream() -> Iterator[StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield StringIO()
    root.handlers[:] = before
    root.setLevel(level)
    logging.getLogger("flyball").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def test_a_line_has_time_level_event_and_values(stream):
    logs.configure(stream=stream)
    structlog.get_logger("flyball.test").info("a version is ready", version="1.0.0", took_s=1.5)
    time, rest = stream.getvalue().split(" ", 1)
    assert time.endswith("Z")
    assert rest == "info    a version is ready version=1.0.0 took_s=1.5\n"


@pytest.mark.parametrize("evil", ["a\nb", "a\r\nERROR faked", "\x1b[31mred", "a\u2028b", 'q" x=1'])
def test_what_users_send_stays_on_its_line(stream, evil):
    logs.configure(stream=stream)
    structlog.get_logger("flyball.test").info("asked", title=evil)
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert text.rstrip("\n").isprintable()
    assert text.count('="') == 0 or text.endswith('"\n')


def test_json_is_one_object_a_line(stream):
    logs.configure(json=True, stream=stream)
    structlog.get_logger("flyball.test").warning("asked", title="a\nb")
    document = json.loads(stream.getvalue())
    assert len(stream.getvalue().splitlines()) == 1
    assert (document["event"], document["level"], document["title"]) == ("asked", "warning", "a\nb")


@pytest.mark.parametrize("as_json", [False, True])
def test_an_exception_is_one_line_with_its_traceback(stream, as_json):
    logs.configure(json=as_json, stream=stream)
    try:
        raise ValueError("bad\nvalue")
    except ValueError:
        structlog.get_logger("flyball.test").exception("an unexpected error")
    (line,) = stream.getvalue().splitlines()
    assert "Traceback" in line
    assert "ValueError" in line


def test_lines_of_libraries_look_the_same(stream):
    logs.configure(stream=stream)
    logging.getLogger("some.library").warning("it said %s", "this\nthat")
    assert "warning it said this\\nthat" in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_what_is_below_the_level_is_left_out(stream):
    logs.configure(level="warning", stream=stream)
    structlog.get_logger("flyball.test").info("small talk")
    logging.getLogger("some.library").info("small talk")
    logging.getLogger("flyball.test").warning("a version cannot be loaded")
    (line,) = stream.getvalue().splitlines()
    assert "a version cannot be loaded" in line
