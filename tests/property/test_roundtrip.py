"""Whatever a record holds is what comes back from the database: no mapper can lose a field."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.domain.access import ApiKey, Principal, RefreshFamily, SigningKey
from flyball.domain.bundle import ChainTip, SignedBundle
from flyball.domain.canonical import digest
from flyball.domain.data import DataBatch, DatasetVersion, Forgotten
from flyball.domain.deployment import Deployment
from flyball.domain.evidence import EvidenceKind
from flyball.domain.judging import Standing
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import Route, Slot, WorkerStatus
from flyball.domain.rules import Rules
from flyball.domain.traffic import Event, Window
from flyball.domain.training import Run
from flyball.domain.validation import ValidationReport
from flyball.storage.encoding import decoded, encoded, settled
from flyball.storage.tables import RECORDS
from flyball.testing.builders import a_route, an_entry, evidence

KINDS = (
    DataBatch,
    DatasetVersion,
    Forgotten,
    Rules,
    Run,
    ModelVersion,
    ValidationReport,
    Deployment,
    Standing,
    SignedBundle,
    ChainTip,
    WorkerStatus,
    ApiKey,
    Principal,
    RefreshFamily,
    SigningKey,
    Entry,
    Event,
    Window,
)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
TIMES = st.datetimes(datetime(1000, 1, 2), datetime(9998, 12, 30), timezones=ZONES | st.just(UTC))

st.register_type_strategy(str, TEXT)
st.register_type_strategy(float, NUMBERS | st.integers(-(2**53), 2**53))
st.register_type_strategy(datetime, TIMES)


def _any_value(kind: type) -> st.SearchStrategy[Any]:
    """Values of a kind with every field drawn, its defaults too; ``Any`` means JSON."""
    from typing import get_type_hints

    hints = get_type_hints(kind)
    return st.builds(kind, **{f.name: _field(hints[f.name]) for f in fields(kind)})


def _field(hint: Any) -> st.SearchStrategy[Any]:
    from dataclasses import is_dataclass
    from typing import get_args

    arguments = get_args(hint)
    if Any in arguments:
        return st.dictionaries(TEXT, JSON, max_size=3)
    if isinstance(hint, type) and is_dataclass(hint):
        return _any_value(hint)
    if Ellipsis in arguments:
        return st.lists(_field(arguments[0]), max_size=3).map(tuple)
    if type(None) in arguments:
        return st.none() | _field(next(a for a in arguments if a is not type(None)))
    if len(arguments) == 2:
        return st.dictionaries(_field(arguments[0]), _field(arguments[1]), max_size=3)
    return st.from_type(hint)


def _comes_back(value: Any) -> None:
    body = encoded(value)
    back = decoded(type(value), body, what="value")
    assert back == value
    assert digest(back) == digest(settled(value)) == digest(settled(back))


def test_every_kind_of_record_is_tried_here() -> None:
    assert set(RECORDS) <= {*KINDS, Route}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_any_value_comes_back(kind: type, data: st.DataObject) -> None:
    _comes_back(data.draw(_any_value(kind)))


@given(
    slots=st.dictionaries(st.sampled_from(Slot), TEXT, min_size=2),
    live=st.sampled_from(Slot),
    share=st.floats(0, 1),
    generation=st.integers(0),
)
def test_any_route_comes_back(
    slots: dict[Slot, str], live: Slot, share: float, generation: int
) -> None:
    _comes_back(a_route(slots=slots, live=live, challenger_share=share, generation=generation))


@given(names=st.lists(TEXT, unique=True, min_size=2))
def test_mappings_come_back_in_their_order(names: list[str]) -> None:
    body = encoded(a_worker_with(names))
    assert list(decoded(WorkerStatus, body, what="worker").applied) == names


@pytest.mark.parametrize("kind", EvidenceKind)
def test_every_kind_of_evidence_comes_back(kind: EvidenceKind) -> None:
    _comes_back(an_entry(evidence=evidence(kind)))


def a_worker_with(names: list[str]) -> WorkerStatus:
    from flyball.testing.builders import a_worker

    return a_worker(applied=dict.fromkeys(names, 1))
