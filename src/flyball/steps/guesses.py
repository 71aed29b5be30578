"""From what a column looks like to a proposal of its declaration, with the reasons. No effects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from math import floor, log10
from typing import Any

from flyball.domain.schema import Column, ColumnType, Privacy
from flyball.steps.column_facts import ColumnFacts, Kind

MOST = 0.9
"""Share of the cells that must be of a kind: the others are taken for slips."""

FEW_VALUES = 20
REPEATED = 20
"""A text column with so few values, each there so often on average, allows only these."""

_FROM_1990, _UNTIL_2100 = 631_152_000, 4_102_444_800
_TIME_NAMES = {"time", "timestamp", "date", "datetime", "ts", "created", "updated"}
_ID_NAMES = {"id", "ids", "uuid", "guid", "key", "code", "zip", "postcode", "phone", "tel", "isbn"}
_PEOPLE = {
    "user", "users", "userid", "username", "customer", "account", "player", "member", "patient",
    "person", "employee", "subscriber", "visitor", "client", "nickname", "surname", "lastname",
    "firstname", "fullname", "email", "mail", "phone", "tel", "telephone", "mobile", "ip",
    "address", "street", "iban", "ssn", "passport", "steamid", "session", "cookie", "device",
}  # fmt: skip
_OF_A_PERSON = {"first", "last", "full", "given", "family", "middle", "maiden"}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"\+\d[\d ()/-]{6,18}\d")
_NOTHING = ("?", "-", "na", "n/a", "nan", "null", "none", "nil", "unknown", "missing")

_KINDS = {
    ColumnType.TIMESTAMP: Kind.TIME,
    ColumnType.BOOLEAN: Kind.TRUTH,
    ColumnType.STRINGS: Kind.LIST,
}


@dataclass(frozen=True, slots=True)
class Guess:
    """A proposal: the column as it would be declared, and what to look at."""

    column: Column
    notes: tuple[str, ...]


def guess(name: str, aliases: tuple[str, ...], facts: ColumnFacts) -> Guess:
    """Propose a column's declaration.

    Args:
        name: its canonical name.
        aliases: what the source calls it, where that differs.
    """
    why = _personal(name, facts)
    type_, notes = _type(name, facts, personal=bool(why))
    more: dict[str, Any] = {}
    if why:
        notes.append(f"personal: {why}; its values are stored as pseudonyms only")
        more["privacy"] = Privacy.PERSONAL
    elif type_ is ColumnType.NUMBER:
        more["minimum"], more["maximum"], said = _range(facts)
        notes += [said, "unit: write it down, for example h or USD"]
        if facts.whole and facts.too_many:
            notes.append("type: if these whole numbers name something, make it a string")
    elif type_ is ColumnType.STRING and (allowed := _allowed(facts)):
        more["allowed"] = allowed
        notes.append(f"only these {len(allowed)} values: any other would be set aside")
    odd = _kind_of(type_, facts)
    if odd is not None and facts.fitting(odd) < facts.present:
        more["lenient"] = True
        count = facts.present - facts.fitting(odd)
        shown = ", ".join(repr(text[:30]) for text in facts.odd.get(odd, []))
        cells = "1 cell is" if count == 1 else f"{count:,} cells are"
        notes.append(f"lenient: {cells} no {type_}, for example {shown}")
    if facts.missing:
        notes.append(f"may be missing: {facts.missing:,} of {facts.cells:,} cells are")
    notes += _oddities(facts, personal=bool(why))
    column = Column(
        name=name, type=type_, nullable=bool(facts.missing or more.get("lenient")),
        aliases=aliases, **more,
    )  # fmt: skip
    return Guess(column, tuple(notes))


def _type(name: str, facts: ColumnFacts, *, personal: bool) -> tuple[ColumnType, list[str]]:
    if not facts.present:
        return ColumnType.STRING, ["type: it is empty everywhere"]
    if facts.share(Kind.NUMBER) >= MOST:
        return _type_of_numbers(set(_words(name)), facts, personal=personal)
    kinds = (
        (Kind.TIME, ColumnType.TIMESTAMP),
        (Kind.TRUTH, ColumnType.BOOLEAN),
        (Kind.LIST, ColumnType.STRINGS),
    )
    fitting = (type_ for kind, type_ in kinds if facts.share(kind) >= MOST and not personal)
    return next(fitting, ColumnType.STRING), []


def _type_of_numbers(
    words: set[str], facts: ColumnFacts, *, personal: bool
) -> tuple[ColumnType, list[str]]:
    if personal or words & _ID_NAMES or facts.fitting(Kind.CODE):
        return ColumnType.STRING, ["type: numbers that name something, kept as text"]
    if words & _TIME_NAMES and _seconds(facts):
        return ColumnType.TIMESTAMP, ["type: numbers that look like seconds since 1970"]
    if _truth_by_digits(facts) and words & {"is", "has", "was", "flag"}:
        return ColumnType.BOOLEAN, ["type: only 0 and 1"]
    return ColumnType.NUMBER, []


def _kind_of(type_: ColumnType, facts: ColumnFacts) -> Kind | None:
    """What each cell of a column should look like; None where any text will do."""
    numbers = facts.share(Kind.NUMBER) >= MOST and type_ is not ColumnType.STRING
    return Kind.NUMBER if numbers else _KINDS.get(type_)


def _seconds(facts: ColumnFacts) -> bool:
    if facts.low is None or facts.high is None:
        return False
    return facts.low >= _FROM_1990 and facts.high < _UNTIL_2100


def _truth_by_digits(facts: ColumnFacts) -> bool:
    return not facts.too_many and set(facts.values) == {"0", "1"}


def _range(facts: ColumnFacts) -> tuple[float | None, float | None, str]:
    """Bounds that a later batch of the same kind will hardly pass, and what was seen."""
    low, high = facts.low, facts.high
    if low is None or high is None:
        return None, None, "range: no number was seen"
    if low == high:
        return None, None, f"range: only {low:g} was seen"
    minimum = 0.0 if low >= 0 else -_rounded_up(-2 * low)
    if high <= 0:
        maximum = 0.0
    elif low >= 0 and high <= 1 and not facts.whole:
        maximum = 1.0
    else:
        maximum = _rounded_up(2 * high)
    return minimum, maximum, f"range: from {low:g} to {high:g} was seen, with room above"


def _rounded_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50, ... that is not below a positive value."""
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 5, 10, 20) if step * power >= value)


