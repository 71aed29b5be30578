"""Bundles: one spelling, whatever they hold; and fingerprints that outlive new fields."""

from __future__ import annotations

import json
from dataclasses import field, make_dataclass, replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flyball.domain.bundle import Anchor, Bundle, SignedBundle, move_of, text, text_digest
from flyball.domain.canonical import canonical_json
from flyball.domain.facts import Facts, Made, fingerprint
from flyball.errors import EvidenceBroken
from flyball.steps.reading_bundles import bundle_of
from flyball.steps.verifying import chain
from flyball.testing.builders import a_run, a_trial, an_entry

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
MADE = st.builds(
    Made,
    family=TEXT,
    architecture=TEXT,
    artifact=TEXT,
    data_version=TEXT,
    run_id=TEXT,
    hyperparameters=st.dictionaries(TEXT, JSON, max_size=4),
    metrics=st.dictionaries(TEXT, st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    standings=st.lists(st.dictionaries(TEXT, JSON, max_size=2), max_size=2).map(tuple),
)
BUNDLES = st.builds(
    Bundle,
    model=st.just("games"),
    version=st.just("1.0.0"),
    number=st.just(1),
    previous=st.just("0" * 64),
    move=st.builds(move_of, st.builds(an_entry, reason=TEXT, actor=TEXT), approver=TEXT),
    ledger=st.builds(Anchor, seq=st.integers(0, 10**9)),
    facts=st.builds(Facts, made=st.none() | MADE, missing=st.lists(TEXT, max_size=2).map(tuple)),
)


def stored(body: str, **fields: Any) -> SignedBundle:
    defaults: dict[str, Any] = {"model": "games", "version": "1.0.0", "number": 1}
    digest = text_digest(body)
    return SignedBundle(
        **(defaults | {"body": body, "digest": digest, "key": "", "signature": ""} | fields)
    )


def of_itself(signed: SignedBundle) -> str:
    """A checker that needs no key."""
    return "" if text_digest(signed.body) == signed.digest else "changed"


@given(BUNDLES)
def test_a_bundle_is_read_back_as_it_was_and_written_again_in_the_same_bytes(bundle):
    read = bundle_of(stored(text(bundle)))
    assert text(read) == text(bundle)
    assert canonical_json(json.loads(text(bundle))).decode() == text(bundle)


@given(BUNDLES)
def test_the_order_of_keys_changes_nothing(bundle):
    assume(bundle.facts.made is not None)
    made = bundle.facts.made
    turned = replace(made, hyperparameters=dict(reversed(made.hyperparameters.items())))
    assert text(replace(bundle, facts=replace(bundle.facts, made=turned))) == text(bundle)


@given(BUNDLES, st.data())
def test_any_other_character_in_its_text_is_found(bundle, data):
    body = text(bundle)
    at = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.characters(exclude_categories=("Cs",)))
    assume(body[at] != other)
    forged = stored(body[:at] + other + body[at + 1 :], digest=text_digest(body))
    with pytest.raises(EvidenceBroken, match="bundle 1"):
        chain("games/1.0.0", [forged], of_itself)


@given(BUNDLES, BUNDLES)
def test_a_bundle_of_another_version_does_not_stand_in(bundle, other):
    stranger = stored(text(replace(other, version="2.0.0")))
    with pytest.raises(EvidenceBroken, match=r"it says games/2\.0\.0"):
        chain("games/1.0.0", [stranger], of_itself)
    assert chain("games/1.0.0", [stored(text(bundle))], of_itself) == [
        bundle_of(stored(text(bundle)))
    ]


@given(st.text(max_size=30))
def test_a_text_that_is_no_bundle_is_refused(body):
    with pytest.raises(EvidenceBroken):
        bundle_of(stored(body))


@given(JSON, JSON)
def test_a_field_that_a_later_flyball_adds_keeps_the_fingerprint(value, default):
    before = make_dataclass("Record", [("a", Any)], frozen=True)
    after = make_dataclass(
        "Record", [("a", Any), ("b", Any, field(default_factory=lambda: default))], frozen=True
    )
    assert fingerprint(before(value)) == fingerprint(after(value))


@given(st.integers(), st.sampled_from(["seed", "trials_done", "error", "version", "result"]))
def test_any_other_content_has_another_fingerprint(number, name):
    run = a_run()
    other = {
        "seed": number,
        "trials_done": number,
        "error": f"{number}",
        "version": f"{number}",
        "result": replace(run.result, trials=(a_trial(number=number),)),
    }[name]
    assume(getattr(run, name) != other)
    assert fingerprint(replace(run, **{name: other})) != fingerprint(run)
