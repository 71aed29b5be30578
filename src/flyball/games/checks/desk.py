"""What the checks of one validation share: the candidate, opened once, and rankings, made once.

A context comes to one check after another, each its own plug-in. What they have in common hangs on
the context, and goes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest
from flyball.games.artifact import Artifact
from flyball.games.evaluation import DEPTH, Translated
from flyball.games.meaning import covered
from flyball.recommend.interactions import Interactions
from flyball.recommend.metrics import ndcg
from flyball.recommend.ranking import Ranking, rank

if TYPE_CHECKING:
    from flyball.domain.lifecycle import ModelVersion
    from flyball.ports import CheckContext
    from flyball.recommend.protocols import Recommender, Scorer
    from flyball.recommend.split import Fold

DESK = "flyball.games.checks.desk"
K = 10
"""Places of a list that a player sees."""

SAMPLE = 1500
"""Players asked where a model is asked over and over."""

LEAST = 30
"""Players without whom nothing is said."""

SEED = 20110523
"""Of every draw and resampling; fixed, so that the same models get the same result."""

Families = Callable[[str], type[Any]]
Values = NDArray[np.float64]


@dataclass(eq=False)
class Desk:
    """Everything that was worked out about one fold so far."""

    fold: Fold
    _directories: dict[str, Path] = field(default_factory=dict)
    _artifacts: dict[str, Artifact] = field(default_factory=dict)
    _rankings: dict[str, Ranking] = field(default_factory=dict)

    def directory(self, context: CheckContext, version: ModelVersion) -> Path:
        """The version's files, verified.

        Raises:
            NotFound: the artifact is not stored.
            ArtifactCorrupt: it is not what was stored.
        """
        if version.artifact not in self._directories:
            found = context.blobs.get(version.artifact, verify=True)
            self._directories[version.artifact] = found
        return self._directories[version.artifact]

    def artifact(self, context: CheckContext, version: ModelVersion) -> Artifact:
        """The version's model with its games and players.

        Raises:
            NotFound, ArtifactCorrupt: as ``directory``.
        """
        if version.artifact not in self._artifacts:
            opened = Artifact.open(self.directory(context, version))
            self._artifacts[version.artifact] = opened
        return self._artifacts[version.artifact]

    def scorer(self, context: CheckContext, version: ModelVersion) -> Scorer:
        """The version's model, scoring the fold's games."""
        return Translated(self.artifact(context, version), self.fold.train.items)

    def judged(self, context: CheckContext, version: ModelVersion) -> Ranking:
        """The fold's players' lists under a packaged version.

        Raises:
            ValidationError: its scores cannot be ranked.
        """
        return self._ranked(version.artifact, lambda: self.scorer(context, version))

    def plain(self, families: Families, family: str) -> Ranking:
        """The same under a family with its defaults that learns here and now; new games score as
        the family has it.

        Args:
            families: finds a family by its name.
            family: its name.

        Raises:
            TrainingError: it cannot learn from this.
        """

        def made() -> Scorer:
            kind = families(family)
            return cast("Scorer", kind.fit(self.fold.train, kind.Config()))

        return self._ranked(family, made)

    def _ranked(self, key: str, make: Callable[[], Scorer]) -> Ranking:
        if key not in self._rankings:
            self._rankings[key] = rank(make(), self.fold, depth=DEPTH)
        return self._rankings[key]


def desk(context: CheckContext) -> Desk:
    """The desk of the fold that decides: one for all checks of a validation."""
    found = context.shared.get(DESK)
    if not isinstance(found, Desk) or found.fold is not context.prepared.final:
        found = context.shared[DESK] = Desk(context.prepared.final)
    return found


class Learning:
    """A check that fits models of its own.

    Args:
        families: finds the model class of a family; default the installed plug-ins.
    """

    def __init__(self, families: Families | None = None) -> None:
        self._families = families or plug_in


def refitted(
    families: Families,
    family: str,
    hyperparameters: Mapping[str, Any],
    data: Interactions,
    fold: Fold,
) -> Recommender:
    """A recipe learnt as packaging has it: with new games covered by what they are like.

    Args:
        families: finds a family by its name.
        family, hyperparameters: the recipe.
        data: the fold's training part, or that with more users.
        fold: says which games are new.

    Raises:
        TrainingError: the family cannot learn from this.
    """
    kind = families(family)
    model = kind.fit(data, kind.Config(**hyperparameters))
    both = csr_matrix(fold.train.matrix + fold.test)
    whole = Interactions(fold.train.users, fold.train.items, both)
    return covered(cast("Recommender", model), data, whole)


def plug_in(family: str) -> type[Any]:
    """The installed family of that name.

    Raises:
        ConfigurationError: there is none.
    """
    from flyball import plugins

    return plugins.model(family)


def sampled(fold: Fold, n: int = SAMPLE) -> NDArray[np.int64]:
    """At most ``n`` of the players to judge by, as rows of the fold, rising.

    Raises:
        InvalidRequest: there is none.
    """
    users = fold.test_users
    if not len(users):
        raise InvalidRequest("nobody has held-out games: nothing can be judged")
    if len(users) <= n:
        return users
    drawn = np.random.default_rng(SEED).choice(users, size=n, replace=False)
    return np.sort(drawn)


def part_of(fold: Fold, users: NDArray[np.int64]) -> Fold:
    """The fold of these players alone; all its games stay."""
    as_of = None if fold.as_of is None else fold.as_of[users]
    return type(fold)(fold.train.narrowed(users=users), fold.test[users], as_of)


def accuracy(ranking: Ranking) -> Values:
    """NDCG@10 of each player."""
    return ndcg(ranking, K)
