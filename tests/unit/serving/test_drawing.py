"""Who is drawn for which version while a rollout is watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from scipy.stats import binomtest, kstest

from flyball.domain.routing import TAGS, Route, Variant, Watch, draw, empty_route
from flyball.domain.traffic import Window
from flyball.serving.host import ModelHost
from flyball.serving.slots import Loaded, Slots
from flyball.telemetry.metrics import Metrics
from flyball.telemetry.windows import WindowRecorder
from flyball.testing.builders import NOON
from flyball.testing.fakes import ManualClock

SLOW_S = 0.05
USERS = 4_000


class Nothing:
    def smoke(self) -> int:
        return 1


def rolling(share: float, *, watched: bool = True) -> Route:
    """``v1`` live, ``v2`` with a share."""
    route = empty_route("games").loading("v1", salt="games/1").switched()
    loaded = route.loading("v2", salt="games/2")
    return loaded.shared(share, slow_above_s=SLOW_S) if watched else loaded


def slots_of(route: Route, *versions: str) -> Slots:
    slots = Slots("games")
    slots.follow(route)
    for version in versions or ("v1", "v2"):
        slots.put(Loaded(version=version, servable=Nothing(), answered=1))
    return slots


def snapshot(route: Route) -> Any:
    found = slots_of(route).snapshot
    assert found is not None
    return found


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_users_are_drawn_by_the_share_and_no_unit_for_both(share):
    chosen = [snapshot(rolling(share)).choose(f"user-{n}") for n in range(USERS)]
    units: dict[str, set[int]] = {"v1": set(), "v2": set()}
    for choice in chosen:
        units[choice.version].update(choice.units)
    assert binomtest(len(units["v2"]), USERS, share).pvalue > 1e-4
    assert units["v1"].isdisjoint(units["v2"])
    assert len(units["v1"] | units["v2"]) == USERS


def test_a_user_is_the_same_unit_of_the_same_version_every_time_in_every_process():
    for number in range(100):
        user = f"user-{number}"
        first, second = (snapshot(rolling(0.25)).choose(user) for _ in range(2))
        assert first == replace(second, servable=first.servable)
        assert first.units == (draw(user, "games/2").tag,)


def test_a_user_of_the_challenger_stays_there_as_its_share_grows():
    shares = (0.05, 0.25, 0.5, 1.0)
    steps = [snapshot(rolling(share)) for share in shares]
    for number in range(500):
        chosen = [step.choose(f"user-{number}") for step in steps]
        assert len({choice.units for choice in chosen}) == 1
        for before, after in pairwise(chosen):
            assert (before.variant, after.variant) != (Variant.CHALLENGER, Variant.CHAMPION)


def test_who_is_drawn_for_the_challenger_cannot_be_told_from_the_tag():
    """Else the lowest tags, which a busy window keeps, would be of one version."""
    share = 0.25
    chosen = [snapshot(rolling(share)).choose(f"user-{n}") for n in range(USERS)]
    theirs = [c.units[0] / TAGS for c in chosen if c.variant is Variant.CHALLENGER]
    assert kstest(theirs, "uniform").pvalue > 1e-4


def test_requests_of_nobody_are_each_drawn_by_themselves():
    share = 0.25
    at_once = snapshot(rolling(share))
    chosen = [at_once.choose(None) for _ in range(USERS)]
    theirs = sum(choice.variant is Variant.CHALLENGER for choice in chosen)
    assert binomtest(theirs, USERS, share).pvalue > 1e-6
    assert len({choice.units for choice in chosen}) == USERS


def test_how_likely_a_list_was_is_told_with_it():
    at_once = snapshot(rolling(0.25))
    for number in range(100):
        choice = at_once.choose(f"user-{number}")
        assert choice.share == (0.25 if choice.variant is Variant.CHALLENGER else 0.75)


def test_who_was_drawn_is_known_to_the_version_that_answers_and_no_other():
    at_once = snapshot(rolling(0.5))
    for number in range(20):
        choice = at_once.choose(f"user-{number}")
        beside = at_once.beside(choice)
        assert (beside.version == choice.version, beside.units) == (False, ())
    assert at_once.champion.units == ()


def test_nobody_is_drawn_where_no_rollout_is_watched():
    """And nothing is made for a request: all get the very same choice."""
    at_once = snapshot(rolling(0.0, watched=False))
    for user in ("user-1", "user-2", None):
        choice = at_once.choose(user)
        assert choice is at_once.champion
        assert (choice.watch, choice.units) == (None, ())


def test_a_worker_without_the_challenger_says_of_nobody_that_they_were_drawn():
    """It answers all with the champion: counted, that would look like a split nobody drew."""
    slots = slots_of(rolling(0.5), "v1")
    choices = [slots.snapshot.choose(f"user-{n}") for n in range(50)]
    assert {(c.version, c.watch, c.units, c.share) for c in choices} == {("v1", None, (), 1.0)}
    slots.put(Loaded(version="v2", servable=Nothing(), answered=1))
    assert {slots.snapshot.choose(f"user-{n}").version for n in range(50)} == {"v1", "v2"}


def test_a_switch_ends_the_watch():
    slots = slots_of(rolling(0.5))
    slots.follow(rolling(0.5).switched())
    assert slots.snapshot.choose("user-1").watch is None
    assert slots.snapshot.choose("user-1").version == "v2"


class Store:
    def __init__(self) -> None:
        self.windows: list[Window] = []

    def add_windows(self, windows: Sequence[Window]) -> None:
        self.windows += windows


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def host(store: Store) -> ModelHost:
    windows = WindowRecorder(store, "host:1", ManualClock(NOON))
    return ModelHost(slots_of(rolling(0.25)), Metrics(), windows=windows)


def test_what_is_answered_is_counted_for_the_unit_in_the_version_s_window(host, store):
    units: dict[str, dict[str, set[int]]] = {}
    for number in range(200):
        choice = host.choose(f"user-{number}")
        seconds, status = (0.2 if number % 7 == 0 else 0.01), (500 if number % 5 == 0 else 200)
        host.served(choice, "answer", seconds, status)
        theirs = units.setdefault(choice.version, {"seen": set(), "failed": set(), "slow": set()})
        theirs["seen"].update(choice.units)
        theirs["failed"].update(choice.units if status == 500 else ())
        theirs["slow"].update(choice.units if seconds > SLOW_S else ())
    host._windows.flush(everything=True)
    found = {window.version: window for window in store.windows}
    assert set(found) == {"v1", "v2"}
    for version, window in found.items():
        assert (window.seconds, window.salt) == (0.25, "games/2")
        for measure, tags in window.units.items():
            below = window.units_below.get(measure, TAGS)
            assert list(tags) == sorted(t for t in units[version][measure] if t < below)


def test_what_no_version_has_a_part_in_counts_for_the_champion_and_no_unit(host, store):
    for _ in range(20):
        host.served(host.champion(), "answer", 0.01, 422)
    host._windows.flush(everything=True)
    (window,) = store.windows
    assert (window.version, window.requests, window.units) == ("v1", 20, {})


def test_a_watch_is_what_the_route_says(host):
    assert host.choose("user-1").watch == Watch("games/2", SLOW_S)
