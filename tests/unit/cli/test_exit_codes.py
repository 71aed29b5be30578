"""0 done; 1 the answer is no; 2 the call or configuration is wrong; 3 the environment failed."""

from __future__ import annotations

import pytest
from cli_shop import Shop, a_turn

from flyball.answers import Deployed
from flyball.cli import main
from flyball.domain.deployment import Phase
from flyball.domain.validation import Decision
from flyball.errors import (
    AlreadyRunning,
    ConfigurationError,
    DataQualityError,
    DeploymentError,
    FlyballError,
    LedgerBroken,
    NotFound,
    StorageUnavailable,
)
from flyball.testing.builders import a_deployment, a_report, a_version

DONE, NO, WRONG, FAILED = 0, 1, 2, 3


class TestTheAnswerIsNo:
    """A script may branch on it."""

    @pytest.mark.parametrize(
        ("decision", "code"),
        [(Decision.PROMOTE, DONE), (Decision.REJECT, NO), (Decision.UNDECIDED, NO)],
    )
    def test_where_a_candidate_is_not_to_be_promoted(self, shop, decision, code):
        shop.answers["validate"] = a_report(decision=decision)
        assert shop("validate", "games", "1.0.0").code == code

    def test_where_a_turn_ends_without_promotion(self, shop):
        shop.answers["run"] = a_turn(report=a_report(decision=Decision.REJECT), deployed=None)
        assert shop("run", "games").code == NO

    @pytest.mark.parametrize("phase", [Phase.FAILED, Phase.ROLLED_BACK])
    def test_where_the_deployment_ended_badly(self, shop, phase):
        done = Deployed(deployment=a_deployment(phase=phase), new=False)
        shop.answers.update(run=a_turn(deployed=done), deploy=done)
        assert shop("run", "games").code == NO
        assert shop("deploy", "games", "1.0.0").code == NO

    def test_but_not_where_the_turn_ends_in_service(self, shop):
        served = Deployed(deployment=a_deployment(phase=Phase.BAKING), new=True)
        shop.answers.update(run=a_turn(deployed=served), deploy=served)
        assert shop("run", "games", "a.csv").code == DONE
        assert shop("deploy", "games", "1.0.0").code == DONE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataQualityError, NO),
        (DeploymentError, NO),
        (LedgerBroken, NO),
        (ConfigurationError, WRONG),
        (NotFound, WRONG),
        (StorageUnavailable, FAILED),
        (AlreadyRunning, FAILED),
    ],
)
def test_an_error_is_one_line_and_its_own_exit_code(shop: Shop, error: type[FlyballError], code):
    shop.answers["status"] = error("what happened to games\nand what to do next")
    ended = shop("status")
    assert ended.code == code
    assert ended.err == f"{error.title}: what happened to games and what to do next\n"
    assert ended.out == ""


def test_what_an_error_lists_stands_below_it(shop: Shop):
    shop.answers["status"] = DataQualityError("a.csv was rejected:\n  width: 3 rows\n  x: 1 row")
    assert shop("status").err == (
        f"{DataQualityError.title}: a.csv was rejected:\n  width: 3 rows\n  x: 1 row\n"
    )


class TestAnErrorNobodyForesaw:
    """It is a bug of ours: one line, exit code 3, and a way to see more."""

    def test_is_one_line_that_names_the_way_to_the_traceback(self, shop):
        shop.answers["status"] = ZeroDivisionError("by zero")
        ended = shop("status")
        assert ended.code == FAILED
        assert ended.err == (
            "Unexpected error: ZeroDivisionError: by zero; --debug shows the traceback\n"
        )

    def test_shows_its_traceback_on_debug(self, shop):
        shop.answers["status"] = ZeroDivisionError("by zero")
        assert "Traceback (most recent call last)" in shop("status", "--debug").err

    def test_is_a_problem_document_too(self, shop):
        shop.answers["status"] = ZeroDivisionError("by zero")
        problem = shop("status", "--json").json
        assert (problem["type"], problem["status"]) == ("urn:flyball:problem:unexpected", 500)


@pytest.mark.parametrize(
    "arguments",
    [
        ("bogus",),
        ("run",),
        ("ingest", "games"),
        ("train", "games", "--trials", "0"),
        ("train", "games", "--trials", "many"),
        ("up", "--port", "70000"),
        ("deploy", "games", "1.0.0", "--strategy", "hope"),
        ("hold", "games"),
        ("abort",),
        ("status", "--colour"),
    ],
)
def test_a_wrong_call_is_one_line_with_the_way_to_help(arguments, capsys):
    assert main(arguments) == WRONG
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert "--help" in printed.err


def test_a_wrong_call_is_a_problem_document_where_json_is_asked_for(capsys):
    import json

    assert main(["ingest", "games", "--json"]) == WRONG
    problem = json.loads(capsys.readouterr().out)
    assert problem["type"] == "urn:flyball:problem:usage"
    assert "SOURCE" in problem["detail"]


def test_one_batch_id_cannot_name_two_sources(shop):
    shop.answers["ingest"] = []
    ended = shop("ingest", "games", "a.csv", "b.csv", "--batch-id", "monday")
    assert (ended.code, shop.verbs) == (WRONG, None)


def test_a_bad_time_is_a_wrong_call(shop):
    shop.answers["served"] = None
    ended = shop("served", "games", "--at", "yesterday")
    assert ended.code == WRONG
    assert "2026-03-01T18:00" in ended.err


def test_ctrl_c_while_looking_ends_with_130(shop):
    shop.answers["versions"] = KeyboardInterrupt()
    ended = shop("versions", "games")
    assert (ended.code, ended.err) == (130, "stopped\n")


def test_nothing_asked_for_shows_the_help(capsys):
    assert main([]) == DONE
    assert "flyball up --sample" in capsys.readouterr().out


def test_a_version_is_found_by_what_the_user_typed(shop):
    shop.answers["deploy"] = Deployed(deployment=a_deployment(phase=Phase.DONE), new=True)
    shop("deploy", "games", a_version().name)
    assert shop.verbs.asked == [("deploy", ("games", a_version().name), {"strategy": None})]