def _allowed(facts: ColumnFacts) -> tuple[str, ...]:
    few = 1 < len(facts.values) <= FEW_VALUES and not facts.too_many
    if few and facts.present >= REPEATED * len(facts.values):
        return tuple(sorted(facts.values))
    return ()


def _personal(name: str, facts: ColumnFacts) -> str:
    """Why a column seems to name or point at people; empty where it does not."""
    words = _words(name)
    named = next((word for word in words if word in _PEOPLE), "")
    if not named and "name" in words and set(words) & _OF_A_PERSON:
        named = "name"
    if named:
        return f"its name says {named!r}"
    values = facts.sample()
    for what, looks in (
        ("e-mail addresses", _EMAIL.fullmatch),
        ("telephone numbers", _PHONE.fullmatch),
        ("IP addresses", _ip),
    ):
        if values and sum(bool(looks(value)) for value in values) > 0.5 * len(values):
            return f"most of its values look like {what}"
    return ""


def _ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _words(name: str) -> Sequence[str]:
    return name.split("_")


def _oddities(facts: ColumnFacts, *, personal: bool) -> list[str]:
    notes = []
    if len(facts.values) == 1 and facts.present > 1 and not facts.too_many:
        always = "the same" if personal else f"{next(iter(facts.values))!r}"
        notes.append(f"always {always}: does it say anything?")
    if not facts.too_many:
        blanks = [value for value in facts.values if value.casefold() in _NOTHING]
        if blanks and (cells := sum(facts.values[value] for value in blanks)):
            notes.append(f"{', '.join(map(repr, blanks))} in {cells:,} cells may mean missing")
    return notes
