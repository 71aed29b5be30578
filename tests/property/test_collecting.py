"""Whatever is recorded, a collection never removes what a model version needs."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from flyball.domain.data import EMPTY
from flyball.ports import Stored
from flyball.steps.collect import Named, decided
from flyball.testing.builders import NOON, a_batch, a_dataset

HASHES = [f"{number:032x}" for number in range(12)]
hashes = st.sampled_from(HASHES)
models = st.sampled_from(["games", "income"])
batches = st.builds(
    lambda model, number, sketches, left: a_batch(
        model=model, batch_id=f"b{number}", sketches=sketches, quarantine=left
    ),
    models,
    st.integers(0, 4),
    st.sampled_from(["", *HASHES]),
    st.sampled_from(["", *HASHES]),
)
versions = st.builds(
    lambda model, version, files, ids, head: a_dataset(
        model=model,
        version=version,
        files={f"000{i}-x-a.parquet": md5 for i, md5 in enumerate(files)},
        batches=tuple(f"b{i}" for i in ids),
        head=head if version == EMPTY else "",
    ),
    models,
    st.sampled_from([EMPTY, *HASHES]),
    st.lists(hashes, max_size=4),
    st.lists(st.integers(0, 4), max_size=3, unique=True),
    hashes,
)
named = st.builds(
    Named,
    versions=st.lists(versions, max_size=6, unique_by=lambda v: v.id),
    batches=st.lists(batches, max_size=6, unique_by=lambda b: b.id),
    learned=st.frozensets(st.tuples(models, hashes), max_size=3),
    read=st.frozensets(st.tuples(models, hashes), max_size=2),
)
ages = st.dictionaries(
    st.sampled_from([*HASHES, *(f"{md5}.dir" for md5 in HASHES)]), st.integers(-100, 100)
)


def needed(found: Named) -> set[str]:
    """By its own, plainer reckoning: everything that must stay."""
    batches = {(batch.model, batch.batch_id): batch for batch in found.batches}
    heads = {(v.model, v.head) for v in found.versions if v.version == EMPTY}
    stays: set[str] = set()
    for version in found.versions:
        if (version.model, version.version) in heads | found.learned | found.read:
            stays.add(version.version + ".dir")
            stays.update(version.files.values())
            for batch_id in version.batches:
                if batch := batches.get((version.model, batch_id)):
                    stays |= {batch.sketches, batch.quarantine}
    return stays


@given(named, ages)
def test_nothing_that_is_needed_goes_and_nothing_else_stays(found: Named, ages: dict[str, int]):
    """Except what is young."""
    stored = {
        oid: Stored(size=1, kept_at=NOON + timedelta(minutes=age)) for oid, age in ages.items()
    }
    plan = decided(stored, found, kept_before=NOON)
    young = {oid for oid, age in ages.items() if age >= 0}
    assert set(plan.garbage) == set(stored) - needed(found) - young


@given(named, ages)
def test_every_object_is_told(found: Named, ages: dict[str, int]):
    """It goes, or there is a reason why not; the counts add up for each reason."""
    stored = {
        oid: Stored(size=2, kept_at=NOON + timedelta(minutes=age)) for oid, age in ages.items()
    }
    plan = decided(stored, found, kept_before=NOON)
    staying = len(stored) - len(plan.garbage)
    assert plan.size == 2 * len(plan.garbage)
    assert all(0 < kept.objects <= staying for kept in plan.kept.values())
    assert sum(kept.objects for kept in plan.kept.values()) >= staying
    assert all(kept.size == 2 * kept.objects for kept in plan.kept.values())
