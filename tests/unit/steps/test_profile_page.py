"""The page of a profile: everything on it, nothing from elsewhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from flyball.domain.data import DataBatch, Measured, Severity
from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.domain.validation import Verdict
from flyball.stats.profile import Profile
from flyball.stats.sketches import Numbers
from flyball.stats.times import Times
from flyball.steps.profile import Profiler, correlations
from flyball.steps.profile_charts import days_chart, heat, hours_chart, number, numbers_chart
from flyball.steps.profile_page import Subject, page
from flyball.testing.builders import a_batch

EVIL = "<script>alert('x')</script> & \"Pac-Man\""
SCHEMA = Schema(
    columns=(
        Column(name="user_id", type=ColumnType.STRING, privacy=Privacy.PERSONAL),
        Column(name="title", type=ColumnType.STRING),
        Column(name="event", type=ColumnType.STRING),
        Column(name="value", type=ColumnType.NUMBER, unit="h"),
        Column(name="price", type=ColumnType.NUMBER),
        Column(name="timestamp", type=ColumnType.TIMESTAMP),
        Column(name="genres", type=ColumnType.STRINGS),
    )
)
START = datetime(2026, 3, 1, 7, tzinfo=UTC)


def profiled(size: int = 60) -> Profile:
    """A profile with a column of every kind."""
    profiler = Profiler(SCHEMA)
    profiler.add(
        pl.DataFrame(
            {
                "user_id": [f"{n % 7:024x}" for n in range(size)],
                "title": [EVIL if n % 3 else "Dota 2" for n in range(size)],
                "event": ["play" if n % 2 else "purchase" for n in range(size)],
                "value": [float(n) if n % 5 else None for n in range(size)],
                "price": [2.0 * n + 1 for n in range(size)],
                "timestamp": [START + timedelta(hours=7 * n) for n in range(size)],
                "genres": [["rpg", "indie"] for _ in range(size)],
            }
        )
    )
    return profiler.finished(read=size + 3, rejected=2, duplicates=1, unresolved={"title": 4})


def shown(batch: DataBatch, profile: Profile | None = None) -> str:
    """The page of one batch."""
    subject = Subject(title="games: interactions", subtitle="batch monday", batches=[batch])
    return page(subject, profiled() if profile is None else profile, SCHEMA)


def measured(verdict: Verdict, severity: Severity) -> Measured:
    """One measure of the column ``value``."""
    return Measured(
        measure="nulls:value", verdict=verdict, severity=severity, observed=0.2, expected=0.01,
        p_value=1e-9, false_alarm_rate=0.001, detail=f"20% are missing {EVIL}",
    )  # fmt: skip


class Outline(HTMLParser):
    """Collects elements, and whether each was closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "line") and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


