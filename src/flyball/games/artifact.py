"""The files of a packaged games model, beside the platform's manifest.

::

    games.json        format, the model's family and its version, how many games and players
    items.npy         game ids, sorted, fixed-width Unicode; column c of the model is items[c]
    catalogue.json    what is known of each of them
    popularity.npy    int32, shape (n_games,): players who have the game
    users.npy         player ids in UTF-8, sorted, fixed-width bytes
    indptr.npy        int32, shape (n_players + 1,)
    indices.npy       int32: games of player p are indices[indptr[p]:indptr[p + 1]], rising
    model/            what the model's ``save`` wrote

The players' games are all there are, the held-out ones included: a game somebody has is never
recommended to them. The model is exactly the one that was validated, fitted on the training part.
The same data and model give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from flyball.domain.canonical import canonical_json
from flyball.errors import (
    ArtifactCorrupt,
    ConfigurationError,
    NotFound,
    StorageUnavailable,
    TrainingError,
)
from flyball.games.catalogue import Catalogue
from flyball.recommend.arrays import write_array

if TYPE_CHECKING:
    from flyball.recommend.protocols import Recommender
    from flyball.recommend.split import Fold

FORMAT = 1


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``games.json``."""

    format: int
    family: str
    family_version: int
    n_games: int
    n_players: int


def write(directory: Path, model: Recommender, fold: Fold, catalogue: Catalogue) -> None:
    """Write every file of the artifact into ``directory`` (made if absent).

    Args:
        model: fitted on ``fold.train``.
        fold: the whole data, both parts.
        catalogue: of exactly the games of the fold.

    Raises:
        TrainingError: the model was not fitted on this fold's catalogue.
        StorageUnavailable: the disk refused it.
    """
    items = fold.train.items
    if len(model.similar(0)) != len(items):
        raise TrainingError(
            f"the {model.family} model scores {len(model.similar(0))} games, the data has "
            f"{len(items)}; package a model with the data it was fitted on"
        )
    whole = (fold.train.matrix + fold.test).tocsr()
    whole.sort_indices()
    # sorted already: UTF-8 keeps the order of code points
    users = np.array([user.encode() for user in fold.train.users.tolist()], dtype=np.bytes_)
    model.save(directory / "model")
    write_array(directory, "items", items)
    write_array(directory, "users", users)
    write_array(directory, "indptr", whole.indptr.astype(np.int32))
    write_array(directory, "indices", whole.indices.astype(np.int32))
    counts = np.bincount(whole.indices, minlength=len(items))
    write_array(directory, "popularity", counts.astype(np.int32))
    about = About(FORMAT, model.family, model.version, len(items), len(users))
    try:
        catalogue.save(directory / "catalogue.json")
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
        popularity: int32, shape (n_games,), players who have it.
        shares: float32, shape (n_games,), the same as a share of all players, in [0, 1].
        users: shape (n_players,), ids in UTF-8, sorted.
        indptr, indices: the players' games, as the module says.
    """

    about: About
    model: Recommender
    catalogue: Catalogue
    items: tuple[str, ...]
    popularity: NDArray[np.int32]
    users: NDArray[np.bytes_]
    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    index: dict[str, int] = field(init=False, repr=False)
    shares: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {item: n for n, item in enumerate(self.items)})
        shares = self.popularity / max(1, len(self.users))
        object.__setattr__(self, "shares", shares.astype(np.float32))

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open what ``write`` wrote.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or the files do not fit each other.
            ConfigurationError: no installed plug-in provides the model's family.
        """
        about = _about(directory / "games.json")
        try:
            catalogue = Catalogue.load(directory / "catalogue.json")
        except NotFound as error:
            raise _damaged(directory, str(error)) from error
        opened = cls(
            about=about,
            model=_model(about, directory / "model"),
            catalogue=catalogue,
            items=tuple(_array(directory, "items", "U").tolist()),
            popularity=_array(directory, "popularity", "i"),
            users=_array(directory, "users", "S"),
            indptr=_array(directory, "indptr", "i"),
            indices=_array(directory, "indices", "i"),
        )
        opened._require_consistent(directory)
        return opened

    def history(self, user: str) -> NDArray[np.int32]:
        """Columns of the games of a player, rising; empty for a player not in the data."""
        row = self.row(user)
        if row is None:
            return self.indices[:0]
        return self.indices[self.indptr[row] : self.indptr[row + 1]]

    def row(self, user: str) -> int | None:
        """The place of a player among ``users``, or None."""
        key = user.encode("utf-8", "replace")
        if len(key) > self.users.dtype.itemsize:  # searchsorted would copy every id to widen it
            return None
        row = int(np.searchsorted(self.users, np.array(key, dtype=self.users.dtype)))
        return row if row < len(self.users) and self.users[row] == key else None

    def _require_consistent(self, directory: Path) -> None:
        n_games, n_players = self.about.n_games, self.about.n_players
        rises = np.all(np.diff(self.indptr) >= 0) if len(self.indptr) else False
        if not (
            len(self.items) == len(self.popularity) == len(self.catalogue) == n_games > 0
            and all(g.game_id == i for g, i in zip(self.catalogue, self.items, strict=True))
            and len(self.users) == n_players == len(self.indptr) - 1
            and rises
            and self.indptr[0] == 0
            and self.indptr[-1] == len(self.indices)
            and (len(self.indices) == 0 or self.indices.min() >= 0)
            and (len(self.indices) == 0 or self.indices.max() < n_games)
            and len(self.model.similar(0)) == n_games
        ):
            raise _damaged(directory, "its files do not fit each other")


def _about(path: Path) -> About:
    try:
        about = msgspec.json.decode(path.read_bytes(), type=About)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(path.parent, f"{path.name} cannot be read: {error}") from error
    if about.format != FORMAT:
        raise _damaged(path.parent, f"its format {about.format} is not {FORMAT}")
    return about


def _model(about: About, directory: Path) -> Recommender:
    family = _family(about.family)
    if family.version != about.family_version:
        raise _damaged(
            directory,
            f"it was made by {about.family}@{about.family_version}, installed is "
            f"{about.family}@{family.version}",
        )
    return family.load(directory)


def _family(name: str) -> type[Recommender]:
    found = tuple(entry_points(group="flyball.models", name=name))
    if not found:
        raise ConfigurationError(
            f"no installed plug-in in flyball.models is called {name!r}; "
            "install the package that provides this model"
        )
    return cast("type[Recommender]", found[0].load())


def _array(directory: Path, name: str, kind: str) -> NDArray[Any]:
    path = directory / f"{name}.npy"
    try:
        array = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(directory, f"{path.name} cannot be read: {error}") from error
    if array.dtype.kind != kind or array.ndim != 1:
        raise _damaged(directory, f"{path.name} holds {array.dtype} of shape {array.shape}")
    return array


def _damaged(directory: Path, reason: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"the games model in {directory} cannot be used: {reason}; "
        "restore the artifact or train again"
    )
