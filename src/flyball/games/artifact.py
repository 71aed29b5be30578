"""The files of a packaged games model, beside the platform's manifest.

::

    games.json        format, the model's family and its version, how many games and players
    items.npy         game ids, sorted, fixed-width UTF-8; column c of the model is items[c]
    catalogue.jsonl   what is known of each of them, a line each; catalogue_starts.npy: where
    titles.txt        their titles without case and accents, a line each; titles_starts.npy: where
    facts_*           the same facts by column, as ``facts`` says
    search/           the index for searching titles and facts
    fame.npy          int32, shape (n_games,): by falling popularity, then by id; 0 is the first
    popularity.npy    int32, shape (n_games,): players who have the game
    shares.npy        float32, shape (n_games,): the same as a share, what is long ago counting less
    embeddings.npy    float32, shape (n_games, d): unit rows, what is known of the games; if any is
    calibration.npy   what the model's scores mean, as ``recommend.calibrated`` writes it
    calibration_popular.npy   the same of ``shares``
    reliability.json  how far ``calibration`` can be trusted
    users.npy         player ids in UTF-8, sorted, fixed-width bytes
    indptr.npy        int32, shape (n_players + 1,)
    indices.npy       int32: games of player p are indices[indptr[p]:indptr[p + 1]], rising
    hours.npy         float32, of each of these: how long it was played; NaN where unknown. Only
    days.npy          where known; float32, since when the player has it, days since 1970-01-01
    model/            what the model's ``save`` wrote; new games beside it, as ``Newcomers`` does

The players' games are all there are, the held-out ones included: a game somebody has is never
recommended to them. The model is exactly the one that was validated, fitted on the training part.
The same data and model give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from flyball.domain.canonical import canonical_json
from flyball.errors import (
    ArtifactCorrupt,
    ConfigurationError,
    StorageUnavailable,
    TrainingError,
)
from flyball.games.catalogue import Catalogue
from flyball.games.ids import REMEMBERED, Columns, Ids, open_keys
from flyball.games.meaning import covered, write_meaning
from flyball.games.search_index import SearchIndex
from flyball.recommend.arrays import open_array, write_array
from flyball.recommend.calibrated import open_calibration
from flyball.recommend.histories import History
from flyball.recommend.newcomers import Covering
from flyball.recommend.tfidf import embeddings

if TYPE_CHECKING:
    from flyball.recommend.interactions import Interactions
    from flyball.recommend.protocols import Recommender
    from flyball.recommend.split import Fold
    from flyball.stats.probability import Calibration

FORMAT = 3
DIMENSIONS = 64
"""Of the vectors of what is known of a game."""


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``games.json``."""

    format: int
    family: str
    family_version: int
    n_games: int
    n_players: int


def write(
    directory: Path,
    model: Recommender,
    fold: Fold,
    whole: Interactions,
    catalogue: Catalogue,
) -> None:
    """Write every file of the artifact into ``directory`` (made if absent).

    Args:
        model: fitted on the training part of ``fold``; made to cover the games nobody had in it.
        fold: what the model was fitted on, and what its scores are calibrated by.
        whole: the whole data, both parts.
        catalogue: of exactly its games.

    Raises:
        TrainingError: the model was not fitted on this data's catalogue.
        StorageUnavailable: the disk refused it.
    """
    items = whole.items
    if model.n_items != len(items):
        raise TrainingError(
            f"the {model.family} model scores {model.n_items} games, the data has "
            f"{len(items)}; package a model with the data it was fitted on"
        )
    # sorted already: UTF-8 keeps the order of code points
    users = np.array([user.encode() for user in whole.users.tolist()], dtype=np.bytes_)
    covering = covered(model, fold.train, whole)
    covering.save(directory / "model")
    write_meaning(directory, covering, fold)
    if fold.train.features is not None:
        vectors = embeddings(fold.train.features, DIMENSIONS)
        write_array(directory, "embeddings", vectors)
    write_array(directory, "users", users)
    write_array(directory, "indptr", whole.matrix.indptr.astype(np.int32))
    write_array(directory, "indices", whole.matrix.indices.astype(np.int32))
    popularity = whole.counts.astype(np.int32)
    write_array(directory, "popularity", popularity)
    write_array(directory, "fame", _fame(popularity))
    catalogue.save(directory)
    SearchIndex.of(catalogue, popularity).save(directory / "search")
    for name, values in (("hours", whole.hours), ("days", whole.days)):
        if values is not None:
            write_array(directory, name, values)
    about = About(FORMAT, model.family, model.version, len(items), len(users))
    try:
        (directory / "games.json").write_bytes(canonical_json(msgspec.to_builtins(about)))
    except OSError as error:
        raise StorageUnavailable(
            f"cannot write the artifact in {directory}: {error}; free some space"
        ) from error


