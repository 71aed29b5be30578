"""What every implementation of the port ``Records`` promises.

Inherit it and give a fixture ``records`` that yields an empty implementation::

    class TestMyRecords(RecordsContract):
        @pytest.fixture
        def records(self):
            return MyRecords()
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest

from flyball.domain.deployment import Phase
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route, Slot, WorkerStatus
from flyball.domain.training import Run, SearchBudget
from flyball.errors import InvalidRequest, NotFound, StaleWrite
from flyball.ports import Change, Record, Records
from flyball.testing import builders as a
from flyball.testing.access import a_family, a_principal, a_signing_key, an_api_key

ONE_OF_EACH: tuple[Record, ...] = (
    a.a_batch(),
    a.a_dataset(),
    a.a_run(),
    a.a_version(),
    a.a_report(),
    a.a_deployment(),
    a.a_route(),
    a.a_worker(),
    an_api_key(),
    a_principal(),
    a_family(),
    a_signing_key(),
)


def together(count: int, act: Callable[[int], Any]) -> list[Any]:
    """``act(0..count-1)`` in as many threads, begun at one moment; results or exceptions."""
    start = Barrier(count)

    def begin(index: int) -> Any:
        start.wait()
        try:
            return act(index)
        except StaleWrite as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


class RecordsContract:
    """Records are exact, guarded against lost updates, and accompanied by their ledger."""

    @pytest.mark.parametrize("value", ONE_OF_EACH, ids=lambda value: type(value).__name__)
    def test_give_back_what_was_written(self, records: Records, value: Record) -> None:
        records.commit([Change(value=value)])
        assert records.get(type(value), value.id) == value
        assert records.find(type(value)) == [value]

    def test_of_different_kinds_may_share_an_id(self, records: Records) -> None:
        version = a.a_version()
        run = a.a_run(run_id=version.name)
        records.commit([Change(value=version), Change(value=run)])
        assert records.get(ModelVersion, version.id) == version
        assert records.get(Run, version.id) == run

    def test_are_found_by_model_in_the_order_of_first_writing(self, records: Records) -> None:
        first, second = a.a_version("1.0.1"), a.a_version("1.0.0")
        other = a.a_version(model="adult")
        records.commit([Change(value=value) for value in (first, other, second)])
        moved = replace(first, state=State.TRAINING)
        records.commit([Change(value=moved, replacing=first)])
        assert records.find(ModelVersion, model="games") == [moved, second]
        assert records.find(ModelVersion) == [moved, other, second]

    def test_with_a_limit_are_the_last_so_many(self, records: Records) -> None:
        versions = [a.a_version(f"1.0.{patch}") for patch in range(5)]
        records.commit([Change(value=version) for version in versions])
        assert records.find(ModelVersion, limit=2) == versions[-2:]
        assert records.find(ModelVersion, limit=9) == versions
        assert records.find(ModelVersion, limit=0) == []

    def test_that_are_not_there_are_refused_with_the_nearest_ids(self, records: Records) -> None:
        records.commit([Change(value=a.a_version())])
        with pytest.raises(NotFound) as refused:
            records.get(ModelVersion, "games/1.0.0-0123abcd-89ef4568")
        assert "model version" in str(refused.value)
        assert a.a_version().id in str(refused.value)

    def test_that_are_not_there_are_said_to_be_none_where_there_are_none(
        self, records: Records
    ) -> None:
        with pytest.raises(NotFound, match="none at all"):
            records.get(Route, "games")

    def test_of_unknown_models_are_an_empty_list(self, records: Records) -> None:
        assert records.find(Run, model="nobody") == []

    def test_read_back_can_be_replaced(self, records: Records) -> None:
        """A whole number given where the field holds a float is no trap."""
        run = a.a_run(budget=SearchBudget(trials=3, timeout_s=600))
        records.commit([Change(value=run)])
        read = records.get(Run, run.id)
        records.commit([Change(value=replace(read, trials_done=3), replacing=read)])
        assert records.get(Run, run.id).trials_done == 3

    def test_are_replaced_only_while_they_equal_what_was_read(self, records: Records) -> None:
        old = a.a_deployment()
        new = old.moved(Phase.SWITCHING, at=a.NOON)
        records.commit([Change(value=old)])
        records.commit([Change(value=new, replacing=old)])
        with pytest.raises(StaleWrite, match="games/1"):
            records.commit(
                [Change(value=old.moved(Phase.FAILED, at=a.NOON), replacing=old)], [a.an_entry()]
            )
        assert records.get(type(old), old.id) == new
        assert records.ledger() == []

    def test_that_are_gone_cannot_be_replaced(self, records: Records) -> None:
        with pytest.raises(StaleWrite):
            records.commit([Change(value=a.a_worker(rss_bytes=2), replacing=a.a_worker())])
        assert records.find(WorkerStatus) == []

    def test_are_written_all_or_not_at_all(self, records: Records) -> None:
        records.commit([Change(value=a.a_run())])
        taken = a.a_run(seed=8)
        with pytest.raises(StaleWrite):
            records.commit([Change(value=a.a_version()), Change(value=taken)], [a.an_entry()])
        assert records.find(ModelVersion) == []
        assert records.ledger() == []
        assert records.verify_ledger() == 0

    def test_repeated_change_nothing_and_say_nothing(self, records: Records) -> None:
        for _ in range(2):
            records.commit([Change(value=a.a_version())], [a.an_entry()])
        assert records.find(ModelVersion) == [a.a_version()]
        assert len(records.ledger()) == 1

    def test_partly_new_are_entered(self, records: Records) -> None:
        records.commit([Change(value=a.a_version())])
        changes = [Change(value=a.a_version()), Change(value=a.a_run())]
        records.commit(changes, [a.an_entry()])
        assert records.find(Run) == [a.a_run()]
        assert len(records.ledger()) == 1

    def test_that_cannot_be_kept_are_refused(self, records: Records) -> None:
        with pytest.raises(InvalidRequest):
            records.commit([Change(value=a.a_version(metrics={"ndcg@10": float("nan")}))])
        assert records.find(ModelVersion) == []

    def test_are_forgotten_when_discarded(self, records: Records) -> None:
        records.commit([Change(value=a.a_worker()), Change(value=a.a_worker("host:2"))])
        for _ in range(2):
            records.discard(WorkerStatus, "host:1")
        assert [worker.id for worker in records.find(WorkerStatus)] == ["host:2"]

    def test_raced_for_by_two_writers_go_to_exactly_one(self, records: Records) -> None:
        route = a.a_route()
        records.commit([Change(value=route)])

        def switch(index: int) -> str:
            wish = replace(route, generation=2, slots={Slot.BLUE: f"writer {index}"})
            records.commit(
                [Change(value=wish, replacing=route)], [a.an_entry(actor=f"writer {index}")]
            )
            return f"writer {index}"

        results = together(4, switch)
        winners = [result for result in results if isinstance(result, str)]
        assert len(winners) == 1
        assert records.get(Route, "games").champion == winners[0]
        assert [row.entry.actor for row in records.ledger()] == winners

    def test_ledger_is_in_order_and_verifies(self, records: Records) -> None:
        entries = [a.an_entry(reason=f"reason {number}") for number in range(3)]
        records.commit([], entries[:2])
        records.commit([], entries[2:])
        rows = records.ledger()
        assert [row.entry for row in rows] == entries
        assert [row.seq for row in rows] == [1, 2, 3]
        assert records.verify_ledger() == 3

    def test_ledger_can_be_read_by_model_and_from_its_end(self, records: Records) -> None:
        models = ("games", "adult", "games", "games")
        records.commit([], [a.an_entry(model=model) for model in models])
        assert [row.seq for row in records.ledger(model="games")] == [1, 3, 4]
        assert [row.seq for row in records.ledger(limit=2)] == [3, 4]
        assert [row.seq for row in records.ledger(model="games", limit=2)] == [3, 4]
        assert [row.seq for row in records.ledger(model="adult", limit=9)] == [2]

    def test_ledger_keeps_one_chain_under_many_writers(self, records: Records) -> None:
        def write(index: int) -> None:
            for number in range(5):
                records.commit([], [a.an_entry(actor=f"{index}", reason=f"{number}")])

        together(4, write)
        assert records.verify_ledger() == 20
        by_actor = [row.entry.reason for row in records.ledger() if row.entry.actor == "2"]
        assert by_actor == ["0", "1", "2", "3", "4"]
