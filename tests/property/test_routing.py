"""Sticky routing: a user sees one version, and a growing share moves nobody back."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.domain.routing import Route, Slot, Variant, bucket, empty_route
from flyball.errors import DeploymentError
from flyball.testing.builders import a_route

BOTH = {Slot.BLUE: "1.0.0-00000000-00000000", Slot.GREEN: "1.1.0-00000000-00000000"}
SHARES = st.floats(0, 1)
LIVE = st.sampled_from(Slot)
NAMES = st.sampled_from(["a", "b", "c"])


@st.composite
def routes(draw: st.DrawFn) -> Route:
    """Any route that a model can have."""
    live = draw(LIVE)
    slots = draw(st.dictionaries(st.sampled_from(Slot), NAMES))
    share = draw(SHARES) if live.other in slots and live in slots else 0.0
    return a_route(
        slots=slots, live=live, challenger_share=share, generation=draw(st.integers(1, 99))
    )


@given(st.text(), st.text())
def test_a_bucket_is_a_stable_number_in_the_unit_interval(user: str, salt: str) -> None:
    assert 0.0 <= bucket(user, salt) < 1.0
    assert bucket(user, salt) == bucket(user, salt)


def test_a_bucket_is_the_same_on_every_machine_and_in_every_release() -> None:
    """Written down: a change would move users between versions in the middle of a rollout."""
    assert bucket("player-1", "games/1") == pytest.approx(0.5512349467970322, abs=1e-15)


def test_any_text_has_a_bucket_also_half_a_surrogate_pair() -> None:
    assert 0.0 <= bucket("\ud800", "games/1") < 1.0


@pytest.mark.parametrize("salt", ["", "games/1", "games/2"])
def test_buckets_are_uniform(salt: str) -> None:
    """Chi-square of 20 equal cells over 20,000 users; 43.8 is the 0.999 quantile (19 df)."""
    cells = [0] * 20
    for user in range(20_000):
        cells[math.floor(bucket(f"player-{user}", salt) * 20)] += 1
    assert sum((count - 1000) ** 2 / 1000 for count in cells) < 43.8


def test_each_rollout_draws_anew() -> None:
    """Users of one challenger are not always the users of the next one."""
    users = [f"player-{number}" for number in range(4_000)]
    first = {user for user in users if bucket(user, "games/1") < 0.25}
    second = {user for user in users if bucket(user, "games/2") < 0.25}
    assert len(first & second) / len(first) == pytest.approx(0.25, abs=0.05)


@given(user=st.text(), live=LIVE, shares=st.tuples(SHARES, SHARES))
def test_raising_the_share_never_moves_a_challengers_user_back(
    user: str, live: Slot, shares: tuple[float, float]
) -> None:
    low, high = sorted(shares)
    before = a_route(slots=BOTH, live=live, challenger_share=low)
    after = replace(before, challenger_share=high)
    if before.variant(user) is Variant.CHALLENGER:
        assert after.variant(user) is Variant.CHALLENGER


@given(user=st.text(), live=LIVE)
def test_no_share_is_nobody_and_the_whole_share_is_everybody(user: str, live: Slot) -> None:
    nobody = a_route(slots=BOTH, live=live, challenger_share=0.0)
    assert nobody.variant(user) is Variant.CHAMPION
    assert replace(nobody, challenger_share=1.0).variant(user) is Variant.CHALLENGER


@given(live=LIVE)
def test_each_variant_has_its_own_slot(live: Slot) -> None:
    route = a_route(slots=BOTH, live=live)
    assert route.slots[route.slot(Variant.CHAMPION)] == route.champion
    assert route.slots[route.slot(Variant.CHALLENGER)] == route.standby
    assert route.champion != route.standby


@given(routes(), NAMES)
def test_unloading_undoes_loading(route: Route, version: str) -> None:
    """A deployment that fails leaves the slots as it found them."""
    after = route.loading(version, salt="games/9").unloaded(route.standby or "")
    assert after.slots == route.slots
    assert after.live is route.live


@given(routes(), NAMES)
def test_loading_takes_no_traffic_from_the_champion(route: Route, version: str) -> None:
    after = route.loading(version, salt="games/9")
    assert after.generation == route.generation + 1
    assert after.challenger_share == 0.0
    assert after.live is route.live
    assert (after.champion, after.standby) == (route.champion, version)


@given(routes())
def test_switching_exchanges_the_two_and_keeps_both_loaded(route: Route) -> None:
    if route.standby is None:
        with pytest.raises(DeploymentError, match="deploy one first"):
            route.switched()
        return
    after = route.switched()
    assert (after.champion, after.standby) == (route.standby, route.champion)
    assert after.slots == route.slots
    assert after.challenger_share == 0.0
    assert after.generation == route.generation + 1


@given(routes(), NAMES | st.just(""))
def test_unloading_empties_or_restores_the_idle_slot_only(route: Route, restored: str) -> None:
    after = route.unloaded(restored)
    assert after.champion == route.champion
    assert after.standby == (restored or None)
    assert after.generation == route.generation + 1
    assert after.challenger_share == 0.0


@given(st.floats(allow_nan=True).filter(lambda share: not 0 <= share <= 1))
def test_a_share_outside_the_unit_interval_is_refused(share: float) -> None:
    with pytest.raises(DeploymentError, match=r"not in \[0, 1\]"):
        a_route(slots=BOTH, challenger_share=share)


@given(st.floats(0, 1, exclude_min=True))
def test_an_empty_slot_gets_no_share(share: float) -> None:
    with pytest.raises(DeploymentError, match="green slot is empty"):
        a_route(challenger_share=share)


def test_the_empty_route_serves_nobody() -> None:
    route = empty_route("games")
    assert (route.champion, route.standby, route.generation) == (None, None, 0)
    first = route.loading("a", salt="games/1")
    assert (first.champion, first.standby, first.generation) == (None, "a", 1)
    assert (first.switched().champion, first.switched().standby) == ("a", None)
