"""A profile as a page for people.

The page stands alone: its style and pictures are inline, it loads nothing and runs no script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from flyball.domain.data import DataBatch, Severity
from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.domain.validation import Verdict
from flyball.stats.profile import ColumnProfile, Profile
from flyball.steps.profile import QUANTILES, correlations, moment
from flyball.steps.profile_charts import (
    Chart,
    days_chart,
    heat,
    hours_chart,
    number,
    numbers_chart,
    rough,
    strength,
)

TEMPLATE = "profile.html.j2"
BARS = 10
PSEUDONYM_DIGITS = 10
"""Digits of a pseudonym that are shown: enough to tell persons apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the page is about.

    Attributes:
        title: for example ``"games: interactions"``.
        subtitle: which batch or dataset version.
        batches: the batches whose rows these are.
        unprofiled: ids of batches that have no profile, and are not in it.
    """

    title: str
    subtitle: str
    batches: Sequence[DataBatch]
    unprofiled: Sequence[str] = ()


def page(subject: Subject, profile: Profile, schema: Schema | None = None) -> str:
    """The page. Every text in it is escaped.

    Args:
        schema: the table's, where it is known: for units, and what is personal.
    """
    from jinja2 import Environment, StrictUndefined

    source = (resources.files("flyball.steps") / TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"rough": rough, "strength": strength}
    anomalies = [(batch.batch_id, found) for batch in subject.batches for found in batch.anomalies]
    severe = any(found.severity is Severity.SEVERE for _, found in anomalies)
    return environment.from_string(source).render(
        subject=subject,
        profile=profile,
        tone="fail" if severe else "inconclusive" if anomalies else "pass",
        anomalies=anomalies,
        judged=_judged(subject.batches),
        findings=[(b.batch_id, found) for b in subject.batches for found in b.findings],
        tiles=_tiles(profile),
        columns=[
            _card(name, column, profile.rows, _declared(schema, name))
            for name, column in profile.columns.items()
        ],
        heat=heat(correlations(profile)),
        splits=[pair for pair in profile.splits if len(pair.parts) > 1],
    )


def _declared(schema: Schema | None, name: str) -> Column:
    found = None if schema is None else schema.column(name)
    return found or Column(name=name, type=ColumnType.STRING)


def _judged(batches: Sequence[DataBatch]) -> dict[str, int]:
    """How many measures there are by verdict."""
    every = [found.verdict for batch in batches for found in batch.measured]
    return {verdict.value: every.count(verdict) for verdict in Verdict if verdict in every}


def _tiles(profile: Profile) -> list[tuple[str, int]]:
    """What became of the rows; what did not occur is left out."""
    others = [
        ("broke a rule", profile.rejected),
        ("repeated", profile.duplicates),
        ("of forgotten persons", profile.forgotten),
        *((f"with an unknown {name}", rows) for name, rows in profile.unresolved.items()),
    ]
    return [
        ("rows kept", profile.rows),
        *([("rows read", profile.read)] if profile.read != profile.rows else []),
        *(tile for tile in others if tile[1]),
    ]


@dataclass(frozen=True, slots=True)
class Card:
    """One column on the page.

    Attributes:
        facts: names and values in words.
        charts: pictures of numbers or times.
        top: most frequent values: what it is, its rows, its share, and the bar's length in percent.
    """

    name: str
    type: str
    personal: bool
    facts: Sequence[tuple[str, str]]
    charts: Sequence[Chart]
    top: Sequence[tuple[str, int, str, float]]
    top_caption: str


def _card(name: str, column: ColumnProfile, rows: int, declared: Column) -> Card:
    personal = declared.privacy is Privacy.PERSONAL
    facts = [("missing", _of(column.nulls, rows)), ("distinct", _distinct(column))]
    charts: list[Chart | None] = []
    if column.numbers is not None:
        facts += _number_facts(column, declared.unit)
        charts.append(numbers_chart(column.numbers, declared.unit))
    elif column.times is not None:
        facts += _time_facts(column)
        charts += [days_chart(column.times), hours_chart(column.times)]
    else:
        facts += _text_facts(column)
    return Card(
        name=name,
        type=column.type.value,
        personal=personal,
        facts=facts,
        charts=[chart for chart in charts if chart is not None],
        top=_top(column, personal=personal),
        top_caption="the commonest values, and their share of the rows"
        if column.type is not ColumnType.STRINGS
        else "the commonest elements, and their share of all elements",
    )


def _distinct(column: ColumnProfile) -> str:
    return f"{'' if column.distinct_is_exact else 'about '}{column.distinct:,}"


def _of(part: int, whole: int) -> str:
    """A number of rows, and its share."""
    if not part or not whole:
        return "none"
    return f"{part:,} ({_percent(part / whole)})" if part < whole else "all"


def _percent(share: float) -> str:
    percent = 100 * share
    if 0 < percent < 0.01:
        return "<0.01%"
    if 99.99 < percent < 100:
        return ">99.99%"
    return f"{percent:.2f}%" if percent < 10 else f"{percent:.1f}%"


def _number_facts(column: ColumnProfile, unit: str) -> list[tuple[str, str]]:
    numbers = column.numbers
    if numbers is None or numbers.min is None or numbers.max is None:
        return []
    suffix = f" {unit}" if unit else ""
    quantiles = zip(QUANTILES, numbers.quantiles(QUANTILES), strict=True)
    return [
        ("mean", number(float(f"{numbers.mean:.6g}")) + suffix),
        ("least", number(numbers.min) + suffix),
        *((_named(share), number(value) + suffix) for share, value in quantiles),
        ("greatest", number(numbers.max) + suffix),
    ]


def _named(share: float) -> str:
    return "median" if share == 0.5 else f"{100 * share:g}% quantile"


def _time_facts(column: ColumnProfile) -> list[tuple[str, str]]:
    times = column.times
    if times is None or times.min is None or times.max is None:
        return []
    middle = times.numbers.quantiles((0.05, 0.5, 0.95))
    named = ("earliest", "5% quantile", "median", "95% quantile", "latest")
    moments = (times.min, *middle, times.max)
    told = [f"{moment(value):%Y-%m-%d %H:%M}" for value in moments]
    return [*zip(named, told, strict=True), ("days with rows", f"{len(times.days):,}")]


def _text_facts(column: ColumnProfile) -> list[tuple[str, str]]:
    facts = []
    if column.sizes is not None and column.sizes.max is not None:
        mean, most = number(column.sizes.mean), number(column.sizes.max)
        facts.append(("elements a row", f"{mean} on average, {most} at most"))
    text, values = column.text, column.values
    if text is not None and values is not None and text.lengths.max is not None:
        least, middle, longest = text.lengths.quantiles((0.0, 0.5, 1.0))
        spread = f" to {number(longest)}, median {number(middle)}" if least < longest else ""
        facts += [
            ("length", f"{number(least)}{spread} characters"),
            ("digits only", _of(text.digits, values.count)),
            ("not ASCII", _of(text.non_ascii, values.count)),
            ("broken encoding", _of(text.broken, values.count)),
        ]
    return facts


def _top(column: ColumnProfile, *, personal: bool) -> list[tuple[str, int, str, float]]:
    values = column.values
    if values is None or not values.counts:
        return []
    first = list(values.counts.items())[:BARS]
    most = first[0][1]
    return [
        (
            _shown(value[:PSEUDONYM_DIGITS] if personal else value),
            count,
            _percent(count / values.count),
            round(100 * count / most, 1),
        )
        for value, count in first
    ]


def _shown(value: str) -> str:
    return value if value.strip() else f"“{value}”"