@dataclass(frozen=True, eq=False, slots=True)
class Artifact:
    """An opened artifact: arrays mapped from disk, read-only.

    Attributes:
        about: sizes and the model's family.
        model: the fitted model.
        catalogue: game ``c`` of it is column ``c`` of the model.
        items: shape (n_games,), game ids, sorted.
        index: the column of a game id.
        search: finds games by text.
        popularity: int32, shape (n_games,), players who have it.
        shares: float32, shape (n_games,), the same as a share of all players, in [0, 1], what is
            long ago counting less: what players are shown of whom nothing is known.
        fame: shape (n_games,), distinct: games of equal score come by rising fame.
        calibration: what scores of the model mean; ``popular``: what ``shares`` do.
        embeddings: what is known of the games, as vectors; None where nothing is.
        newest: the last of ``days``; 0 where they are not known.
        row: user id -> its place among ``users``, or None.
        users: shape (n_players,), ids in UTF-8, sorted.
        indptr, indices, hours, days: the players' games, as the module says.
    """

    about: About
    model: Recommender
    catalogue: Catalogue
    popularity: NDArray[np.int32]
    users: NDArray[np.bytes_]
    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    shares: NDArray[np.float32]
    fame: NDArray[np.int32]
    search: SearchIndex
    calibration: Calibration
    popular: Calibration
    embeddings: NDArray[np.float32] | None = None
    hours: NDArray[np.float32] | None = None
    days: NDArray[np.float32] | None = None
    items: Ids = field(init=False, repr=False)
    index: Columns = field(init=False, repr=False)
    newest: float = field(init=False, repr=False)
    row: Callable[[str], int | None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", self.catalogue.ids)
        object.__setattr__(self, "index", Columns(self.items))
        newest = 0.0 if self.days is None else float(self.days.max(initial=0.0))
        object.__setattr__(self, "newest", newest)
        # of a function, not of a method: nothing refers to itself and outlives its use
        row = lru_cache(maxsize=REMEMBERED)(partial(_row_of, self.users))
        object.__setattr__(self, "row", row)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open what ``write`` wrote.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or the files do not fit each other.
            ConfigurationError: no installed plug-in provides the model's family.
        """
        about = _about(directory / "games.json")
        catalogue = Catalogue.load(directory)
        opened = cls(
            about=about,
            model=_model(about, directory / "model"),
            catalogue=catalogue,
            popularity=open_array(directory, "popularity", ndim=1, dtype=np.int32),
            users=open_keys(directory, "users"),
            indptr=open_array(directory, "indptr", ndim=1, dtype=np.int32),
            indices=open_array(directory, "indices", ndim=1, dtype=np.int32),
            shares=open_array(directory, "shares", ndim=1),
            fame=open_array(directory, "fame", ndim=1, dtype=np.int32),
            search=SearchIndex.load(directory / "search"),
            calibration=open_calibration(directory, "calibration"),
            popular=open_calibration(directory, "calibration_popular"),
            embeddings=_optional(directory, "embeddings", ndim=2),
            hours=_optional(directory, "hours"),
            days=_optional(directory, "days"),
        )
        opened._require_consistent(directory)
        return opened

    def history(self, user: str) -> History:
        """The games of a player, columns rising; empty for a player not in the data."""
        row = self.row(user)
        part = slice(0, 0) if row is None else slice(self.indptr[row], self.indptr[row + 1])
        return History(
            self.indices[part],
            None if self.hours is None else self.hours[part],
            None if self.days is None else self.days[part],
        )

    def _require_consistent(self, directory: Path) -> None:
        n_games, n_players = self.about.n_games, self.about.n_players
        rises = np.all(np.diff(self.indptr) >= 0) if len(self.indptr) else False
        if not (
            len(self.popularity) == len(self.catalogue) == n_games > 0
            and len(self.shares) == len(self.fame) == len(self.search) == n_games
            and (self.embeddings is None or len(self.embeddings) == n_games)
            and all(g.game_id == i for g, i in zip(self.catalogue, self.items, strict=True))
            and len(self.users) == n_players == len(self.indptr) - 1
            and rises
            and self.indptr[0] == 0
            and self.indptr[-1] == len(self.indices)
            and (len(self.indices) == 0 or self.indices.min() >= 0)
            and (len(self.indices) == 0 or self.indices.max() < n_games)
            and all(a is None or len(a) == len(self.indices) for a in (self.hours, self.days))
            and self.model.n_items == n_games
        ):
            raise _damaged(directory, "its files do not fit each other")


def _row_of(users: NDArray[np.bytes_], user: str) -> int | None:
    key = user.encode("utf-8", "replace")
    if len(key) > users.dtype.itemsize:  # searchsorted would copy every id to widen it
        return None
    row = int(users.searchsorted(key))
    return row if row < len(users) and users[row] == key else None


def _fame(popularity: NDArray[np.int32]) -> NDArray[np.int32]:
    fame = np.empty(len(popularity), dtype=np.int32)
    fame[np.argsort(-popularity, kind="stable")] = np.arange(len(fame))
    return fame


def _about(path: Path) -> About:
    try:
        about = msgspec.json.decode(path.read_bytes(), type=About)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(path.parent, f"{path.name} cannot be read: {error}") from error
    if about.format != FORMAT:
        raise _damaged(
            path.parent, f"another Flyball made it (format {about.format}, not {FORMAT})"
        )
    return about


def _model(about: About, directory: Path) -> Recommender:
    family = _family(about.family)
    if family.version != about.family_version:
        raise _damaged(
            directory,
            f"it was made by {about.family}@{about.family_version}, installed is "
            f"{about.family}@{family.version}",
        )
    if (directory / "newcomers_items.npy").exists():
        return cast("Recommender", Covering.load(directory, family))
    return family.load(directory)


def _family(name: str) -> type[Recommender]:
    found = tuple(entry_points(group="flyball.models", name=name))
    if not found:
        raise ConfigurationError(
            f"no installed plug-in in flyball.models is called {name!r}; "
            "install the package that provides this model"
        )
    return cast("type[Recommender]", found[0].load())


def _optional(directory: Path, name: str, ndim: int = 1) -> NDArray[np.float32] | None:
    return open_array(directory, name, ndim=ndim) if (directory / f"{name}.npy").exists() else None


def _damaged(directory: Path, reason: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"the games model in {directory} cannot be used: {reason}; "
        "restore the artifact or train again"
    )
