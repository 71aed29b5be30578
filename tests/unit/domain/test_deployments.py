"""Deployments: which phases follow which, and when workers are counted as ready."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flyball.domain.deployment import FINAL, Phase, applied, loaded
from flyball.domain.routing import Slot, SlotPhase, SlotStatus, WorkerStatus, alive
from flyball.domain.validation import Verdict
from flyball.errors import IllegalTransition
from flyball.testing.builders import NOON, a_deployment, a_route, a_version, a_worker

NEW = a_version("1.1.0").name
ROUTE = a_route(generation=2).loading(NEW, salt="games/2")
LATER = NOON + timedelta(minutes=5)
ALLOWED = {
    (Phase.LOADING, Phase.ROLLING),
    (Phase.LOADING, Phase.SWITCHING),
    (Phase.LOADING, Phase.FAILED),
    (Phase.ROLLING, Phase.SWITCHING),
    (Phase.ROLLING, Phase.ROLLED_BACK),
    (Phase.SWITCHING, Phase.BAKING),
    (Phase.SWITCHING, Phase.ROLLED_BACK),
    (Phase.BAKING, Phase.DONE),
    (Phase.BAKING, Phase.ROLLED_BACK),
    (Phase.DONE, Phase.ROLLED_BACK),
}


def with_green(phase: SlotPhase, *, version: str = NEW, worker: str = "host:1") -> WorkerStatus:
    """A worker whose green slot has come that far."""
    status = SlotStatus(version=version, phase=phase, detail="out of memory")
    return a_worker(worker, slots={"games/green": status}, applied={"games": 3})


class TestADeployment:
    """It moves forward, or ends; what never took traffic fails, what did is rolled back."""

    @pytest.mark.parametrize("source", Phase)
    @pytest.mark.parametrize("target", Phase)
    def test_makes_declared_moves_only(self, source: Phase, target: Phase) -> None:
        deployment = a_deployment(phase=source)
        if (source, target) in ALLOWED:
            moved = deployment.moved(target, at=LATER, detail="why")
            expected = replace(deployment, phase=target, moved_at=LATER, detail="why")
            assert moved == expected
        else:
            with pytest.raises(IllegalTransition, match=f"games/1 is {source}.*{target}"):
                deployment.moved(target, at=LATER)

    def test_keeps_the_end_of_its_bake(self) -> None:
        baking = a_deployment(phase=Phase.SWITCHING).moved(Phase.BAKING, at=NOON, bake_until=LATER)
        assert baking.moved(Phase.DONE, at=LATER).bake_until == LATER

    def test_that_ended_without_serving_never_moves_again(self) -> None:
        onward = {source for source, _ in ALLOWED}
        assert FINAL - onward == {Phase.FAILED, Phase.ROLLED_BACK}


class TestAVersionIsLoaded:
    """When every worker has it, and not before."""

    def test_by_every_worker(self) -> None:
        workers = [with_green(SlotPhase.READY), with_green(SlotPhase.READY, worker="host:2")]
        assert loaded(ROUTE, NEW, workers) == (
            Verdict.PASS,
            "loaded and smoke-tested by 2 workers",
        )

    @pytest.mark.parametrize(
        "slow",
        [
            with_green(SlotPhase.LOADING, worker="host:2"),
            with_green(SlotPhase.READY, worker="host:2", version="an older one"),
            with_green(SlotPhase.FAILED, worker="host:2", version="an older one"),
            a_worker("host:2"),
        ],
        ids=["loading", "holds another", "failed another", "empty slot"],
    )
    def test_not_while_one_is_still_at_it(self, slow: WorkerStatus) -> None:
        verdict, why = loaded(ROUTE, NEW, [with_green(SlotPhase.READY), slow])
        assert (verdict, why) == (Verdict.INCONCLUSIVE, "waiting for host:2")

    def test_not_without_any_worker(self) -> None:
        assert loaded(ROUTE, NEW, []) == (Verdict.INCONCLUSIVE, "waiting for a worker")

    def test_never_once_a_worker_cannot(self) -> None:
        workers = [with_green(SlotPhase.LOADING), with_green(SlotPhase.FAILED, worker="host:2")]
        assert loaded(ROUTE, NEW, workers) == (Verdict.FAIL, "worker host:2: out of memory")

    def test_never_when_the_route_no_longer_wants_it(self) -> None:
        verdict, why = loaded(a_route(), NEW, [with_green(SlotPhase.READY)])
        assert verdict is Verdict.FAIL
        assert NEW in why


class TestARouteIsApplied:
    """When every worker reports its generation or a later one."""

    def test_by_every_worker(self) -> None:
        workers = [a_worker(applied={"games": 3}), a_worker("host:2", applied={"games": 4})]
        assert applied(ROUTE, workers) == (Verdict.PASS, "generation 3 applied by 2 workers")

    def test_not_while_one_is_behind_or_knows_nothing_of_it(self) -> None:
        workers = [
            a_worker("host:1", applied={"games": 2}),
            a_worker("host:2", applied={"games": 3}),
            a_worker("host:3", applied={"adult": 9}),
        ]
        assert applied(ROUTE, workers) == (Verdict.INCONCLUSIVE, "waiting for host:1, host:3")

    def test_not_without_any_worker(self) -> None:
        assert applied(ROUTE, [])[0] is Verdict.INCONCLUSIVE


def test_a_worker_is_alive_for_five_seconds_after_it_was_seen() -> None:
    assert alive(a_worker(), NOON + timedelta(seconds=5))
    assert not alive(a_worker(), NOON + timedelta(seconds=5.1))


def test_a_worker_says_what_each_slot_holds() -> None:
    status = a_worker().slot("games", Slot.BLUE)
    assert status is not None
    assert status.version == a_version().name
    assert a_worker().slot("games", Slot.GREEN) is None
    assert a_worker().slot("adult", Slot.BLUE) is None
