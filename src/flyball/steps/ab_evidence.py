"""Evidence on a version that was never shown: from lists with chance in them, and their clicks.

For each such list the version is asked what it would have shown that user then, knowing what they
had done by then and nothing later. Lists from before the end of its training data do not count: it
has learnt from what came of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flyball.domain.ab_test import Metric
from flyball.domain.routing import bucket
from flyball.domain.traffic import EventType
from flyball.errors import FlyballError, ValidationError
from flyball.ports import Asking, Ranks
from flyball.stats.experiments.off_policy import Evidence, Logged, doubly_robust, snips
from flyball.steps.ab_counts import Sources, joined_events, received

if TYPE_CHECKING:
    import polars as pl

MOST_LISTS = 50_000
"""As many are asked for in a minute or so."""

SHRUNK_BY = 20.0
"""Average shown items by which what is expected of one is drawn towards the average."""

_AT_ONCE = 256
_OWNS = tuple(kind.value for kind in (EventType.PURCHASE, EventType.PLAY, EventType.DISLIKE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version that can be asked.

    Attributes:
        version: its name.
        application: asks it.
        servable: it, loaded.
        rules: the business rules, as the application reads them; None: none.
    """

    version: str
    application: Ranks
    servable: Any
    rules: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Which lists are to say something.

    Attributes:
        model: whose.
        shown: the version that answered them: the champion.
        metric: what is compared, per shown item.
        since: when the first was shown, not before the candidate's training data ended; UTC.
        until: when they end, and what came of them; UTC.
        most: with more, whole users are left out, by a hash of their names.
    """

    model: str
    shown: str
    metric: Metric
    since: datetime
    until: datetime
    most: int = MOST_LISTS


@dataclass(frozen=True, slots=True, kw_only=True)
class AbEvidence:
    """What lists with chance in them say of a version.

    Attributes:
        version: the candidate.
        sought: which lists they are.
        lists: how many.
        snips, doubly_robust: two estimates of the difference; None where there is no list.
        insufficient: why they prove nothing; empty where they do.
    """

    version: str
    sought: Sought
    lists: int
    snips: Evidence | None
    doubly_robust: Evidence | None
    insufficient: str


def evidence(sought: Sought, candidate: Candidate, sources: Sources) -> AbEvidence:
    """What would have come of the candidate's lists, had they been shown.

    Raises:
        ValidationError: the candidate failed to rank; says how.
        StorageUnavailable: lists or events cannot be read.
    """
    served = sources.served.read(sought.model, since=sought.since, until=sought.until)
    lists = _lists(served, sought)
    found: dict[str, Any] = {"snips": None, "doubly_robust": None, "insufficient": _NO_LISTS}
    if lists.height:
        logged = _logged(_rows(lists, sought, candidate, sources))
        estimates = snips(logged), doubly_robust(logged)
        found = {
            "snips": estimates[0],
            "doubly_robust": estimates[1],
            "insufficient": estimates[0].insufficient,
        }
    return AbEvidence(
        version=candidate.version,
        sought=sought,
        lists=lists.height,
        **found,
    )


_NO_LISTS = (
    "no list with chance in it was shown in that time; set `exploration` of the model, "
    "for example to 0.05, and wait"
)


def _lists(served: pl.DataFrame, sought: Sought) -> pl.DataFrame:
    """Lists with chance in them, to users with a name, answered as usual by that version."""
    import polars as pl

    usual = (pl.col("user_id") != "") & (pl.col("fallback") == "") & ~pl.col("filtered")
    chance = pl.col("propensities").list.min() < 1.0
    found = served.filter((pl.col("version") == sought.shown) & usual & chance)
    if found.height <= sought.most:
        return found
    part = sought.most / found.height
    users = found["user_id"].unique().to_list()
    return found.filter(pl.col("user_id").is_in([u for u in users if bucket(u, "asked") < part]))


def _rows(
    lists: pl.DataFrame, sought: Sought, candidate: Candidate, sources: Sources
) -> pl.DataFrame:
    """One row a shown item: ``user_id``, ``position``, ``item_id``, ``propensity``, ``reward``, and
    ``theirs``: the candidate's item there (null where its list is shorter).
    """
    import polars as pl

    from flyball.steps.shown import events_frame, join

    events = joined_events(sought.model, sought.since, sought.until, sources)
    told = events_frame(list(events))
    theirs = pl.DataFrame(
        {
            "recommendation_id": lists["recommendation_id"],
            "theirs": list(_asked(lists, sought, candidate, sources)),
        },
        schema_overrides={"theirs": pl.List(pl.String)},
    )
    reward = {
        Metric.CLICKS: pl.col("clicked").cast(pl.Float64),
        Metric.PURCHASES: pl.col("purchased").cast(pl.Float64),
        Metric.VALUE: pl.col("value").fill_null(0.0),
    }[sought.metric]
    return (
        join(lists, told)
        .join(theirs, on="recommendation_id", how="left")
        .with_columns(
            reward=reward,
            theirs=pl.col("theirs").list.get(pl.col("position") - 1, null_on_oob=True),
        )
        .select("user_id", "position", "item_id", "propensity", "reward", "theirs")
    )


def _asked(
    lists: pl.DataFrame, sought: Sought, candidate: Candidate, sources: Sources
) -> Iterator[list[str]]:
    """The candidate's list in place of each."""
    pasts, model = _pasts(set(lists["user_id"].to_list()), sought, sources), sought.model
    asked = [
        Asking(user, len(items), _by(pasts.get(user, ()), at), at)
        for user, items, at in lists.select("user_id", "item_ids", "shown_at").iter_rows()
    ]
    for start in range(0, len(asked), _AT_ONCE):
        try:
            yield from candidate.application.ranked(
                candidate.servable, asked[start : start + _AT_ONCE], candidate.rules
            )
        except FlyballError:
            raise
        except Exception as error:
            raise ValidationError(
                f"{model}/{candidate.version} failed to rank what was logged "
                f"({type(error).__name__}: {error}); validate it with "
                f"`flyball validate {model} {candidate.version}`"
            ) from error


