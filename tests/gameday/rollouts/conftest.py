"""One shop for all faults of a kind: a champion that serves, and players who never stop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rollout_open import Open, opened
from rollout_shop import HERE, plug_in


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The plug-in, for this process and those that it starts."""
    folder = plug_in(tmp_path_factory.mktemp("plugins"))
    before = sys.path[:]
    sys.path[:0] = [str(folder), str(HERE)]
    yield folder
    sys.path[:] = before


@pytest.fixture(scope="module")
def games(tmp_path_factory: pytest.TempPathFactory, plugins: Path) -> Iterator[Open]:
    """One for all tests of a module: each leaves it with a good champion."""
    with opened(tmp_path_factory.mktemp("shop"), plugins) as found:
        yield found


@pytest.fixture
def outcome(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Notes what became of a fault, for the table at the end: ``outcome(fault, ended, seen)``."""

    def note(fault: str, ended: str, seen: dict[str, Any]) -> None:
        told = ", ".join(f"{count} {name}" for name, count in seen.items())
        record_property("rollout", f"{fault}|{ended}|{told}")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of faults and outcomes."""
    passed = terminalreporter.getreports("passed")
    told = [text for report in passed for key, text in report.user_properties if key == "rollout"]
    if told:
        terminalreporter.section("faults during rollouts, and what became of them")
        for line in sorted(set(told)):
            fault, ended, seen = line.split("|")
            terminalreporter.write_line(f"{fault:<58} {ended:<34} {seen}")
