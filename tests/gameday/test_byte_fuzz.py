"""Thousands of broken requests, byte by byte: a worker answers each, and is as well as before."""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Iterator

import pytest
from hostile_bytes import (
    INFER,
    MUTATIONS,
    POSTED,
    Said,
    broken_bodies,
    cut_short,
    good,
    post,
    told,
)

from games_worker import GamesWorker, a_games_worker

TOGETHER = 100
"""Requests at once: fewer than may wait, so that none is refused for that."""

MUTATED = 400
"""Requests for each kind of damage."""

MOST_CPU_S = 1.5
"""Of a request of the largest size; as long others wait."""

GROWTH = 16 * 1024 * 1024
"""Bytes that a worker may hold more after all of them."""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GamesWorker]:
    with a_games_worker(tmp_path_factory.mktemp("fuzzed"), guarded=True) as running:
        yield running


@pytest.fixture(scope="module")
def key(worker: GamesWorker) -> bytes:
    return b"X-API-Key: " + worker.key.encode()


def sent(worker: GamesWorker, requests: list[bytes], *, idle_s: float = 0.1) -> list[list[Said]]:
    """What was said to each; the worker must answer a good request after each hundred of them."""
    found = []
    with worker.client() as client:

        def alive() -> None:
            answer = client.post("/v1/recommendations", json={"user_id": "player-3", "k": 3})
            assert (answer.status_code, len(answer.json()["items"])) == (200, 3)

        for start in range(0, len(requests), TOGETHER):
            batch = requests[start : start + TOGETHER]
            answers = told(worker.port, batch, alive, idle_s=idle_s)
            for request, said in zip(batch, answers, strict=True):
                bad = [each for each in said if not each.well]
                assert not bad, f"{request[:2000]!r} was answered {bad}"
                found.append(said)
    assert worker.process.poll() is None
    return found


def statuses(found: list[list[Said]]) -> Counter[int]:
    return Counter(each.status for said in found for each in said)


def test_good_requests_are_answered_well(worker, key):
    """Or else what is broken would be compared with nothing."""
    found = sent(worker, good(key), idle_s=10.0)
    assert [[each.status for each in said] for said in found] == [[200]] * 10 + [[401]]


@pytest.mark.parametrize("damage", MUTATIONS, ids=lambda damage: damage.__name__)
def test_a_damaged_request_is_answered_or_its_connection_ended(worker, key, damage):
    rng, whole = random.Random(damage.__name__), good(key)
    made = [damage(rng, rng.choice(whole)) for _ in range(MUTATED)]
    found = statuses(sent(worker, made))
    if damage is cut_short:
        assert not found, "what has not arrived is waited for, and not guessed"
    else:
        assert found.total() > MUTATED // 4
        assert any(400 <= status < 500 for status in found), found


@pytest.mark.parametrize("path", POSTED)
def test_a_body_that_is_no_good_json_is_a_problem_or_is_understood(worker, key, path):
    """Wrong encodings, lone surrogates, NaN, 10,000 digits, 100,000 brackets, and so on."""
    bodies = broken_bodies(random.Random(path), POSTED[path], MUTATED)
    found = sent(worker, [post(path, body, key) for body in bodies])
    assert {len(said) for said in found} == {1}, "each has exactly one answer"
    counted = statuses(found)
    assert set(counted) <= {200, 422}, counted
    assert counted[422] > MUTATED // 4


def test_memory_does_not_grow_with_what_was_sent(worker, key):
    """After some rounds that fill what is kept, more of the same take none."""

    def round_of(number: int) -> None:
        rng, whole = random.Random(number), good(key)[:-1]  # a sign-in takes 64 MiB for a moment
        made = [rng.choice(MUTATIONS)(rng, rng.choice(whole)) for _ in range(MUTATED)]
        body = rng.choice(broken_bodies(rng, POSTED["/v1/recommendations"], 1))
        sent(worker, [*made, *(post("/v1/recommendations", body, key) for _ in range(20))])

    for number in range(2):
        round_of(number)
    before = worker.memory()
    for number in range(2, 6):
        round_of(number)
    assert worker.memory() - before < GROWTH


def test_who_leaves_while_several_requests_are_answered_is_no_error(worker):
    """Signing in takes a while; the answers have nobody to go to."""
    form = b"grant_type=client_credentials&client_id=shop&client_secret=fc_wrong"
    kind = b"application/x-www-form-urlencoded"
    asked = post("/auth/token", form, kind=kind).replace(b"Connection: close\r\n", b"")
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", worker.port), timeout=20) as client:
            client.sendall(asked * 3)
    said = sent(worker, [post("/auth/token", form, kind=kind)], idle_s=10.0)
    assert [each.status for each in said[0]] in ([401], [429])
    nothing_unforeseen(worker)


@pytest.fixture(autouse=True)
def nothing_unforeseen_is_logged(worker: GamesWorker) -> Iterator[None]:
    """Of no request: an error that nobody foresaw is a mistake, whatever the answer was."""
    yield
    nothing_unforeseen(worker)


def nothing_unforeseen(worker: GamesWorker) -> None:
    log = worker.logged().decode()
    first = log.find("Traceback")
    assert first < 0, log[max(0, first - 300) : first + 3000]
    assert "error " not in log, log[:3000]


COSTLY = {
    "a shape of 100,000 dimensions": (
        "/v2/models/games/infer",
        b'{"inputs": [{"name": "user_id", "datatype": "BYTES", "data": ["a"], "shape": ['
        + b"4611686018427387904," * 100_000
        + b"1]}]}",
    ),
    "a tensor of two million elements": (
        "/v2/models/games/infer",
        b'{"inputs": [{"name": "user_id", "datatype": "BYTES", "shape": [2000000], "data": ['
        + b'"",' * 1_999_999
        + b'""]}]}',
    ),
    "a field with a name of megabytes": (
        "/v1/recommendations",
        b'{"user_id": "player-3", "' + b"x" * 7_000_000 + b'": 1}',
    ),
    "a tensor with a name of megabytes": (
        "/v2/models/games/infer",
        INFER.replace(b'"user_id"', b'"' + b"x" * 7_000_000 + b'"'),
    ),
    "a history of millions": (
        "/v1/recommendations",
        b'{"history": [' + b'"x",' * 1_900_000 + b'"x"]}',
    ),
    "events with long names for fields": (
        "/v1/events",
        b"[" + b",".join(b'{"' + b"y" * 7_000 + b'": 1}' for _ in range(1000)) + b"]",
    ),
    "numbers of megabytes": ("/v1/recommendations", b'{"k": ' + b"9" * 7_000_000 + b"}"),
    "a fraction of megabytes": (
        "/v1/recommendations",
        b'{"min_score": 0.' + b"1" * 7_000_000 + b"}",
    ),
    "a text of escapes": (
        "/v1/recommendations",
        b'{"user_id": "' + b"\\u0001" * 1_100_000 + b'"}',
    ),
    "a thousand players with long names": (
        "/v1/recommendations/batch",
        b'{"user_ids": [' + b",".join(b'"' + b"z" * 7_000 + b'"' for _ in range(1000)) + b"]}",
    ),
}


@pytest.mark.parametrize("what", COSTLY)
def test_no_large_request_costs_the_others_much(worker, key, what):
    """Of the processor, and of what is said: a few bytes of an answer, whatever was quoted."""
    path, body = COSTLY[what]
    before = worker.cpu_s()
    [[said]] = sent(worker, [post(path, body, key)], idle_s=30.0)
    assert said.status in (200, 422)
    assert len(said.body) < 500_000
    assert worker.cpu_s() - before < MOST_CPU_S