_Past = Sequence[tuple[datetime, str, str]]


def _pasts(users: set[str], sought: Sought, sources: Sources) -> dict[str, _Past]:
    """What users came to have or dislike, by time: when, how, and which item."""
    found: dict[str, list[tuple[datetime, str, str]]] = defaultdict(list)
    for event in received(sought.model, None, sought.until, sources.events, _OWNS):
        if event.user_id in users:
            found[event.user_id].append((event.received_at, event.type.value, event.item_id))
    return {user: sorted(past) for user, past in found.items()}


def _by(past: _Past, at: datetime) -> Mapping[str, frozenset[str]]:
    """What of it they had by then."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for _, kind, item in past[: bisect_left(past, at, key=lambda one: one[0])]:
        kinds[kind].add(item)
    return {kind: frozenset(items) for kind, items in kinds.items()}


def _logged(rows: pl.DataFrame) -> Logged:
    """The choices as the estimates take them, with what is expected of each.

    What is expected of an item is what the users of the other half made of it, against what is
    usual at the places where they saw it; so nobody's clicks speak for themselves.
    """
    import polars as pl

    halves = {user: bucket(user, "half") < 0.5 for user in rows["user_id"].unique().to_list()}
    half = pl.col("user_id").replace_strict(halves, return_dtype=pl.Boolean)
    rows = rows.with_row_index("row").with_columns(half=half)
    parts = []
    for mine in (True, False):
        usual, better = _learnt(rows.filter(pl.col("half") != mine))
        known = (
            rows.filter(pl.col("half") == mine)
            .join(usual, on="position", how="left")
            .join(better, on="item_id", how="left")
            .join(better, left_on="theirs", right_on="item_id", how="left", suffix="_theirs")
            .with_columns(pl.col("usual").fill_null(0.0))
        )
        ours, other = (pl.col(name).fill_null(1.0) for name in ("better", "better_theirs"))
        none = pl.col("theirs").is_null()
        parts.append(
            known.with_columns(
                expected=pl.col("usual") * ours,
                expected_target=pl.when(none).then(0.0).otherwise(pl.col("usual") * other),
            )
        )
    whole = pl.concat(parts).sort("row")
    same = (pl.col("item_id") == pl.col("theirs")).fill_null(value=False).cast(pl.Float64)
    return Logged(
        users=whole["user_id"].to_numpy(),
        rewards=whole["reward"].to_numpy(),
        propensities=whole["propensity"].to_numpy(),
        target=whole.select(same.alias("same"))["same"].to_numpy(),
        expected=whole["expected"].to_numpy(),
        expected_target=whole["expected_target"].to_numpy(),
    )


def _learnt(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is usual at each place, and how many times that each item gets."""
    import polars as pl

    usual = rows.group_by("position").agg(usual=pl.col("reward").mean())
    prior = SHRUNK_BY * float(rows["reward"].sum()) / max(rows.height, 1)
    better = (
        rows.join(usual, on="position", how="left")
        .group_by("item_id")
        .agg(pl.col("reward").sum(), pl.col("usual").sum())
        .select(
            "item_id",
            better=(pl.col("reward") + prior) / (pl.col("usual") + prior) if prior else pl.lit(1.0),
        )
    )
    return usual, better
