"""Access tokens: one kind is taken, signed by us, for us, in its time; anything else is refused."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey

from flyball.access import tokens
from flyball.access.tokens import LONGEST_LIFETIME, SETTLE, Tokens, new_signing_key, succeeded
from flyball.domain.access import Scope
from flyball.errors import EnvironmentFailed, InvalidRequest, Unauthenticated
from flyball.testing.builders import NOON

KEY = new_signing_key(NOON)
JWK = OKPKey.import_key(json.loads(KEY.private))
TEN_MINUTES = timedelta(minutes=10)
SECOND = timedelta(seconds=1)
LATER = NOON + timedelta(minutes=1)


def of(*keys, issuer="flyball", audience="flyball-api"):
    return Tokens(keys, issuer=issuer, audience=audience)


def issued(tokens=None, now=LATER, lifetime=TEN_MINUTES):
    return (tokens or of(KEY)).issue(
        "account:ada", [Scope.READ], epoch=3, now=now, lifetime=lifetime
    )


def parts(token):
    header, claims, _ = token.split(".")
    return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, claims)]


def signed(header=None, claims=None, key=JWK):
    """A token with our good key, of whatever content."""
    good_header, good_claims = parts(issued())
    header = {**good_header, **(header or {})}
    content = {name: value for name, value in {**good_claims, **(claims or {})}.items()
               if value is not None}  # fmt: skip
    return jwt.encode(
        {name: value for name, value in header.items() if value is not None},
        content, key, algorithms=[header["alg"]], default_type=None,
    )  # fmt: skip


def signed_by_hand(header):
    """The same for a header that the library would not write."""
    said = [{**parts(issued())[0], **header}, parts(issued())[1]]
    text = b".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in said)
    signature = base64.urlsafe_b64encode(JWK.private_key.sign(text)).rstrip(b"=")
    return (text + b"." + signature).decode()


def refused(token, now=LATER, tokens=None):
    with pytest.raises(Unauthenticated) as error:
        (tokens or of(KEY)).verified(token, now)
    return str(error.value)


class TestAToken:
    def test_says_who_may_do_what_until_when(self):
        claims = of(KEY).verified(issued(), LATER)
        assert claims.subject == "account:ada"
        assert claims.scopes == {Scope.READ}
        assert claims.epoch == 3
        assert claims.expires_at == LATER + TEN_MINUTES

    def test_has_what_rfc_9068_asks_for(self):
        header, claims = parts(issued())
        assert header == {"alg": "Ed25519", "typ": "at+jwt", "kid": KEY.id}
        assert claims.keys() >= {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"}
        assert parts(issued())[1]["jti"] != claims["jti"]

    def test_is_good_to_its_last_second_and_not_at_its_end(self):
        token = issued()
        assert of(KEY).verified(token, LATER + TEN_MINUTES - SECOND)
        refused(token, LATER + TEN_MINUTES)

    def test_of_a_machine_whose_clock_is_a_little_ahead_is_good(self):
        assert of(KEY).verified(issued(now=LATER + 3 * SECOND), LATER)
        refused(issued(now=LATER + 60 * SECOND), LATER)

    @pytest.mark.parametrize("lifetime", [timedelta(0), -SECOND, LONGEST_LIFETIME + SECOND])
    def test_lives_neither_no_time_nor_too_long(self, lifetime):
        with pytest.raises(InvalidRequest, match="up to"):
            issued(lifetime=lifetime)

    def test_cannot_be_issued_without_a_key(self):
        with pytest.raises(EnvironmentFailed, match="rotate-signing-key"):
            issued(of())
        with pytest.raises(EnvironmentFailed, match="rotate-signing-key"):
            issued(of(replace(KEY, retired_at=LATER)))

    def test_with_a_scope_of_a_newer_version_allows_the_ones_known_here(self):
        token = signed(claims={"scope": "read billing"})
        assert of(KEY).verified(token, LATER).scopes == {Scope.READ}


class TestAConfusedToken:
    def test_without_a_signature_is_refused(self):
        _, claims, _ = issued().split(".")
        for alg in ("none", "None", "NONE"):
            header = {"alg": alg, "typ": "at+jwt", "kid": KEY.id}
            head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
            refused(f"{head}.{claims}.")

    def test_signed_with_our_public_key_as_a_password_is_refused(self):
        """The classic: HS256 by what anybody may know."""
        public = JWK.as_dict(private=False)["x"]
        for secret in (public, base64.urlsafe_b64decode(public + "=")):
            refused(signed({"alg": "HS256"}, key=OctKey.import_key(secret)))

    def test_of_another_algorithm_is_refused(self):
        refused(signed({"alg": "ES256"}, key=ECKey.generate_key("P-256")))

    def test_that_brings_its_own_key_is_refused(self):
        theirs = OKPKey.generate_key("Ed25519")
        brought = {"jwk": theirs.as_dict(private=False)}
        refused(signed(brought, key=theirs))
        refused(signed({**brought, "kid": theirs.thumbprint()}, key=theirs))

    @pytest.mark.parametrize(
        "header",
        [
            {"kid": None},
            {"kid": "other"},
            {"kid": ""},
            {"kid": ["a list"]},
            {"typ": "JWT"},
            {"typ": None},
            {"crit": ["exp"], "exp": 1},
            {"b64": False, "crit": ["b64"]},
            {"unknown": 1},
        ],
        ids=str,
    )
    def test_with_another_header_is_refused(self, header):
        assert of(KEY).verified(signed_by_hand({}), LATER)
        refused(signed_by_hand(header))

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "another"},
            {"iss": None},
            {"aud": "another"},
            {"aud": ["another"]},
            {"aud": None},
            {"sub": None},
            {"sub": 7},
            {"exp": None},
            {"exp": "2999-01-01"},
            {"exp": 1},
            {"exp": True},
            {"exp": 1e300},
            {"nbf": None},
            {"nbf": 99999999999},
            {"iat": 99999999999},
            {"jti": None},
            {"epoch": None},
            {"epoch": "3"},
            {"epoch": True},
            {"epoch": 3.5},
            {"scope": None},
            {"scope": ["read"]},
        ],
        ids=str,
    )
    def test_with_other_claims_is_refused(self, claims):
        refused(signed(claims=claims))

    def test_that_was_changed_is_refused(self):
        header, claims, signature = issued().split(".")
        changed = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"scope": "admin"}
        forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
        refused(f"{header}.{forged}.{signature}")
        other = ("B" if signature[0] == "A" else "A") + signature[1:]
        refused(f"{header}.{claims}.{other}")

    def test_of_another_installation_is_refused(self):
        refused(issued(), tokens=of(KEY, issuer="another"))
        refused(issued(), tokens=of(KEY, audience="another"))
        refused(issued(), tokens=of(new_signing_key(NOON)))

    @pytest.mark.parametrize(
        "token",
        ["", ".", "..", "...", "a.b.c", "é.é.é", "\ud800", "x" * 10_000, "." * 4000,
         base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.",
         base64.urlsafe_b64encode(b'{"alg":' + b"[" * 2000).decode() + ".e30."],
        ids=range(11),
    )  # fmt: skip
    def test_that_is_none_is_refused(self, token):
        refused(token)

    def test_is_refused_with_the_same_words_whatever_is_wrong(self):
        """So that nobody learns from them what to change."""
        wrong = ["nonsense", signed({"kid": "other"}), signed(claims={"aud": "another"}),
                 signed(claims={"exp": 1})]  # fmt: skip
        assert len({refused(token) for token in wrong}) == 1


@given(st.data())
def test_no_change_of_a_token_gets_in_or_raises_anything_else(data):
    token = issued()
    at = data.draw(st.integers(0, len(token) - 1))
    put = data.draw(st.text(max_size=3))
    changed = token[:at] + put + token[at + 1 :]
    if changed != token:
        refused(changed)


class TestTwoKeys:
    """A rotation refuses nobody."""

    def test_the_new_one_signs_once_every_worker_knows_it(self):
        new = new_signing_key(LATER)
        both = of(new, KEY)
        assert parts(issued(both, LATER + SETTLE - SECOND))[0]["kid"] == KEY.id
        assert parts(issued(both, LATER + SETTLE))[0]["kid"] == new.id

    def test_the_old_one_verifies_until_the_last_token_it_can_have_signed_has_expired(self):
        [old] = succeeded([KEY], LATER, at_once=False)
        new = new_signing_key(LATER)
        both = of(old, new)
        last = LATER + SETTLE - timedelta(microseconds=1)
        token = issued(both, last, LONGEST_LIFETIME)
        assert parts(token)[0]["kid"] == KEY.id
        assert both.verified(token, last + LONGEST_LIFETIME - 2 * SECOND)

    def test_a_retired_one_verifies_nothing(self):
        token = issued()
        assert of(replace(KEY, retired_at=LATER + SECOND)).verified(token, LATER)
        refused(token, tokens=of(replace(KEY, retired_at=LATER)))

    def test_after_a_leak_the_old_one_ends_at_once_and_the_new_one_signs_at_once(self):
        [old] = succeeded([KEY], LATER, at_once=True)
        new = new_signing_key(LATER)
        both = of(old, new)
        refused(issued(), tokens=both)
        assert both.verified(issued(both), LATER)

    def test_an_end_that_was_nearer_stays(self):
        ending = replace(KEY, retired_at=LATER + SECOND)
        assert succeeded([ending], LATER, at_once=False) == []

    def test_the_only_one_signs_though_it_is_new(self):
        assert of(KEY).verified(issued(now=NOON), NOON)


def test_a_key_is_named_by_its_thumbprint_and_its_secret_is_not_shown():
    assert JWK.thumbprint() == KEY.id
    assert json.loads(KEY.private)["d"] not in repr(KEY)
    assert tokens.ALGORITHM == "Ed25519"
