"""Whatever a caller shows: the gate lets in who is known, and refuses everybody else in order."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.access.directory import Directory
from flyball.access.gate import AccessGate
from flyball.access.limiter import Limiter
from flyball.access.tokens import new_signing_key
from flyball.access.verbs import Access
from flyball.domain.access import Scope
from flyball.errors import Unauthenticated
from flyball.ports import Change
from flyball.testing.access import a_principal
from flyball.testing.fakes import ManualClock, MemoryRecords

CLOCK = ManualClock()


def a_gate() -> tuple[AccessGate, str, str]:
    """A gate, and a key and a token that it lets in."""
    records = MemoryRecords()
    records.commit([Change(value=new_signing_key(CLOCK.now())), Change(value=a_principal())])
    key = Access(records, CLOCK, "operator:test").create_key("shop", [Scope.READ]).text
    directory = Directory()
    directory.follow(records)
    token = directory.snapshot.tokens.issue(
        "account:ada", [Scope.READ], epoch=1, now=CLOCK.now(), lifetime=timedelta(minutes=5)
    )
    return AccessGate(directory, Limiter(), now=CLOCK.now().timestamp), key, token


GATE, KEY, TOKEN = a_gate()


def b64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
HEADS = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from(["none", "None", "HS256", "Ed25519", "EdDSA", "RS256", ""]) | JSON,
        "typ": st.sampled_from(["at+jwt", "JWT"]) | JSON,
        "kid": JSON,
        "jwk": JSON,
        "crit": JSON,
        "b64": JSON,
    },
)
FORGED = st.builds(
    lambda head, body, end: f"{b64(head)}.{body}.{end}".encode(),
    HEADS,
    st.sampled_from([TOKEN.split(".")[1]]) | JSON.map(b64),
    st.sampled_from([TOKEN.split(".")[2], "", "AAAA"]) | st.text("ABC-_=", max_size=90),
)
DAMAGED = st.builds(
    lambda good, at, new: good[:at] + new + good[at + 1 :],
    st.sampled_from([KEY.encode(), TOKEN.encode()]),
    st.integers(0, len(KEY) - 1),
    st.binary(max_size=2),
)
SHOWN = st.binary(max_size=200) | FORGED | DAMAGED


@given(shown=SHOWN, scheme=st.sampled_from([b"Bearer ", b"bearer\t", b"", b"Basic "]))
def test_what_was_not_given_out_opens_nothing(shown, scheme):
    if shown.strip() in (KEY.encode(), TOKEN.encode()):
        return
    for headers in ({b"authorization": scheme + shown}, {b"x-api-key": shown}):
        with pytest.raises(Unauthenticated):
            GATE.admit(headers, "192.0.2.7", Scope.READ)


def test_what_was_given_out_does():
    for shown in (KEY, TOKEN):
        assert GATE.admit({b"authorization": f"Bearer {shown}".encode()}, "", Scope.READ)
