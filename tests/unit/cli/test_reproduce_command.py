"""``flyball reproduce``: what it shows, how it ends, and what reaches the verb."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.errors import StorageUnavailable
from flyball.steps.causes import Aspect, Cause
from flyball.steps.reproduction import (
    ArrayPair,
    FilePair,
    MetricPair,
    Outcome,
    Reproduction,
)

CODE = Cause(aspect=Aspect.CODE, detail="the fingerprint of the code is bb instead of aa")
NDCG = MetricPair(
    name="ndcg@10",
    recorded=0.41,
    again=0.38,
    tolerance=0.002,
    basis="a quarter of its standard error",
    equal=False,
)
WEIGHTS = FilePair(
    path="model/weights.npy",
    recorded=4096,
    again=4096,
    differing=120,
    arrays=(ArrayPair(values=1000, differing=31, largest=0.5),),
)


def a_reproduction(**fields: Any) -> Reproduction:
    defaults: dict[str, Any] = {
        "model": "games",
        "version": "1.2.0-0123abcd-89ef4567",
        "outcome": Outcome.BITWISE,
        "why": "all 31 files are the same, byte for byte",
        "cause": None,
        "causes": (),
        "artifact": "a" * 64,
        "again": "a" * 64,
        "files": 31,
        "searched": False,
        "threads": 2,
        "seconds": 3.25,
    }
    return Reproduction(**(defaults | fields))


def a_difference(**fields: Any) -> Reproduction:
    defaults: dict[str, Any] = {
        "outcome": Outcome.DIFFERENT,
        "why": "ndcg@10 is 0.38 instead of 0.41",
        "cause": CODE,
        "causes": (CODE,),
        "again": "b" * 64,
        "metrics": (NDCG,),
        "differences": (WEIGHTS,),
    }
    return a_reproduction(**(defaults | fields))


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (a_reproduction(), 0),
        (a_difference(outcome=Outcome.METRICS), 0),
        (a_difference(), 1),
    ],
)
def test_ends_with_1_only_where_the_two_are_different(shop, found, code):
    shop.answers["reproduce"] = found
    for options in ((), ("--json",)):
        assert shop("reproduce", "games", "1.2.0", *options).code == code


def test_ends_with_3_where_the_data_is_gone(shop):
    shop.answers["reproduce"] = StorageUnavailable("data is gone: `flyball data pull games aa`")
    ended = shop("reproduce", "games", "1.2.0")
    assert ended.code == 3
    assert "flyball data pull games aa" in ended.err


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ((), {"search": False, "threads": None}),
        (("--search",), {"search": True, "threads": None}),
        (("--threads", "4"), {"search": False, "threads": 4}),
    ],
)
def test_reaches_the_verb_and_its_progress_the_standard_error(shop, typed, asked):
    shop.answers["reproduce"] = a_reproduction()
    ended = shop("reproduce", "games", "1.2.0", *typed)
    assert shop.verbs.asked == [("reproduce", ("games", "1.2.0"), asked)]
    assert ended.err.startswith("reproduce ...\n")
    assert "reproduce ..." not in ended.out


def test_fewer_than_one_thread_is_refused(shop):
    assert shop("reproduce", "games", "1.2.0", "--threads", "0").code == 2


def test_shows_that_all_bytes_are_equal(shop):
    shop.answers["reproduce"] = a_reproduction()
    told = shop("reproduce", "games", "1.2.0").out
    assert "games 1.2.0-0123abcd-89ef4567: bitwise equal" in told
    assert "all 31 files are the same, byte for byte" in told
    assert "2 threads, 3.2 s" in told
    assert "Metric" not in told


def test_shows_the_cause_the_metrics_and_the_files_where_they_differ(shop):
    shop.answers["reproduce"] = a_difference()
    lines = shop("reproduce", "games", "1.2.0").out.splitlines()
    told = "\n".join(lines)
    assert "1.2.0-0123abcd-89ef4567: different" in told
    assert any(line.split()[:1] == ["code"] and CODE.detail in line for line in lines)
    assert any(line.split()[:3] == ["ndcg@10", "0.41", "0.38"] for line in lines)
    assert any(
        line.startswith("model/weights.npy") and "31 of 1,000 values" in line for line in lines
    )


def test_says_that_the_platform_was_not_recorded_where_bytes_differ(shop):
    shop.answers["reproduce"] = a_difference(platform_known=False)
    assert "was not recorded when this version was trained" in shop("reproduce", "games", "1").out
    shop.answers["reproduce"] = a_reproduction(platform_known=False)
    assert "was not recorded" not in shop("reproduce", "games", "1").out


def test_counts_files_beyond_those_it_shows(shop):
    many = tuple(
        FilePair(path=f"file-{n}.json", recorded=10, again=10, differing=1) for n in range(11)
    )
    shop.answers["reproduce"] = a_difference(differences=many)
    told = shop("reproduce", "games", "1.2.0").out
    assert "file-7.json" in told
    assert "file-8.json" not in told
    assert "and 3 more files" in told


def test_is_one_json_document(shop):
    shop.answers["reproduce"] = a_difference()
    found = shop("reproduce", "games", "1.2.0", "--json").json
    assert found["outcome"] == "different"
    assert found["cause"] == {"aspect": "code", "detail": CODE.detail}
    assert found["metrics"][0]["equal"] is False
    assert found["differences"][0]["arrays"][0]["largest"] == 0.5
