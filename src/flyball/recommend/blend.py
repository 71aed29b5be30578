"""A blend: a weighted sum of other models, the weights learnt on what was held back from them.

``score = sum over m of w_m * score_m / s_m``, where ``s_m`` is the spread of model m's scores, so
that weights compare. The models are fitted twice: without a part of the data, on which the weights
are learnt, and then on all of it. A sum of sums is a sum: a blend of models with exact reasons has
exact reasons.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from flyball.domain.canonical import canonical_json
from flyball.errors import ArtifactCorrupt, StorageUnavailable, TrainingError
from flyball.recommend.blend_weights import learnt_factors
from flyball.recommend.inner import inner_fold
from flyball.recommend.linear import Linear
from flyball.recommend.popularity import Popularity
from flyball.recommend.protocols import Terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flyball.recommend.histories import Histories, History
    from flyball.recommend.interactions import Interactions
    from flyball.recommend.protocols import Recommender

MOST = 4
"""Models in one blend that a search proposes: each costs its fit twice, and every answer a sum."""


class Component(BaseModel):
    """One of the models.

    Attributes:
        family: its plug-in.
        config: its hyperparameters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    config: dict[str, Any] = Field(default_factory=dict)


class BlendConfig(BaseModel):
    """What is blended.

    Attributes:
        components: each family at most once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    components: tuple[Component, ...] = Field(
        default=(Component(family="ease"), Component(family="popularity")), min_length=1
    )

    @classmethod
    def combining(cls, best: Mapping[str, Any]) -> Self:
        """The best of each family, the best families first; popularity always takes part."""
        chosen = list(best)[:MOST]
        if "popularity" in best and "popularity" not in chosen:
            chosen = [*chosen[: MOST - 1], "popularity"]
        found = ((name, best[name]) for name in chosen)
        return cls(
            components=tuple(
                Component(family=name, config=config.model_dump(mode="json"))
                for name, config in found
            )
        )


class _About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``blend.json``."""

    families: list[str]
    versions: list[int]
    factors: list[float]


class Blend:
    """A fitted blend.

    Args:
        models: of one number of items.
        factors: what each one's score is multiplied by: weight over spread.
    """

    family: ClassVar[str] = "blend"
    version: ClassVar[int] = 1
    Config: ClassVar[type[BlendConfig]] = BlendConfig

    def __init__(self, models: Sequence[Recommender], factors: Sequence[float]) -> None:
        self.models = tuple(models)
        self.factors = tuple(factors)

    @property
    def n_items(self) -> int:
        """How many items it scores."""
        return self.models[0].n_items

    @classmethod
    def fit(cls, data: Interactions, config: BlendConfig) -> Self:
        """Learn the weights, then fit the models on all of the data.

        Models that get no weight are left out. Linear ones that weigh a history alike are added
        up into one.

        Raises:
            TrainingError: the data are too few to hold a part back, or a model cannot be fitted.
        """
        data.require_trainable()
        kinds = [(_kind(one.family), one.config) for one in config.components]
        fold = inner_fold(data)
        early = [kind.fit(fold.train, kind.Config(**given)) for kind, given in kinds]
        factors = learnt_factors(early, fold)
        del early
        chosen = [(kind, given, f) for (kind, given), f in zip(kinds, factors, strict=True) if f]
        models = [kind.fit(data, kind.Config(**given)) for kind, given, _ in chosen]
        return cls(*added_up(models, [factor for _, _, factor in chosen]))

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores (n, n_items) of n histories; a new array."""
        total = self.models[0].predict(histories) * np.float32(self.factors[0])
        for model, factor in zip(self.models[1:], self.factors[1:], strict=True):
            total += model.predict(histories) * np.float32(factor)
        return total

    def score(self, history: History) -> NDArray[np.float32]:
        """Scores (n_items,) of one history; a new array."""
        total = self.models[0].score(history) * np.float32(self.factors[0])
        for model, factor in zip(self.models[1:], self.factors[1:], strict=True):
            total += model.score(history) * np.float32(factor)
        return total

    def terms(self, history: History, items: NDArray[np.integer[Any]]) -> Terms:
        """The sum of the models' terms; exact where all of these are."""
        total = np.zeros((len(items), len(history)), dtype=np.float32)
        base, exact = None, True
        for model, factor in zip(self.models, map(np.float32, self.factors), strict=True):
            found = model.terms(history, items)
            total += found.items * factor
            if found.base is not None:
                base = found.base * factor if base is None else base + found.base * factor
            exact = exact and found.exact
        return Terms(total, base, exact)

    def similar(self, item: int) -> NDArray[np.float32]:
        """The sum of what the models say; popularity, which knows no likeness, only if alone."""
        pairs = list(zip(self.models, self.factors, strict=True))
        telling = [pair for pair in pairs if not isinstance(pair[0], Popularity)] or pairs
        total = np.zeros(self.n_items, dtype=np.float32)
        for model, factor in telling:
            total += model.similar(item) * np.float32(factor)
        return total

    def save(self, directory: Path) -> None:
        """Write each model into a folder of its own, and ``blend.json``.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        for number, model in enumerate(self.models):
            model.save(directory / str(number))
        about = _About(
            [model.family for model in self.models],
            [model.version for model in self.models],
            list(self.factors),
        )
        path = directory / "blend.json"
        try:
            path.write_bytes(canonical_json(msgspec.to_builtins(about)))
        except OSError as error:
            raise StorageUnavailable(f"cannot write {path}: {error}; free some space") from error

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or another version of a model made it.
            ConfigurationError: no installed plug-in provides a family.
        """
        path = directory / "blend.json"
        try:
            about = msgspec.json.decode(path.read_bytes(), type=_About)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _damaged(directory, f"{path.name} cannot be read: {error}") from error
        if not len(about.families) == len(about.versions) == len(about.factors) > 0:
            raise _damaged(directory, f"the parts of {path.name} do not fit each other")
        models = []
        for number, (family, version) in enumerate(
            zip(about.families, about.versions, strict=True)
        ):
            kind = _kind(family)
            if kind.version != version:
                raise _damaged(directory, f"made by {family}@{version}, not @{kind.version}")
            models.append(kind.load(directory / str(number)))
        if len({model.n_items for model in models}) != 1:
            raise _damaged(directory, "its models score different numbers of items")
        return cls(models, about.factors)


def _kind(family: str) -> type[Recommender]:
    from flyball import plugins

    if family == Blend.family:
        raise TrainingError("a blend of blends is a blend: name its components instead")
    return cast("type[Recommender]", plugins.model(family))


def added_up(
    models: Sequence[Recommender], factors: Sequence[float]
) -> tuple[list[Recommender], list[float]]:
    """Models of which linear ones that weigh a history alike are added up into one."""
    kept: list[Recommender] = []
    multiplied: list[float] = []
    for model, factor in zip(models, factors, strict=True):
        for place, other in enumerate(kept):
            if isinstance(model, Linear) and isinstance(other, Linear):
                whole = other.plus(model, factor / multiplied[place])
                if whole is not None:
                    kept[place] = cast("Recommender", whole)
                    break
        else:
            kept.append(model)
            multiplied.append(factor)
    return kept, multiplied


def _damaged(directory: Path, reason: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"the blend in {directory} cannot be used: {reason}; restore the artifact or train again"
    )
