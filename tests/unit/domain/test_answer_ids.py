"""The id of an answer: it says who gave it and when, and nobody else can make one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flyball.domain.privacy import Pseudonyms
from flyball.domain.traffic import AHEAD, Answered, Answers, Join, claimed_version
from flyball.testing.builders import NOON, a_version

VERSION = a_version().name
WITHIN = timedelta(days=2)
ANSWERS = Answers(b"a key of the tests", within=WITHIN)


def given(ago: timedelta = timedelta(0), *, random: str = "0123456789") -> str:
    """An answer's id, given so long before noon."""
    return ANSWERS.new(VERSION, int((NOON - ago).timestamp() * 1000), random)


class TestAnId:
    def test_says_which_version_answered_and_when_to_the_millisecond(self):
        ago = timedelta(milliseconds=1)
        assert ANSWERS.read(given(ago)) == Answered(version=VERSION, at=NOON - ago)

    def test_is_read_by_every_worker_that_has_the_key(self):
        assert Answers(b"a key of the tests").read(given()) is not None
        assert Answers(b"another key").read(given()) is None

    def test_is_short_opaque_and_ends_in_the_version(self):
        longest = a_version("999999.999999.999999").name
        answer = ANSWERS.new(longest, 2**47, "f" * 10)
        assert len(answer) <= 128
        assert answer.endswith(f".{longest}")
        assert set(answer.partition(".")[0]) <= set("0123456789abcdef")

    def test_differs_between_answers_of_one_millisecond(self):
        assert given(random="0000000000") != given(random="0000000001")

    def test_names_its_version_to_whoever_has_no_key(self):
        assert claimed_version(given()) == VERSION

    @pytest.mark.parametrize(
        "other",
        [
            "",
            ".",
            VERSION,
            f"5f0c6f2d9b8a7e6d5c4b.{VERSION}",
            given().upper(),
            f" {given()}",
            f"{given()} ",
            f"{given()}\n",
            given().replace(VERSION, a_version("9.9.9").name),
            "\ud800" * 34 + ".1",
            "\N{FULLWIDTH DIGIT ONE}" * 34 + f".{VERSION}",
        ],
    )
    def test_that_is_not_exactly_ours_tells_nothing(self, other):
        assert ANSWERS.read(other) is None


class TestAnEvent:
    """Whether it counts for the answer that it names."""

    @pytest.mark.parametrize("ago", [timedelta(0), timedelta(hours=1), WITHIN, -AHEAD])
    def test_joins_an_answer_in_time(self, ago):
        assert ANSWERS.join(given(ago), NOON) == (Join.JOINED, VERSION)

    def test_is_late_beyond_that(self):
        late = WITHIN + timedelta(milliseconds=1)
        assert ANSWERS.join(given(late), NOON) == (Join.LATE, VERSION)

    def test_is_an_orphan_where_the_answer_is_from_the_future(self):
        ahead = AHEAD + timedelta(milliseconds=1)
        assert ANSWERS.join(given(-ahead), NOON) == (Join.ORPHAN, "")

    def test_is_an_orphan_where_nobody_gave_the_answer(self):
        made_up = f"{'0' * 34}.{VERSION}"
        assert ANSWERS.join(made_up, NOON) == (Join.ORPHAN, "")

    def test_without_an_answer_is_unattributed(self):
        assert ANSWERS.join("", NOON) == (Join.UNATTRIBUTED, "")


def test_keys_for_other_purposes_tell_nothing_of_each_other():
    secret = Pseudonyms(b"a secret of the tests")
    first, second = secret.derived("answers of games"), secret.derived("answers of adult")
    assert len({first, second, secret.key}) == 3
    assert len(first) == len(second) == 32
    assert secret.derived("answers of games") == first
    assert Pseudonyms(b"another secret of them").derived("answers of games") != first
    assert secret.of("answers of games") not in first.hex()
