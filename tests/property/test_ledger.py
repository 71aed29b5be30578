"""The ledger: whatever is changed, removed, inserted or reordered, verification finds it."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.domain.evidence import EvidenceKind
from flyball.domain.ledger import GENESIS, Entry, LedgerRow, chained, verify
from flyball.errors import LedgerBroken
from flyball.testing.builders import NOON, an_entry, evidence

ENTRIES = st.builds(
    an_entry,
    at=st.integers(0, 10**9).map(lambda s: NOON + timedelta(seconds=s)),
    actor=st.text(max_size=5),
    reason=st.text(max_size=5),
    evidence=st.none() | st.builds(evidence, st.sampled_from(EvidenceKind)),
)
OTHER: dict[str, Any] = {"at": NOON - timedelta(days=1), "evidence": evidence(digest="00" * 32)}
"""Values that no drawn entry has; text fields get another text."""


def chain(entries: list[Entry]) -> list[LedgerRow]:
    """The rows of a fresh ledger."""
    rows: list[LedgerRow] = []
    for entry in entries:
        previous = rows[-1].digest if rows else GENESIS
        rows.append(chained(entry, seq=len(rows) + 1, previous=previous))
    return rows


LEDGERS = st.lists(ENTRIES, min_size=2, max_size=6).map(chain)


def check(rows: list[LedgerRow], recorded: list[LedgerRow]) -> int:
    """Verify ``rows`` against the head of the ledger as it was recorded."""
    return verify(rows, count=len(recorded), head=recorded[-1].digest)


@given(LEDGERS)
def test_an_untouched_ledger_verifies(rows: list[LedgerRow]) -> None:
    assert check(rows, rows) == len(rows)


def test_an_empty_ledger_verifies() -> None:
    assert verify([], count=0, head=GENESIS) == 0


@given(LEDGERS, st.data())
def test_a_change_of_any_field_of_any_row_is_found(
    rows: list[LedgerRow], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from([f.name for f in fields(Entry)]))
    entry = rows[index].entry
    changed = replace(entry, **{name: OTHER.get(name, f"{getattr(entry, name)}!")})
    forged = [*rows]
    forged[index] = replace(rows[index], entry=changed)
    with pytest.raises(LedgerBroken, match=f"row {index + 1} was changed"):
        check(forged, rows)


@given(LEDGERS, st.data())
def test_a_removal_anywhere_is_found(rows: list[LedgerRow], data: st.DataObject) -> None:
    """At the start, in the middle, at the end, one row or many."""
    start = data.draw(st.integers(0, len(rows) - 1))
    end = data.draw(st.integers(start + 1, len(rows)))
    with pytest.raises(LedgerBroken):
        check(rows[:start] + rows[end:], rows)


@given(LEDGERS, st.data())
def test_a_removal_with_new_numbers_is_found(rows: list[LedgerRow], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(rows) - 1))
    left = rows[:index] + rows[index + 1 :]
    renumbered = [replace(row, seq=seq) for seq, row in enumerate(left, 1)]
    with pytest.raises(LedgerBroken):
        check(renumbered, rows)


@given(LEDGERS, st.data(), st.booleans())
def test_a_swap_of_two_rows_is_found(
    rows: list[LedgerRow], data: st.DataObject, renumbered: bool
) -> None:
    one, other = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=2, unique=True))[:2]
    swapped = [*rows]
    swapped[one], swapped[other] = rows[other], rows[one]
    if renumbered:
        swapped = [replace(row, seq=seq) for seq, row in enumerate(swapped, 1)]
    with pytest.raises(LedgerBroken, match=f"row {min(one, other) + 1}"):
        check(swapped, rows)


@given(LEDGERS, ENTRIES)
def test_a_row_added_past_the_recorded_head_is_found(rows: list[LedgerRow], extra: Entry) -> None:
    added = [*rows, chained(extra, seq=len(rows) + 1, previous=rows[-1].digest)]
    with pytest.raises(LedgerBroken, match="added at the end"):
        check(added, rows)


@given(LEDGERS, st.data())
def test_a_chain_written_anew_is_found_by_its_head(
    rows: list[LedgerRow], data: st.DataObject
) -> None:
    """Who changes a row and repairs every digest after it still has the wrong head."""
    index = data.draw(st.integers(0, len(rows) - 1))
    entries = [row.entry for row in rows]
    entries[index] = replace(entries[index], reason=f"{entries[index].reason}!")
    with pytest.raises(LedgerBroken, match="written anew"):
        check(chain(entries), rows)
