"""What a person reads after an ingest."""

from __future__ import annotations

import pytest
from cli_shop import Shop

from flyball.answers import Ingested
from flyball.domain.data import Measured, Severity
from flyball.domain.validation import Verdict
from flyball.testing.builders import a_batch, a_dataset


def measured(measure: str, verdict: Verdict, detail: str) -> Measured:
    """A measure of a batch."""
    return Measured(
        measure=measure, verdict=verdict, severity=Severity.NOTICE, observed=1.0, expected=None,
        p_value=None, false_alarm_rate=0.0, detail=detail,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("volume", "nulls:value"), "2 measures could not be judged: no earlier batch to compare"),
        (("volume",), "1 measure could not be judged: no earlier batch to compare"),
    ],
)
def test_of_measures_without_history_only_the_reason_is_told(shop: Shop, names, said) -> None:
    """Not what the first of them saw."""
    undecided = tuple(
        measured(name, Verdict.INCONCLUSIVE, "32,135 rows; no earlier batch") for name in names
    )
    batch = a_batch(measured=undecided)
    shop.answers["ingest"] = [Ingested(batch=batch, dataset=a_dataset(), new=True)]
    told = " ".join(shop("ingest", "games", "a.csv").out.split())
    assert said in told
    assert "32,135" not in told


def test_an_anomaly_is_told_with_its_evidence(shop: Shop) -> None:
    """And how much it matters."""
    odd = measured("late:timestamp", Verdict.FAIL, "half of the rows are older: an old export")
    batch = a_batch(measured=(odd,))
    shop.answers["ingest"] = [Ingested(batch=batch, dataset=a_dataset(), new=True)]
    told = " ".join(shop("ingest", "games", "a.csv").out.split())
    assert "notice late:timestamp: half of the rows are older: an old export" in told
    assert "could not be judged" not in told
