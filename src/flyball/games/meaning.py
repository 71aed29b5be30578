"""What a model's scores mean, and what it says of games that nobody had when it learnt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flyball.domain.canonical import canonical_json
from flyball.errors import ArtifactCorrupt, StorageUnavailable, TrainingError
from flyball.recommend.arrays import write_array
from flyball.recommend.calibrated import calibrated, write_calibration
from flyball.recommend.exposure import covering_within
from flyball.recommend.fame import by_fame
from flyball.recommend.newcomers import Covering, Newcomers
from flyball.recommend.popularity import Popularity, PopularityConfig

if TYPE_CHECKING:
    from flyball.recommend.interactions import Interactions
    from flyball.recommend.protocols import Recommender
    from flyball.recommend.split import Fold

SEED = 7
SHARE = 0.02
"""Of all places in lists of ten, new games get so many at most. Without a limit they were measured
to take up to a third of them, and a tenth of the accuracy: a pack for a loved game is as alike to
it as can be. A fiftieth is enough to be found in."""

MAX_USERS = 2000
"""Players that scores are calibrated on; more move no probability by much."""
RELIABILITY = "reliability.json"


def covered(model: Recommender, data: Interactions, whole: Interactions) -> Recommender:
    """The model, made to score new games by what they are like.

    New is what the model never saw because it came later: with dates, a game without a row in the
    training part; without, a game that nobody has at all. (A game whose one owner was held out by
    chance is not new: hardly anybody wants it, and to score it as its neighbours costs accuracy.)

    Args:
        data: what the model was fitted on. Without features of its games the model stays as it is.
        whole: the whole data, of the same games.
    """
    if data.features is None or isinstance(model, Covering):
        return model
    known = (whole if data.days is None else data).counts > 0
    newcomers = Newcomers.fit(data.features, known)
    if not len(newcomers):
        return model
    newcomers = by_fame(newcomers, data.features, data.counts)
    return cast("Recommender", covering_within(model, newcomers, data.histories(), SHARE))


def write_meaning(directory: Path, model: Recommender, fold: Fold) -> None:
    """Calibrate the model and popularity on the held-out games, and write what comes of it.

    Popularity, which players are shown of whom nothing is known, is that of the training part, as
    the model is: what it is calibrated on is what is served.

    Args:
        model: fitted on ``fold.train``.

    Raises:
        TrainingError: nothing was held out.
        StorageUnavailable: the disk refused it.
    """
    if not len(fold.test_users):
        raise TrainingError("no player has a held-out game: scores cannot be calibrated")
    found = calibrated(model, fold, seed=SEED, max_users=MAX_USERS)
    write_calibration(directory, "calibration", found.calibration)
    popularity = Popularity.fit(fold.train, PopularityConfig())
    popular = calibrated(popularity, fold, seed=SEED, max_users=MAX_USERS)
    write_calibration(directory, "calibration_popular", popular.calibration)
    write_array(directory, "shares", popularity.shares)
    plain = None if found.reliability is None else found.reliability.to_plain()
    path = directory / RELIABILITY
    try:
        path.write_bytes(canonical_json(plain))
    except OSError as error:
        raise StorageUnavailable(f"cannot write {path}: {error}; free some space") from error


def read_reliability(directory: Path) -> dict[str, Any] | None:
    """What ``write_meaning`` wrote of how far the calibration can be trusted; None: unknown.

    Raises:
        ArtifactCorrupt: the file is missing or damaged.
    """
    import json

    path = directory / RELIABILITY
    try:
        found: dict[str, Any] | None = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactCorrupt(f"{path} cannot be read: {error}; train again") from error
    return found
