"""The whole API against its own document: whatever is sent, the answer is one that was announced.

Schemathesis makes the requests from the OpenAPI document of a running worker: good ones, ones that
break each rule of their schemas, other methods, other types of content, no credentials. Its plug-in
for pytest cannot work with pytest 9.2, so its engine is called.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

from games_worker import GamesWorker, a_games_worker

MEMBERS = {"type": str, "title": str, "status": int, "detail": str, "instance": str}
REFUSED = [400, 401, 403, 404, 405, 408, 413, 414, 415, 422, 431]
CONFIG: dict[str, Any] = {
    "seed": 5,
    "workers": 1,
    "continue-on-failure": True,
    "cache": {"enabled": False},
    "generation": {
        "deterministic": True,
        "database": "none",
        "max-examples": 8,
        "no-shrink": True,
        "with-security-parameters": False,
    },
    "phases": {"stateful": {"enabled": False}},
    "checks": {
        "negative_data_rejection": {"expected-statuses": REFUSED},
        # A rule of a schema is not all: a cursor must be ours, tensors must fit together.
        "positive_data_acceptance": {"enabled": False},
    },
    "operations": [
        {  # each event is judged by itself
            "include-name": "POST /v1/events",
            "checks": {"negative_data_rejection": {"enabled": False}},
        }
    ],
}


@dataclass
class Story:
    """What came of a run.

    Attributes:
        wrong: what was not as announced, with what was sent.
        answered: how often each operation answered with each status.
    """

    wrong: list[str] = field(default_factory=list)
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)

    def well(self) -> set[str]:
        """The operations that have answered a good request."""
        return {label for label, status in self.answered if status == 200}

    def statuses(self) -> set[int]:
        return {status for _, status in self.answered}


def told(worker: GamesWorker) -> Story:
    """Have the engine do its work."""
    checks = CONFIG["checks"] | {"ignored_auth": {"enabled": bool(worker.key)}}
    settings = CONFIG | {"headers": worker.credentials, "checks": checks}
    api = schemathesis.openapi.from_url(
        f"{worker.url}/openapi.json", config=SchemathesisConfig.from_dict(settings)
    )
    story, responses = Story(), announced(api.raw_schema)
    for event in from_schema(api).execute():
        if isinstance(event, FatalError):
            raise event.exception
        if isinstance(event, NonFatalError):
            story.wrong.append(f"{event.label}: {event.value}")
        if isinstance(event, ScenarioFinished):
            _judge(event.recorder, responses, story)
    assert worker.process.poll() is None, worker.log.read_text()
    return story


def announced(document: dict[str, Any]) -> dict[str, set[int]]:
    """The statuses that each operation announces by their number."""
    return {
        f"{method.upper()} {path}": {int(each) for each in one["responses"] if each.isdigit()}
        for path, item in document["paths"].items()
        for method, one in item.items()
    }


def _judge(recorder: Any, responses: dict[str, set[int]], story: Story) -> None:
    for check in chain.from_iterable(recorder.checks.values()):
        if check.status is Status.FAILURE:
            why = check.failure_info.failure
            sent = check.failure_info.code_sample[:500]
            story.wrong.append(f"{recorder.label}: {why.title}: {why.message[:500]}: {sent}")
    for number, exchange in recorder.interactions.items():
        case, answer = recorder.cases[number].value, exchange.response
        sent = f"{exchange.request.method} {exchange.request.uri}"
        if answer is None:
            story.wrong.append(f"{sent}: no answer")
            continue
        story.answered[recorder.label, answer.status_code] += 1
        known = case.method == case.operation.method.upper()
        expected = responses[recorder.label] if known else {405}
        story.wrong += [f"{sent}: {why}" for why in wrong(answer, expected)]


def wrong(answer: Any, expected: set[int]) -> list[str]:
    """What is wrong with an answer, whatever was asked."""
    found = []
    if answer.status_code not in expected:
        found.append(f"{answer.status_code} is not announced: {answer.text[:300]}")
    if answer.headers["cache-control"][-1] not in ("no-store", "private, no-cache"):
        found.append(f"others may be told: {answer.headers['cache-control']}")
    if answer.status_code < 400:
        return found
    if answer.headers["content-type"] != ["application/problem+json"]:
        return [*found, f"an error of the type {answer.headers['content-type']}"]
    problem = json.loads(answer.content) if answer.content else {}
    if any(type(problem.get(member)) is not kind for member, kind in MEMBERS.items()):
        found.append(f"no whole problem: {problem}")
    elif problem["status"] != answer.status_code:
        found.append(f"{answer.status_code} says that it is {problem['status']}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("guarded", [False, True], ids=["open", "guarded"])
def test_whatever_is_sent_the_answer_is_one_that_the_document_announces(
    tmp_path: Path, guarded: bool
) -> None:
    with a_games_worker(tmp_path, guarded=guarded) as worker:
        story = told(worker)
        with worker.client() as client:
            document = client.get("/openapi.json").json()
    assert announced(document).keys() == {label for label, _ in story.answered}, "all were asked"
    assert story.wrong == []
    assert sum(story.answered.values()) > 500
    assert {200, 404, 405, 422} <= story.statuses()
    assert not guarded or 401 in story.statuses(), "wrong credentials were tried too"
    # nobody tells it a good secret, nor the name of the version that serves
    unanswered = ("/auth/token", "/auth/refresh", "/v2/models/{model}/versions/{version}")
    silent = {label for label, _ in story.answered} - story.well()
    assert not {label for label in silent if not label.partition(" ")[2].startswith(unanswered)}
