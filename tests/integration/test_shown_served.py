"""What was shown and what came of it, across real workers of one home: nobody's word is taken."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from toy import MODEL, ToyHome, until

from flyball.verbs import Flyball
from warm_start import server


@contextmanager
def a_worker(home: ToyHome) -> Iterator[httpx.Client]:
    """A worker with an address of its own, ended in good order."""
    with server("toy", "--home", home.home, "--port", "0") as (process, url):
        with httpx.Client(base_url=url, timeout=20) as client:
            until(lambda: client.get("/health/ready").status_code == 200)
            yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.fixture
def home(tmp_path: Path) -> ToyHome:
    made = ToyHome(tmp_path / "home")
    made.serve(made.publish("first"))
    return made


def an_event(number: int, kind: str, answer: str, item: str = "i1") -> dict[str, str]:
    event = {"event_id": f"e{number}", "type": kind, "user_id": "ada", "item_id": item}
    return event | {"recommendation_id": answer}


def test_feedback_is_joined_by_any_worker_and_shown_with_what_was_served(home):
    with a_worker(home) as one, a_worker(home) as other:
        first, second = (one.get("/v1/answer", params={"user": "ada"}).json() for _ in range(2))
        answer, version = first["recommendation_id"], first["model_version"]
        forged = answer[:-1] + ("0" if answer[-1] != "0" else "1")
        sent = [
            an_event(1, "impression", answer, "i1"),
            an_event(2, "impression", answer, "i2"),
            an_event(3, "click", answer, "i2"),
            an_event(4, "purchase", forged),
            an_event(5, "play", ""),
        ]
        assert other.post("/v1/events", json=sent).status_code == 200
        metrics = one.get("/metrics").text
        for kind, join, count in (
            ("impression", "joined", 2),
            ("click", "joined", 1),
            ("purchase", "orphan", 1),
            ("play", "unattributed", 1),
        ):
            labels = f'join="{join}",model="toy",type="{kind}"'
            assert f"flyball_feedback_total{{{labels}}} {count}.0\n" in metrics
        assert 'flyball_feedback_orphan_ratio{model="toy"} 0.25\n' in metrics
        assert second["recommendation_id"] != answer
    with Flyball(home.home) as flyball:
        found = flyball.shown(MODEL)
    [counts] = found.counts
    assert (counts.version, counts.variant) == (version, "champion")
    assert (counts.lists, counts.items, counts.rendered, counts.clicked) == (2, 4, 2, 1)
    assert (counts.purchased, found.orphans, found.elsewhere) == (0, 1, 0)
    windows = home.platform.events.windows(MODEL, since=found.since)
    feedback = [window.feedback for window in windows if window.feedback]
    assert feedback == [{"impression": 2, "click": 1}]


def test_lists_of_a_worker_are_on_disk_within_a_second_of_the_answer(home):
    with a_worker(home) as worker:
        answer = worker.get("/v1/answer", params={"user": "ada"}).json()["recommendation_id"]
        with Flyball(home.home) as flyball:
            until(lambda: flyball.shown(MODEL).counts, 5)
        [path] = (home.home / "served" / MODEL).glob("*/*.jsonl.zst")
        assert path.stat().st_mode & 0o077 == 0
    clock, served = home.platform.clock, home.platform.served
    now = clock.now()
    found = served.read(MODEL, since=now.replace(year=now.year - 1), until=now)
    assert found["recommendation_id"].to_list() == [answer]
    assert found["user_id"].to_list() == ["ada"]
