"""Whatever is changed in an answer's id makes an orphan; unchanged it says what it was given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from flyball.domain.traffic import Answers, Join

KEYS = st.binary(min_size=1, max_size=64)
HEX = st.text("0123456789abcdef", min_size=10, max_size=10)
TIMES = st.integers(0, 2**47)
VERSIONS = st.from_regex(r"\d{1,4}\.\d{1,3}\.\d{1,3}-[0-9a-f]{8}-[0-9a-f]{8}", fullmatch=True)


@given(key=KEYS, version=VERSIONS, at_ms=TIMES, random=HEX)
def test_an_id_comes_back_as_it_was_given(key, version, at_ms, random):
    answer = Answers(key).new(version, at_ms, random)
    found = Answers(key).read(answer)
    assert found is not None
    assert found.version == version
    assert found.at == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    assert len(answer) <= 128


@given(
    version=VERSIONS,
    at_ms=TIMES,
    random=HEX,
    place=st.integers(0),
    put=st.text(max_size=3),
    cut=st.integers(0, 3),
)
def test_any_change_makes_an_orphan(version, at_ms, random, place, put, cut):
    answers = Answers(b"a key of the tests")
    answer = answers.new(version, at_ms, random)
    at = place % (len(answer) + 1)
    changed = answer[:at] + put + answer[at + cut :]
    assume(changed not in ("", answer))
    received = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    assert answers.join(changed, received) == (Join.ORPHAN, "")
    assert answers.join(answer, received) == (Join.JOINED, version)


@given(first=KEYS, second=KEYS, version=VERSIONS, random=HEX)
def test_another_key_makes_an_orphan(first, second, version, random):
    # BLAKE2 fills a short key up with zero bytes
    assume(first.rstrip(b"\0") != second.rstrip(b"\0"))
    answer = Answers(first).new(version, 0, random)
    assert Answers(second).join(answer, datetime(1970, 1, 1, tzinfo=UTC))[0] is Join.ORPHAN


@given(text=st.text(max_size=140))
def test_no_text_at_all_makes_reading_fail(text):
    assert Answers(b"a key of the tests").read(text) is None
