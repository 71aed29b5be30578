"""The games there are, and what is known about them."""

from __future__ import annotations

import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Self

import msgspec

from flyball.domain.text import slug
from flyball.errors import ArtifactCorrupt, InvalidRequest, NotFound


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GENRES = _words(
    "action adventure fighting horror platformer puzzle racing rpg shooter simulation sports "
    "strategy"
)
PLATFORMS = _words("windows mac linux playstation xbox switch mobile")
TAGS = _words(
    "4x battle-royale building card-game choices-matter city-builder co-op comedy cozy crafting "
    "cyberpunk esports fantasy first-person free-to-play grand-strategy hack-and-slash historical "
    "immersive-sim indie jrpg local-multiplayer management metroidvania military mmo moba "
    "multiplayer music open-world physics pixel-art point-and-click post-apocalyptic real-time "
    "retro roguelike sandbox sci-fi soulslike space stealth story-rich superhero survival tactics "
    "third-person tower-defense turn-based visual-novel vr western zombies"
)

LONGEST_ID = 128
"""Characters of a game id: no request can name a longer one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """One game. A bare title has empty genres, tags and platforms and None elsewhere.

    Attributes:
        game_id: the slug of the title, see ``game_id``.
        title: as commonly written.
        genres, tags, platforms: sorted; known games use ``GENRES``, ``TAGS``, ``PLATFORMS`` only.
        released: the first full release anywhere; of a game known in early access, that date.
        price_usd: usual list price in US dollars; 0 for free to play.
        developer: who made it first.
        publisher: who sells it.
        age_rating: the least age in years it is meant for.
    """

    game_id: str
    title: str
    genres: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    released: date | None = None
    price_usd: float | None = None
    developer: str | None = None
    publisher: str | None = None
    age_rating: int | None = None


class _Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of ``known_games.jsonl``."""

    title: str
    genres: tuple[str, ...]
    tags: tuple[str, ...]
    platforms: tuple[str, ...]
    release_date: date
    price_usd: float
    developer: str


def game_id(title: str) -> str:
    """The id of a title: lower case, ASCII, words joined by "-"; "Ratchet & Clank" gives
    "ratchet-and-clank". Equal for titles that differ in case, accents or punctuation only.

    A title with nothing left (only emoji, only Chinese) gets "game-" and 8 hex digits of the
    SHA-256 of its text. An id longer than ``LONGEST_ID`` ends in such digits too.
    """
    spelled = slug(title)
    if len(spelled) > LONGEST_ID:
        digits = sha256(spelled.encode()).hexdigest()[:8]
        return f"{spelled[: LONGEST_ID - 9].rstrip('-')}-{digits}"
    # surrogatepass: a title from broken JSON may hold a lone surrogate, and still needs an id
    return spelled or f"game-{sha256(title.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


@cache
def known_games() -> Mapping[str, Game]:
    """The well-known games that come with Flyball, by game id; read-only, the oldest first."""
    lines = files("flyball.games").joinpath("known_games.jsonl").read_bytes()
    facts = msgspec.json.Decoder(_Facts).decode_lines(lines)
    return MappingProxyType({game.game_id: game for game in map(_game, facts)})


def _game(facts: _Facts) -> Game:
    return Game(
        game_id=game_id(facts.title),
        title=facts.title,
        genres=facts.genres,
        tags=facts.tags,
        platforms=facts.platforms,
        released=facts.release_date,
        price_usd=facts.price_usd,
        developer=facts.developer,
    )


def merged(listed: Game | None, known: Game | None) -> Game | None:
    """What a catalogue lists, completed by what is known of the game."""
    if listed is None or known is None:
        return listed or known
    return replace(
        listed,
        genres=listed.genres or known.genres,
        tags=listed.tags or known.tags,
        platforms=listed.platforms or known.platforms,
        released=listed.released or known.released,
        price_usd=known.price_usd if listed.price_usd is None else listed.price_usd,
        developer=listed.developer or known.developer,
        publisher=listed.publisher or known.publisher,
    )


