"""Whether a batch is abnormal beside earlier ones. No effects.

Measures share the batch's false-alarm rate: of clean batches, at most that share raises any alarm.
An alarm is a notice. It is severe, and stops the batch, only where chance is out of the question
(``SEVERE_P``), the difference is practically large (each measure's ``severe_at``) and the history
has ``SEVERE_BATCHES``: fewer than one clean batch in 10,000 is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from flyball.domain.data import Measured, Severity
from flyball.domain.schema import Schema
from flyball.domain.validation import Verdict
from flyball.stats.calibration import alarms
from flyball.stats.profile import Profile
from flyball.steps.measures import NEVER, Comparison, Evidence, every

SEVERE_P = 1e-6
"""With 50 measures a clean batch reaches it once in 20,000 times."""

SEVERE_BATCHES = 3
"""Earlier batches without which nothing is refused for being unusual."""

SLACK = 1.25
"""Intervals of a pair are not those of a column alone; so its share may seem so much larger."""


def judged(
    profile: Profile,
    history: Sequence[Profile],
    *,
    schema: Schema,
    false_alarms: float,
    now: datetime,
    own_events: bool = False,
) -> tuple[Measured, ...]:
    """Measure a batch, and judge it against earlier ones.

    Args:
        profile: the batch's.
        history: those of earlier batches of its table and kind, the oldest first.
        schema: the table's.
        false_alarms: share of clean batches that may raise any alarm, in (0, 1).
        now: UTC, with its time zone.
        own_events: the batches are the model's own events: how many there are is not judged.

    Returns:
        every measure: the alarms first, the least likely of them at the top. Without a history
        measures are inconclusive, except those that a sound batch cannot show at all.
    """
    comparison = Comparison.of(profile, history, schema, now, own_events=own_events)
    found = list(every(comparison))
    calibrated = [e for e in found if e.p_value is not None and not e.impossible]
    raised = alarms([e.p_value or 0.0 for e in calibrated], false_alarms)
    alarmed = {e.measure for e, alarm in zip(calibrated, raised, strict=True) if alarm}
    alarmed |= {e.measure for e in found if e.impossible and e.effect > 0}
    moved = _moved([e for e in found if e.measure in alarmed])
    rate = false_alarms / max(1, len(calibrated))
    measured = [
        _measured(
            _explained(e, moved),
            alarm=e.measure in alarmed,
            rate=rate,
            batches=len(comparison.history),
        )
        for e in found
    ]
    return tuple(sorted(measured, key=_urgency))


def _moved(alarmed: Sequence[Evidence]) -> dict[str, float]:
    """Columns that moved by themselves, and the share of the rows for which they did."""
    moved: dict[str, float] = {}
    for e in alarmed:
        kind, _, column = e.measure.partition(":")
        if kind in ("distribution", "new_values"):
            moved[column] = max(e.effect, moved.get(column, 0.0))
    return moved


def _explained(e: Evidence, moved: Mapping[str, float]) -> Evidence:
    """Two columns are not apart because one of them moved: it takes along what they share.

    Rows that a column moved may stand elsewhere in a pair, but no more of them. A correlation may
    change as a whole by a few values.
    """
    own = [column for column in e.pair if column in moved]
    most = SLACK * sum(moved[column] for column in own)
    if not own or (e.measure.startswith("joint:") and e.effect > most):
        return e
    return replace(
        e, severe_at=NEVER, cause=f"this follows from {' and '.join(own)}, which moved by itself"
    )


def _measured(e: Evidence, *, alarm: bool, rate: float, batches: int) -> Measured:
    verdict = Verdict.INCONCLUSIVE if e.p_value is None else Verdict.PASS
    return Measured(
        measure=e.measure,
        verdict=Verdict.FAIL if alarm else verdict,
        severity=Severity.SEVERE if alarm and _severe(e, batches) else Severity.NOTICE,
        observed=e.observed,
        expected=e.expected,
        p_value=e.p_value,
        false_alarm_rate=0.0 if e.impossible else rate,
        detail=f"{e.seen}: {e.cause}" if alarm and e.cause else e.seen,
    )


def _severe(e: Evidence, batches: int) -> bool:
    if e.effect < e.severe_at or e.p_value is None:
        return False
    return e.impossible or (e.p_value < SEVERE_P and batches >= SEVERE_BATCHES)


def _urgency(measured: Measured) -> tuple[bool, bool, float]:
    p_value = 1.0 if measured.p_value is None else measured.p_value
    return (
        measured.verdict is not Verdict.FAIL,
        measured.severity is not Severity.SEVERE,
        p_value,
    )
