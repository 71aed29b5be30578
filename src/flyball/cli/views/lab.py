"""Experiments, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

from flyball.cli.views.words import below, facts, measures, table

if TYPE_CHECKING:
    from flyball.answers import Experimented


def launched(done: Experimented) -> Iterator[RenderableType]:
    """What was hidden, and of each day who found it."""
    games, days = done.found["games"], done.found["days"]
    known = f"{games['hidden']:,} of {games['eligible']:,} games with players, date and content"
    yield facts(
        [
            ("tried", f"{done.family} ({done.version or 'default settings'})"),
            ("settings", measures(done.hyperparameters)),
            ("data", done.data_version),
            ("hidden", known),
            ("released", f"{games['released_from']} to {games['released_until']}"),
            ("share of interactions", f"{games['share_of_interactions']:.1%}"),
            ("most owned", ", ".join(games["most_owned"])),
        ]
    )
    for day in days:
        yield from _day(day)


def _day(day: Mapping[str, Any]) -> Iterator[RenderableType]:
    if "why" in day:
        yield below(f"Day {day['day']}: {day['why']}")
        return
    yield below(
        f"Day {day['day']}: lists of hidden games for {day['players']:,} players; in all they have "
        f"taken {day['interactions']:,}"
    )
    made = table("List by", f"Recall@{day['recall_at']}", "95%", f"NDCG@{day['ndcg_at']}")
    for score in day["scores"]:
        recall, ndcg = score["recall"], score["ndcg"]
        made.add_row(
            score["name"],
            f"{recall['mean']:.3f}",
            f"{recall['low']:.3f} to {recall['high']:.3f}",
            f"{ndcg['mean']:.3f}",
        )
    yield made
    times = [f"{value:.1f} times {name}" for name, value in day["times"].items() if value]
    if times:
        yield f"Recall of the model: {', '.join(times)}."
    exposure = day["exposure"]
    yield (
        f"Among all games, hidden ones take {exposure['share_of_places']:.1%} of the first "
        f"{exposure['at']} places ({exposure['share_of_interactions']:.1%} of what players have); "
        f"{exposure['games_shown']:,} of them are shown at all."
    )
