"""What the shop wants of every list: hidden games, pins, boosts, diversity. Read from a document.

::

    hidden = ["some-game"]                # never recommended, to anybody
    diversity = 0.2                       # 0: the likeliest games; 1: games as unlike as there are

    [[pins]]                              # a game at a place, for a time
    game_id = "new-game"
    place = 1                             # 1 is the first
    start = 2026-05-01T00:00:00Z          # from then on; left out: always was
    end = 2026-06-01T00:00:00Z            # until before then; left out: for good

    [[boosts]]                            # better odds (or worse, below 1) for what is named
    genres = ["puzzle"]                   # and games, tags, developers, publishers: any of them
    factor = 1.5                          # what the odds are multiplied by
    start = 2026-05-01T00:00:00Z
    end = 2026-06-01T00:00:00Z

No rule is a way past what a player has, hides or filters out. A game that a version does not know
is passed over.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from flyball.domain.nearest import did_you_mean
from flyball.errors import ConfigurationError
from flyball.recommend.rules import Boost, Pin, Rules

if TYPE_CHECKING:
    from flyball.games.catalogue import Catalogue
    from flyball.games.facts import Kind

SINCE_EVER = datetime.min.replace(tzinfo=UTC)
FOR_GOOD = datetime.max.replace(tzinfo=UTC)

Name = Annotated[str, Meta(min_length=1)]
Time = Annotated[datetime, Meta(tz=True)]


class _Timed(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    start: Time | None = None
    end: Time | None = None

    @property
    def since(self) -> datetime:
        return self.start or SINCE_EVER

    @property
    def until(self) -> datetime:
        return self.end or FOR_GOOD


class PinRule(_Timed, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A game at a place (1 is the first), for a time."""

    game_id: Name
    place: Annotated[int, Meta(ge=1)]


class BoostRule(_Timed, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Games whose odds are multiplied, for a time: all that one of the names fits."""

    factor: Annotated[float, Meta(gt=0)]
    games: tuple[Name, ...] = ()
    genres: tuple[Name, ...] = ()
    tags: tuple[Name, ...] = ()
    developers: tuple[Name, ...] = ()
    publishers: tuple[Name, ...] = ()

    @property
    def names_something(self) -> bool:
        """Whether there is anything to boost."""
        return any((self.games, self.genres, self.tags, self.developers, self.publishers))


class GameRules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, eq=False):
    """All rules of a shop; by default none. Compared by identity: a new document is a new one."""

    hidden: tuple[Name, ...] = ()
    diversity: Annotated[float, Meta(ge=0, le=1)] = 0.0
    pins: tuple[PinRule, ...] = ()
    boosts: tuple[BoostRule, ...] = ()


class RulesHere:
    """The rules in terms of one catalogue. Read-only.

    Attributes:
        source: what they were made from.
        hidden: columns, rising and distinct.
        diversity: the knob, in [0, 1].
        rules: boosts and pins.
    """

    def __init__(self, source: GameRules, catalogue: Catalogue, index: Mapping[str, int]) -> None:
        self.source = source
        self.diversity = source.diversity
        known = sorted({index[game_id] for game_id in source.hidden if game_id in index})
        self.hidden: NDArray[np.int64] = np.array(known, dtype=np.int64)
        self.rules = Rules(
            boosts=tuple(_boost(rule, catalogue, index) for rule in source.boosts),
            pins=tuple(
                Pin(item=index[pin.game_id], place=pin.place, start=pin.since, end=pin.until)
                for pin in source.pins
                if pin.game_id in index
            ),
        )

    def active(self, now: datetime) -> bool:
        """Whether a boost or a pin counts now."""
        boosts, pins = self.rules.boosts, self.rules.pins
        return any(boost.active(now) for boost in boosts) or any(pin.active(now) for pin in pins)


def read_rules(document: Mapping[str, Any]) -> GameRules:
    """The rules of a document of JSON types; an empty one holds none.

    Raises:
        ConfigurationError: a key is not known, a value is wrong, or two pins cannot both hold; says
            which.
    """
    _require_known_keys(document)
    try:
        found = msgspec.convert(document, GameRules)
    except msgspec.ValidationError as error:
        raise _wrong(str(error)) from error
    for number, boost in enumerate(found.boosts):
        if not math.isfinite(boost.factor):
            raise _wrong(f"boosts[{number}]: the factor {boost.factor} is not finite")
        if not boost.names_something:
            raise _wrong(
                f"boosts[{number}] names nothing to boost; give games, genres, tags, developers "
                "or publishers"
            )
    for name, timed in (("boosts", found.boosts), ("pins", found.pins)):
        for number, rule in enumerate(timed):
            if not rule.since < rule.until:
                raise _wrong(f"{name}[{number}] ends at {rule.end}, not after its start")
    _require_room(found.pins)
    return found


def _require_room(pins: Sequence[PinRule]) -> None:
    """No two pins hold one place, nor does one game hold two, at the same time."""
    for one, other in combinations(pins, 2):
        if not (one.since < other.until and other.since < one.until):
            continue
        if one.place == other.place:
            both = f"{one.game_id!r} and {other.game_id!r} are both pinned at place {one.place}"
        elif one.game_id == other.game_id:
            both = f"{one.game_id!r} is pinned at places {one.place} and {other.place}"
        else:
            continue
        raise _wrong(f"{both} at the same time; end one pin before the other starts")


def _boost(rule: BoostRule, catalogue: Catalogue, index: Mapping[str, int]) -> Boost:
    facts = catalogue.facts
    games = [index[game_id] for game_id in rule.games if game_id in index]
    kinds: tuple[tuple[Kind, tuple[Name, ...]], ...] = (
        ("genre", rule.genres),
        ("tag", rule.tags),
        ("developer", rule.developers),
        ("publisher", rule.publishers),
    )
    fitting = [facts.columns(kind, name) for kind, names in kinds for name in names]
    columns = np.concatenate([np.array(games, dtype=np.int64), *fitting])
    return Boost(items=columns, factor=rule.factor, start=rule.since, end=rule.until)


def _require_known_keys(document: Mapping[str, Any]) -> None:
    """msgspec refuses unknown keys too, but does not know what was meant."""
    places: list[tuple[str, Any, type[Struct]]] = [("", document, GameRules)]
    parts: tuple[tuple[str, type[Struct]], ...] = (("pins", PinRule), ("boosts", BoostRule))
    for name, type_ in parts:
        listed = document.get(name) if isinstance(document, Mapping) else None
        if isinstance(listed, list | tuple):
            places += [(f"{name}[{n}].", each, type_) for n, each in enumerate(listed)]
    for where, found, type_ in places:
        known = [each.name for each in msgspec.structs.fields(type_)]
        for key in found if isinstance(found, Mapping) else ():
            if key not in known:
                raise _wrong(
                    f"unknown key {where + str(key)!r}{did_you_mean(str(key), known)} "
                    f"Known here: {', '.join(known)}"
                )


def _wrong(reason: str) -> ConfigurationError:
    said = re.sub(r" - at `\$\.?(.*?)`", r" (\1)", reason)
    return ConfigurationError(f"the business rules cannot be read: {said}")
