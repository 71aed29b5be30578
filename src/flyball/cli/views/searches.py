"""What a search tried, and why the winner won."""

from __future__ import annotations

from rich.console import RenderableType

from flyball.cli.views.words import coloured, measures, number, table
from flyball.domain.text import many
from flyball.domain.training import Run, TrainingResult, Trial

BEST = 10
"""Trials that are shown; all of them stand in the report and with --json."""


def searched(run: Run | None) -> list[tuple[str, RenderableType]]:
    """Facts of a finished search: why the winner won, and which families were not tried."""
    if run is None or run.result is None:
        return []
    skipped = "; ".join(f"{family}: {why}" for family, why in run.result.skipped.items())
    return [("chosen", run.result.why), ("not tried", skipped)]


def tried(result: TrainingResult) -> RenderableType:
    """The trials that came furthest, the best first."""
    ranked = sorted(result.trials, key=lambda t: (t.value is None, -(t.value or 0.0), t.number))
    made = table(
        "Trial", "Family", result.objective or "Objective", "Seconds", "Settings",
        keep=("Trial", "Seconds"),
    )  # fmt: skip
    for trial in ranked[:BEST]:
        made.add_row(
            str(trial.number),
            trial.family,
            number(trial.value) if trial.value is not None else coloured(trial.state),
            f"{trial.seconds:.1f}",
            measures(trial.hyperparameters),
        )
    if rest := ranked[BEST:]:
        made.add_row("", _rest(rest), "", "", "")
    return made


def _rest(trials: list[Trial]) -> str:
    return f"and {many(len(trials), 'more trial')}"