@dataclass(frozen=True, slots=True)
class Catalogue:
    """An immutable collection of games, ordered by game id.

    Attributes:
        games: shape (n,), ids rising and distinct.

    Raises:
        InvalidRequest: the ids do not rise strictly.
    """

    games: tuple[Game, ...]
    _ids: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _by_id: Mapping[str, Game] = field(init=False, repr=False, compare=False)
    _search_texts: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = tuple(game.game_id for game in self.games)
        for earlier, later in pairwise(ids):
            if earlier >= later:
                raise InvalidRequest(
                    f"game {later!r} follows {earlier!r} in a catalogue; order the games by id, "
                    "each id once (Catalogue.of does)"
                )
        object.__setattr__(self, "_ids", ids)
        object.__setattr__(self, "_by_id", dict(zip(ids, self.games, strict=True)))
        object.__setattr__(self, "_search_texts", tuple(folded(g.title) for g in self.games))

    @classmethod
    def of(cls, titles: Mapping[str, str], listed: Mapping[str, Game] | None = None) -> Self:
        """The games with these ids (title by game id), with the facts known about them.

        Args:
            listed: what an ingested catalogue says of some of them. It comes first; where it is
                silent come the facts of a known game, its spelling too; then the bare title.
        """
        known, ours = known_games(), listed or {}
        return cls(
            tuple(
                merged(ours.get(id), known.get(id)) or Game(game_id=id, title=titles[id])
                for id in sorted(titles)
            )
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote.

        Raises:
            NotFound: no such file.
            ArtifactCorrupt: the file is not a catalogue.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"no catalogue at {path}; save one there first") from error
        try:
            return cls(msgspec.json.decode(content, type=tuple[Game, ...]))
        except (msgspec.DecodeError, UnicodeDecodeError, InvalidRequest) as error:
            raise ArtifactCorrupt(
                f"{path} is not a catalogue ({error}); restore it or build the model again"
            ) from error

    def save(self, path: Path) -> None:
        """Write compact JSON; the same games give the same bytes."""
        path.write_bytes(msgspec.json.encode(self.games))

    def get(self, game_id: str) -> Game | None:
        """The game with this id, or None."""
        return self._by_id.get(game_id)

    def __contains__(self, game_id: object) -> bool:
        return game_id in self._by_id

    def __iter__(self) -> Iterator[Game]:
        return iter(self.games)

    def __len__(self) -> int:
        return len(self.games)

    def find(
        self,
        title: str | None = None,
        genre: str | None = None,
        platform: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> tuple[list[Game], str | None]:
        """One page of the games that fit all that is asked, ordered by game id.

        Args:
            title: part of the title; case and accents do not matter.
            genre, platform: exactly one of the game's, in any case.
            limit: most games on a page, at least 1.
            after: the cursor that came with the page before; None for the first page.

        Returns:
            the games, and the cursor of the next page or None where this is the last one.

        Raises:
            InvalidRequest: ``limit`` is below 1, or the cursor is not one of ours.
        """
        if limit < 1:
            raise InvalidRequest(f"limit {limit} must be at least 1")
        start = 0 if after is None else bisect_right(self._ids, _last_id(after))
        text, genre, platform = (
            None if wanted is None else folded(wanted) for wanted in (title, genre, platform)
        )
        page: list[Game] = []
        for game, searched in zip(self.games[start:], self._search_texts[start:], strict=True):
            fits = (
                (text is None or text in searched)
                and (genre is None or genre in map(folded, game.genres))
                and (platform is None or platform in map(folded, game.platforms))
            )
            if fits and len(page) == limit:
                return page, _cursor(page[-1].game_id)
            if fits:
                page.append(game)
        return page, None


def folded(text: str) -> str:
    """The text without case and accents, for comparing; letters of all scripts stay."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).strip()


def _cursor(last_id: str) -> str:
    return urlsafe_b64encode(last_id.encode()).decode("ascii").rstrip("=")


def _last_id(cursor: str) -> str:
    """Raises InvalidRequest unless ``_cursor`` could have made it."""
    try:
        last_id = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except (Base64Error, UnicodeError):
        last_id = ""
    if not last_id or _cursor(last_id) != cursor:
        raise InvalidRequest(
            f"cursor {cursor[:80]!r} is not one of ours; pass back the cursor of the page before, "
            "or none for the first page"
        )
    return last_id
