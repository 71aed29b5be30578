"""``--json``: one document on standard output, and nothing else there."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime

import pytest
from cli_shop import a_status, a_turn

from flyball.answers import Deployed, Ingested, RolledBack, Served, Trained, VersionDetails
from flyball.domain.canonical import plain
from flyball.domain.deployment import Phase
from flyball.domain.ledger import GENESIS, chained
from flyball.errors import NotFound
from flyball.testing.builders import (
    NOON,
    a_batch,
    a_dataset,
    a_deployment,
    a_report,
    a_run,
    a_version,
    an_entry,
)

SERVED = Served(
    model="games", at=NOON, version="", since=None, because="nothing yet", by="", ledger_row=None
)
BACK = RolledBack(model="games", withdrawn="b", serving="a", reason="why", seconds=None)
DETAILS = VersionDetails(
    version=a_version(), run=a_run(), reports=(), deployments=(), history=(), artifact=None
)
DEPLOYED = Deployed(deployment=a_deployment(phase=Phase.DONE), new=True)
ROWS = [chained(an_entry(), seq=1, previous=GENESIS)]


@pytest.mark.parametrize(
    ("arguments", "verb", "answer"),
    [
        (("status",), "status", a_status()),
        (("run", "games", "a.csv"), "run", a_turn()),
        (
            ("ingest", "games", "a.csv"),
            "ingest",
            [Ingested(batch=a_batch(), dataset=a_dataset(), new=True)],
        ),
        (("train", "games"), "train", Trained(version=a_version(), run=a_run(), new=True)),
        (("validate", "games", "1.0.0"), "validate", a_report()),
        (("deploy", "games", "1.0.0"), "deploy", DEPLOYED),
        (("rollback", "games"), "rollback", BACK),
        (("versions", "games"), "versions", [a_version()]),
        (("show", "games", "1.0.0"), "show", DETAILS),
        (("served", "games"), "served", SERVED),
        (("ledger",), "ledger", ROWS),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_every_answer_is_its_value_as_one_document(shop, arguments, verb, answer):
    shop.answers[verb] = answer
    assert shop(*arguments, "--json").json == plain(answer)


def test_a_verified_ledger_says_how_many_rows_it_has(shop):
    shop.answers["verify_ledger"] = 12
    assert shop("ledger", "verify", "--json").json == {"rows": 12, "verified": True}


def test_options_of_the_ledger_hold_for_its_verification_too(shop, tmp_path):
    shop.answers["verify_ledger"] = 12
    ended = shop("ledger", "--home", str(tmp_path), "--json", "verify")
    assert ended.json["rows"] == 12
    assert shop.homes == [tmp_path]


def test_an_error_is_a_problem_document_beside_its_line(shop):
    shop.answers["show"] = NotFound("games has no version 9.9.9")
    ended = shop("show", "games", "9.9.9", "--json")
    problem = ended.json
    assert uuid.UUID(problem.pop("instance").removeprefix("urn:uuid:")).version == 4
    assert problem == {
        "type": "urn:flyball:problem:not-found",
        "title": "Not found",
        "status": 404,
        "detail": "games has no version 9.9.9",
    }
    assert "games has no version 9.9.9" in ended.err


def test_what_libraries_print_goes_to_standard_error(shop):
    class Chatty:
        def versions(self, model: str) -> list[object]:
            print(f"looking for {model}")  # noqa: T201 - the point of this test
            return []

    from typer.testing import CliRunner

    from flyball.cli.app import app

    found = CliRunner().invoke(app, ["versions", "games", "--json"], obj=lambda home: Chatty())
    assert found.stdout == "[]\n"
    assert found.stderr == "looking for games\n"


def test_a_number_that_json_cannot_say_is_null(shop):
    shop.answers["versions"] = [a_version(metrics={"ndcg@10": math.nan, "hit@10": 0.5})]
    assert shop("versions", "games", "--json").json[0]["metrics"] == {
        "ndcg@10": None,
        "hit@10": 0.5,
    }


def test_a_turn_left_to_flyball_up_answers_with_its_name(shop):
    shop.answers["run"] = "run-0123-1"
    ended = shop("run", "games", "a.csv", "--no-wait", "--json")
    assert ended.json == {"workflow": "run-0123-1"}
    [(verb, arguments, how)] = shop.verbs.asked
    assert (verb, arguments, how["wait"]) == ("run", ("games", ["a.csv"]), False)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-01T18:00", datetime(2026, 3, 1, 18, tzinfo=UTC)),
        ("2026-03-01T18:00+02:00", datetime(2026, 3, 1, 16, tzinfo=UTC)),
        ("2026-03-01T18:00Z", datetime(2026, 3, 1, 18, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_utc(shop, text, meant):
    shop.answers["served"] = SERVED
    shop("served", "games", "--at", text)
    assert shop.verbs.asked == [("served", ("games", meant), {})]


def test_the_home_is_an_option_or_a_variable(shop, tmp_path):
    shop.answers["status"] = a_status()
    shop("status", "--home", str(tmp_path))
    shop("status", env={"FLYBALL_HOME": str(tmp_path / "other")})
    shop("status")
    assert shop.homes == [tmp_path, tmp_path / "other", None]
