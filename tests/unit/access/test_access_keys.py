"""API keys: what has their form, which secret fits, and for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flyball.access import keys
from flyball.domain.access import Scope
from flyball.errors import InvalidRequest
from flyball.testing.access import an_api_key
from flyball.testing.builders import NOON

SECOND = timedelta(seconds=1)


class TestANewKey:
    def test_is_taken_by_its_secret_and_by_no_other(self):
        key, text = keys.minted("shop", [Scope.READ], now=NOON)
        id, secret = keys.parted(text)
        assert id == key.id
        assert keys.matches(key, secret)
        assert not keys.matches(key, secret[:-1] + ("A" if secret[-1] != "A" else "B"))
        assert not keys.matches(key, "")
        assert not keys.matches(key, "\ud800 not even Unicode")

    def test_is_not_in_its_record(self):
        key, text = keys.minted("shop", [Scope.READ], now=NOON)
        _, secret = keys.parted(text)
        assert secret not in str([getattr(key, name) for name in key.__slots__])
        assert key.digest not in repr(key)

    def test_is_like_no_other(self):
        made = [keys.minted("shop", [Scope.READ], now=NOON) for _ in range(100)]
        assert len({key.id for key, _ in made}) == 100
        assert len({key.digest for key, _ in made}) == 100

    def test_keeps_each_scope_once_and_in_order(self):
        key, _ = keys.minted("shop", [Scope.EVENTS, Scope.READ, Scope.EVENTS], now=NOON)
        assert key.scopes == (Scope.READ, Scope.EVENTS)

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"scopes": []}, "no scope is given; give one or more of read, events, admin"),
            ({"scopes": ["write"]}, "no scope 'write'; there are read"),
            ({"rate": 0}, "lets nothing through"),
            ({"expires_at": NOON}, "expired before it is made"),
        ],
    )
    def test_that_makes_no_sense_is_refused(self, wrong, said):
        asked = {"scopes": [Scope.READ]} | wrong
        with pytest.raises(InvalidRequest, match=said):
            keys.minted("shop", now=NOON, **asked)


class TestText:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "fb_",
            "fb_0123456789ab",
            "fb_0123456789ab_",
            "fb_0123456789AB_" + "a" * 43,
            "fb_0123456789ab_" + "a" * 42,
            "fb_0123456789ab_" + "a" * 44,
            "fb_0123456789ab_" + "a" * 43 + "\n",
            "fb_0123456789ab_" + "a" * 42 + "é",
            "fb_0123456789a٣_" + "a" * 43,
            "xb_0123456789ab_" + "a" * 43,
            "eyJhbGciOiJub25lIn0.e30.",
        ],
    )
    def test_of_another_form_is_no_key(self, text):
        assert keys.parted(text) is None

    def test_of_the_form_comes_apart_wherever_its_secret_has_underscores(self):
        secret = "_" + "-_" * 21
        assert keys.parted(f"fb_0123456789ab_{secret}") == ("0123456789ab", secret)


class TestAKey:
    def test_without_an_end_is_usable(self):
        assert keys.usable(an_api_key(), NOON + timedelta(days=10_000))

    def test_is_usable_until_its_end_and_not_at_it(self):
        key = an_api_key(expires_at=NOON)
        assert keys.usable(key, NOON - SECOND)
        assert not keys.usable(key, NOON)

    def test_that_was_revoked_is_not_usable(self):
        assert not keys.usable(an_api_key(revoked_at=NOON), NOON)
