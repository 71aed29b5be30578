"""The templates: everything that is put in is escaped, and nothing points elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from flyball.console.rendering import Pages, stylesheet
from flyball.console.rows import LedgerLine
from flyball.console.views import PageView
from flyball.console.wording import When

HOSTILE = "<script>alert(1)</script>\" onload='x'"


class Shown:
    """A model of which only the ledger is asked."""

    def __init__(self, reason: str) -> None:
        moment = When(ago="just now", exact="2026-03-01", iso="2026-03-01")
        line = LedgerLine(seq=1, at=moment, actor=reason, what=reason, reason=reason, full=reason)
        self.ledger = (line,)


def test_what_others_wrote_is_text_and_never_markup() -> None:
    html = Pages().html("ledger", model=Shown(HOSTILE))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 4
    assert "' onload" not in html
    assert '" onload' not in html


def test_a_problem_is_told_to_screen_readers_too() -> None:
    page = PageView(home="/h", control=None, models=(), workers=(), problem=HOSTILE)
    html = Pages().html("header", page=page)
    assert 'role="alert"' in html
    assert "Nobody runs the loop" in html
    assert "<script" not in html


def test_the_style_loads_nothing() -> None:
    assert not re.search(r"url\(|@import", stylesheet())


@pytest.mark.parametrize("module", ["flyball.console.process", "flyball.console.page"])
def test_the_process_starts_without_what_only_training_needs(module: str) -> None:
    heavy = ("torch", "mlflow", "optuna", "sklearn", "scipy", "ray", "dvc_data", "pandas")
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
