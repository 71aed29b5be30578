"""What a worker does with a route: load, swap at once, never lose what serves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flyball.domain.routing import Route, Slot, SlotPhase, Variant, empty_route
from flyball.serving.slots import Loaded, Slots


class Nothing:
    def smoke(self) -> int:
        return 3


def loaded(version: str) -> Loaded:
    return Loaded(version=version, servable=Nothing(), answered=3)


def first(version: str = "v1") -> Route:
    """``version`` live, the other slot empty."""
    return empty_route("games").loading(version, salt="s").switched()


def serving(version: str = "v1") -> Slots:
    slots = Slots("games")
    slots.follow(first(version))
    slots.put(loaded(version))
    return slots


def answering(slots: Slots) -> str | None:
    return slots.snapshot and slots.snapshot.choose("u").version


def phases(slots: Slots) -> dict[str, SlotPhase]:
    return {status.version: status.phase for status in slots.statuses().values()}


class TestAFreshWorker:
    """It loads what the route names and answers as soon as it can."""

    def test_answers_nobody_and_claims_nothing_before_a_version_is_loaded(self):
        slots = Slots("games")
        route = first()
        assert slots.follow(route) == ["v1"]
        assert (answering(slots), slots.applied, slots.settled()) == (None, 0, False)
        slots.put(loaded("v1"))
        assert (answering(slots), slots.applied, slots.settled()) == ("v1", 2, True)

    def test_loads_the_live_version_first(self):
        route = first("v1").loading("v2", salt="s")
        assert Slots("games").follow(route) == ["v1", "v2"]
        assert Slots("games").follow(route.switched()) == ["v2", "v1"]

    def test_has_applied_a_route_that_gives_nobody_a_version(self):
        slots = Slots("games")
        assert slots.follow(empty_route("games").loading("v1", salt="s")) == ["v1"]
        assert (answering(slots), slots.applied) == (None, 1)

    def test_answers_with_the_standby_when_the_live_version_is_damaged(self):
        slots = Slots("games")
        slots.follow(first("v1").loading("v2", salt="s").switched())
        slots.put(loaded("v1"))
        assert answering(slots) is None, "v2 may still come"
        slots.fail("v2", "damaged")
        assert answering(slots) == "v1"
        assert slots.applied == 0, "it does not claim the route"

    def test_gives_all_users_the_champion_until_the_challenger_is_there(self):
        slots = Slots("games")
        route = replace(first("v1").loading("v2", salt="s"), challenger_share=1.0)
        slots.follow(route)
        slots.put(loaded("v1"))
        assert (answering(slots), slots.applied) == ("v1", 0)
        slots.put(loaded("v2"))
        assert (answering(slots), slots.applied) == ("v2", route.generation)


class TestAServingWorker:
    """A swap is one reference; a failure changes nothing for users."""

    def test_goes_on_while_the_next_version_loads(self):
        slots = serving()
        route = first().loading("v2", salt="s")
        assert slots.follow(route) == ["v2"]
        assert answering(slots) == "v1"
        assert slots.applied == route.generation
        assert phases(slots) == {"v1": SlotPhase.READY, "v2": SlotPhase.LOADING}

    def test_switches_at_once_to_what_is_loaded_and_back(self):
        slots = serving()
        two = first().loading("v2", salt="s")
        slots.follow(two)
        slots.put(loaded("v2"))
        assert slots.follow(two.switched()) == []
        assert answering(slots) == "v2"
        assert slots.follow(two.switched().switched()) == [], "the old one is still loaded"
        assert answering(slots) == "v1"

    def test_does_not_switch_before_the_version_is_loaded(self):
        slots = serving()
        route = first().loading("v2", salt="s").switched()
        slots.follow(route)
        assert (answering(slots), slots.applied) == ("v1", 2)
        slots.put(loaded("v2"))
        assert (answering(slots), slots.applied) == ("v2", route.generation)

    def test_a_version_that_fails_leaves_the_old_one_serving(self):
        slots = serving()
        route = first().loading("v2", salt="s").switched()
        slots.follow(route)
        slots.fail("v2", "constant.json was changed")
        assert (answering(slots), slots.applied) == ("v1", 2)
        status = slots.statuses()[f"games/{route.live}"]
        assert (status.phase, status.detail) == (SlotPhase.FAILED, "constant.json was changed")

    def test_a_failed_version_is_tried_again_only_when_the_route_changes(self):
        slots = serving()
        route = first().loading("v2", salt="s")
        slots.follow(route)
        slots.fail("v2", "damaged")
        assert slots.follow(route) == []
        assert slots.follow(replace(route, generation=route.generation + 1)) == ["v2"]

    def test_goes_on_when_an_old_version_is_no_longer_wanted_but_the_new_one_fails(self):
        slots = serving()
        slots.follow(replace(first("v2"), generation=9))
        slots.fail("v2", "damaged")
        assert answering(slots) == "v1"
        assert slots.follow(replace(first("v1"), generation=10)) == [], "it was kept"

    def test_lets_go_of_versions_that_nobody_wants(self):
        slots = serving()
        two = first().loading("v2", salt="s")
        slots.follow(two)
        slots.put(loaded("v2"))
        slots.follow(two.unloaded())
        again = replace(two, generation=two.generation + 2)
        assert slots.follow(again) == ["v2"]

    def test_stops_serving_when_the_route_is_emptied(self):
        slots = serving()
        slots.follow(replace(first(), slots={}, generation=5))
        assert (answering(slots), slots.applied) == (None, 5)

    def test_a_version_waiting_for_storage_is_still_loading(self):
        slots = serving()
        slots.follow(first().loading("v2", salt="s"))
        slots.wait("v2", "the database is away")
        assert slots.statuses()[f"games/{Slot.BLUE}"].detail == "the database is away"
        assert phases(slots)["v2"] is SlotPhase.LOADING

    def test_gives_up_loading_what_is_no_longer_wanted(self):
        slots = serving()
        slots.follow(first().loading("v2", salt="s"))
        slots.follow(first().loading("v2", salt="s").loading("v3", salt="s"))
        assert not slots.wants("v2")
        assert slots.wants("v3")


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_users_are_shared_out_as_the_route_says(share):
    slots = serving()
    slots.follow(replace(first().loading("v2", salt="s"), challenger_share=share))
    slots.put(loaded("v2"))
    choices = [slots.snapshot.choose(f"user-{n}") for n in range(2_000)]
    challenged = [choice for choice in choices if choice.variant is Variant.CHALLENGER]
    assert {choice.version for choice in challenged} <= {"v2"}
    assert abs(len(challenged) / len(choices) - share) < 0.03
    assert slots.snapshot.choose("user-1") is slots.snapshot.choose("user-1")
