"""The games there are, and what is known about them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import islice, pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

import msgspec

from flyball.domain.text import folded, slug
from flyball.errors import ArtifactCorrupt, InvalidRequest
from flyball.games.cursor import cursor_after, last_id
from flyball.games.facts import Facts
from flyball.games.ids import Ids, open_keys, sorted_keys
from flyball.games.json_lines import JsonLines
from flyball.games.texts import Texts
from flyball.recommend.arrays import write_array

if TYPE_CHECKING:
    from flyball.games.facts import Kind


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

FILE = "catalogue.jsonl"
"""A game a line, as it stands in an artifact."""

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


class Catalogue:
    """An immutable collection of games, ordered by game id.

    Args:
        games: shape (n,), ids rising and distinct.
        ids, titles, facts: the same in other words (titles folded); None: made when asked for.

    Raises:
        InvalidRequest: the ids do not rise strictly.
    """

    def __init__(
        self,
        games: Sequence[Game],
        ids: Ids | None = None,
        titles: Texts | None = None,
        facts: Facts | None = None,
    ) -> None:
        if ids is None:
            ids = _rising(games)
        self.games, self.ids = games, ids
        self._titles, self._facts = titles, facts

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
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, mapped from disk: a game is read when it is asked for.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        """
        games = JsonLines(Texts.load(directory, FILE), Game, FILE)
        ids = Ids(open_keys(directory, "items"))
        titles = Texts.load(directory, "titles.txt")
        if not len(games) == len(ids) == len(titles):
            raise ArtifactCorrupt(
                f"the catalogue in {directory} cannot be used: its files do not fit each other; "
                "restore the artifact or train again"
            )
        return cls(games, ids, titles, Facts.load(directory, len(games)))

    def save(self, directory: Path) -> None:
        """Write ``catalogue.jsonl``, ``items``, ``titles`` and ``facts_*`` into a directory.

        The same games give the same bytes.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        lines = (msgspec.json.encode(game).decode() for game in self.games)
        Texts.of(lines).save(directory, FILE)
        write_array(directory, "items", self.ids.keys)
        self.titles.save(directory, "titles.txt")
        self.facts.save(directory)

    @property
    def titles(self) -> Texts:
        """The title of each game without case and accents."""
        if self._titles is None:
            self._titles = Texts.of(folded(game.title) for game in self.games)
        return self._titles

    @property
    def facts(self) -> Facts:
        """What is known of the games, by column."""
        if self._facts is None:
            self._facts = Facts.of(self.games)
        return self._facts

    def get(self, game_id: str) -> Game | None:
        """The game with this id, or None."""
        column = self.ids.column(game_id)
        return None if column is None else self.games[column]

    def __contains__(self, game_id: object) -> bool:
        return isinstance(game_id, str) and self.ids.column(game_id) is not None

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
        start = 0 if after is None else bisect_right(self.ids, last_id(after))
        columns: Iterable[int] = range(start, len(self.games))
        if title is not None and (text := folded(title)):
            columns = self.titles.holding(text, start)
        kinds: tuple[tuple[Kind, str | None], ...] = (("genre", genre), ("platform", platform))
        for kind, name in kinds:
            if name is not None:
                columns = filter(self.facts.having(kind, name).item, columns)
        page = list(islice(columns, limit + 1))
        games = [self.games[column] for column in page[:limit]]
        return games, cursor_after(games[-1].game_id) if len(page) > limit else None


def _rising(games: Iterable[Game]) -> Ids:
    ids = [game.game_id for game in games]
    for earlier, later in pairwise(ids):
        if earlier >= later:
            raise InvalidRequest(
                f"game {later!r} follows {earlier!r} in a catalogue; order the games by id, each "
                "id once (Catalogue.of does)"
            )
    return Ids(sorted_keys(ids))