class TestThePage:
    """What somebody who opens it sees."""

    def test_stands_alone_and_runs_nothing(self) -> None:
        """No script, no link to elsewhere, though a title tries."""
        html = shown(a_batch(measured=(measured(Verdict.FAIL, Severity.SEVERE),)))
        outline = Outline()
        outline.feed(html)
        assert outline.open == []
        tags = {tag for tag, _ in outline.seen}
        assert not tags & {"script", "img", "iframe", "object", "form"}
        linked = [value for _, attrs in outline.seen for key, value in attrs.items()
                  if key in ("href", "src")]  # fmt: skip
        assert all(link is not None and link.startswith("#") for link in linked)
        assert "&lt;script&gt;" in html

    def test_every_picture_says_what_it_shows(self) -> None:
        """For who cannot see it."""
        outline = Outline()
        outline.feed(shown(a_batch()))
        pictures = [attrs for tag, attrs in outline.seen if tag == "svg"]
        assert len(pictures) == 4
        assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in pictures)

    def test_every_column_has_its_numbers(self) -> None:
        """With units, and pseudonyms cut short."""
        html = shown(a_batch())
        for name in ("user_id", "title", "event", "value", "price", "timestamp", "genres"):
            assert re.search(rf"<h2>{name} <span", html)
        assert "12 (20.0%)" in html  # missing values
        assert "59 h" in html
        assert "0" * 24 not in html
        assert "personal, as pseudonyms" in html

    def test_what_became_of_the_rows_stands_on_top(self) -> None:
        """What did not occur is left out."""
        html = shown(a_batch())
        for told in ("rows kept", "rows read", "broke a rule", "repeated", "with an unknown title"):
            assert f"<dt>{told}</dt>" in html
        assert "forgotten" not in html

    @pytest.mark.parametrize(
        ("severity", "tone"), [(Severity.SEVERE, "fail"), (Severity.NOTICE, "inconclusive")]
    )
    def test_anomalies_stand_before_the_columns(self, severity: Severity, tone: str) -> None:
        """With their severity in words and in colour."""
        html = shown(a_batch(measured=(measured(Verdict.FAIL, severity),)))
        assert f'<header class="{tone}">' in html
        assert html.index("1 anomaly") < html.index("nulls:value") < html.index('id="column-1"')

    def test_says_what_could_not_be_judged(self) -> None:
        """No data is no pass."""
        html = shown(a_batch(measured=(measured(Verdict.INCONCLUSIVE, Severity.NOTICE),)))
        assert "1 measures: 1 cannot be judged yet." in html
        assert "No anomaly" not in html

    def test_of_no_rows(self) -> None:
        """An empty table has a page too."""
        assert "<dd>0</dd>" in shown(a_batch(findings=()), Profile())


class TestPictures:
    """Bars for every row."""

    @pytest.mark.parametrize("values", [[0.0, 1.0, 2.0], [-5.0, 5.0], [1.0, 1e-9, 1e9, 0.0]])
    def test_a_histogram_counts_every_value(self, values: list[float]) -> None:
        """On a linear and on a log scale, with and without zeros."""
        chart = numbers_chart(Numbers.of(values))
        assert chart is not None
        counts = [int(bar.tip.rsplit(": ", 1)[1].split()[0].replace(",", "")) for bar in chart.bars]
        assert sum(counts) == len(values)
        assert all(bar.x + bar.width <= 560.01 and bar.y >= 0 for bar in chart.bars)

    @pytest.mark.parametrize("values", [[], [3.0, 3.0], [-1.7e308, 1.7e308]])
    def test_without_a_spread_there_is_no_histogram(self, values: list[float]) -> None:
        """Nor where it is beyond all floats."""
        assert numbers_chart(Numbers.of(values)) is None

    def test_a_long_time_has_a_readable_number_of_bars(self) -> None:
        """Twenty years are not 7,300 bars."""
        times = Times.of(np.arange(7300, dtype=np.int64) * 86_400_000_000)
        chart = days_chart(times)
        assert chart is not None
        assert len(chart.bars) <= 120
        assert chart.ticks[0].label == "1970-01-01"
        assert chart.ticks[-1].label == "1989-12-26"

    def test_dates_without_hours_have_no_picture_of_hours(self) -> None:
        """All would be at midnight."""
        assert hours_chart(Times.of(np.arange(9, dtype=np.int64) * 86_400_000_000)) is None
        assert hours_chart(Times.of(np.arange(9, dtype=np.int64) * 3_600_000_000)) is not None

    def test_correlations_are_a_square(self) -> None:
        """The same above and below its diagonal."""
        found = heat(correlations(profiled()))
        assert found is not None
        value, price = found.names.index("value"), found.names.index("price")
        assert found.cells[value][price] == found.cells[price][value] == pytest.approx(1.0)
        assert heat([]) is None

    @pytest.mark.parametrize(
        ("value", "read"),
        [(2006.0, "2006"), (12345.0, "12,345"), (0.12345, "0.1235"), (98765.4, "98,765")],
    )
    def test_numbers_read_well(self, value: float, read: str) -> None:
        """Years have no thousands separator."""
        assert number(value) == read
