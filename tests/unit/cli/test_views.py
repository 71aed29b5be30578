"""What a person sees: whole version names, at most 100 columns, no colours in a pipe."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from cli_shop import a_status, a_turn
from rich.console import Console

from flyball.answers import Deployed, Ingested, RolledBack, Served, Trained, VersionDetails
from flyball.cli.views import standing
from flyball.cli.views.console import show
from flyball.cli.views.words import ago, coloured, size
from flyball.domain.deployment import Phase
from flyball.domain.ledger import GENESIS, chained
from flyball.domain.lifecycle import State
from flyball.domain.validation import Decision, Verdict
from flyball.testing.builders import (
    NOON,
    a_batch,
    a_check,
    a_dataset,
    a_deployment,
    a_report,
    a_run,
    a_version,
    an_entry,
)

NAME = a_version().name


def ready(shop) -> None:
    rows = [chained(an_entry(reason="because " * 30), seq=1, previous=GENESIS)]
    shop.answers.update(
        status=a_status(),
        versions=[a_version(), a_version("1.1.0", state=State.PRODUCTION)],
        show=VersionDetails(
            version=a_version(),
            run=a_run(),
            reports=(a_report(results=(a_check(summary="long " * 60),)),),
            deployments=(a_deployment(phase=Phase.FAILED, detail="worker host:1: smoke test"),),
            history=tuple(rows),
            artifact=None,
        ),
        served=Served(
            model="games", at=NOON, version=NAME, since=NOON, because="deployed", by="control",
            ledger_row=7,
        ),
        ledger=rows,
        run=a_turn(deployed=Deployed(deployment=a_deployment(phase=Phase.BAKING), new=True)),
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("status", "games"),
        ("versions", "games"),
        ("show", "games", "1.0.0"),
        ("served", "games"),
        ("ledger",),
        ("run", "games", "a.csv"),
    ],
    ids=" ".join,
)
def test_a_pipe_gets_plain_text_of_100_columns_with_whole_names(shop, arguments):
    ready(shop)
    ended = shop(*arguments)
    assert ended.code == 0
    assert NAME in ended.out
    assert "\x1b" not in ended.out
    assert max(map(len, ended.out.splitlines())) <= 100
    assert not any(line.endswith(" ") for line in ended.out.splitlines())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("variable", "coloured_out"), [(None, True), ("1", False)])
def test_states_are_coloured_on_a_terminal_unless_no_color_is_set(
    monkeypatch, variable, coloured_out
):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if variable:
        monkeypatch.setenv("NO_COLOR", variable)
    out = Terminal()
    show([coloured(Verdict.FAIL)], out)
    assert "fail" in out.getvalue()
    assert ("\x1b[1;31m" in out.getvalue()) is coloured_out


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "just now"),
        (12, "12 s ago"),
        (59, "59 s ago"),
        (200, "3 min ago"),
        (3600, "1 h ago"),
        (30 * 3600, "30 h ago"),
        (5 * 86400, "5 days ago"),
        (90 * 86400, "2025-12-01"),
        (-3600, "2026-03-01 13:00 UTC"),
    ],
)
def test_times_are_told_as_a_person_would(seconds, said):
    assert ago(NOON - timedelta(seconds=seconds), NOON) == said


@pytest.mark.parametrize(
    ("count", "said"), [(900, "900 B"), (2**20 * 180, "180 MiB"), (2**30 * 3, "3.0 GiB")]
)
def test_sizes_have_the_unit_that_suits(count, said):
    assert size(count) == said


class TestWhatWasDoneAlready:
    """A second call says so, instead of pretending that it worked."""

    def test_is_said_of_a_batch(self, shop):
        shop.answers["ingest"] = [Ingested(batch=a_batch(), dataset=a_dataset(), new=False)]
        said = shop("ingest", "games", "a.csv").out
        assert "same batch as before: 5e5e5e5e5e5e (10 rows); nothing new" in said

    def test_is_said_of_a_training(self, shop):
        shop.answers["train"] = Trained(version=a_version(), run=a_run(), new=False)
        assert f"trained before, nothing new: {NAME}" in shop("train", "games").out

    @pytest.mark.parametrize(
        ("phase", "said"),
        [(Phase.BAKING, "serves already"), (Phase.DONE, "was deployed before")],
    )
    def test_is_said_of_a_deployment(self, shop, phase, said):
        shop.answers["deploy"] = Deployed(deployment=a_deployment(phase=phase), new=False)
        assert f"{NAME} {said}" in shop("deploy", "games", "1.0.0").out

    def test_is_said_of_a_deployment_that_ended_badly_with_the_way_out(self, shop):
        failed = a_deployment(phase=Phase.FAILED, detail="worker host:1: no memory")
        shop.answers["deploy"] = Deployed(deployment=failed, new=False)
        said = shop("deploy", "games", "1.0.0").out
        assert "no memory" in said
        assert f"flyball deploy games {NAME}" in said


def test_rows_left_out_of_a_batch_are_told(shop):
    shop.answers["ingest"] = [Ingested(batch=a_batch(), dataset=a_dataset(), new=True)]
    assert "left out 1: not_null:user_id (line 7)" in shop("ingest", "games", "a.csv").out


def test_a_rejected_candidate_says_what_to_do(shop):
    shop.answers["validate"] = a_report(
        decision=Decision.REJECT,
        results=(a_check(Verdict.FAIL),),
        recommendations=("train on more data",),
    )
    said = shop("validate", "games", "1.0.0").out
    assert "reject" in said
    assert "to do     train on more data" in said


@pytest.mark.parametrize("command", ["validate", "show"])
def test_a_report_says_where_its_page_is(shop, tmp_path, command):
    """On one line however long, so that it can be copied."""
    ready(shop)
    page = tmp_path / ("long-" * 30) / "report.html"
    shop.answers.update(page=page, validate=a_report())
    assert str(page) in shop(command, "games", "1.0.0").out


def test_no_word_of_the_ledger_is_lost_in_a_narrow_terminal():
    reason = "generation 2 applied by 1 worker"
    rows = [chained(an_entry(subject=f"games/{NAME}", reason=reason), seq=1, previous=GENESIS)]
    narrow = Terminal()
    with_width = Console(file=narrow, width=80, force_terminal=False)
    for part in standing.ledger(rows, NOON, limit=0):
        with_width.print(part)
    told = narrow.getvalue()
    assert max(map(len, told.splitlines())) <= 80
    assert f"games/{NAME}" in told
    assert reason in told


def test_a_rollback_that_no_worker_confirmed_says_so(shop):
    back = {"model": "games", "withdrawn": "b", "serving": "a", "reason": "prices"}
    shop.answers["rollback"] = RolledBack(**back, seconds=None)
    assert (
        "no worker is running to confirm it" in shop("rollback", "games", "--reason", "prices").out
    )
    assert shop.verbs.asked == [("rollback", ("games",), {"reason": "prices"})]
    shop.answers["rollback"] = RolledBack(**back, seconds=0.42)
    assert "within 0.4 s" in shop("rollback", "games").out


def test_a_rollback_tells_what_the_health_pages_say(shop):
    back = {"model": "games", "withdrawn": "b", "serving": "a", "reason": "prices", "seconds": 0.1}
    for found, told in (
        ({"confirmed": 2}, "2 health pages say that it serves"),
        ({"confirmed": 1, "contradicted": ("h:1",)}, "page of h:1 says that another serves"),
        ({}, "set FLYBALL_API_KEY"),
    ):
        shop.answers["rollback"] = RolledBack(**back, **found)
        assert told in " ".join(shop("rollback", "games").out.split())


def test_an_empty_installation_says_what_to_do_next(shop):
    shop.answers.update(versions=[], ledger=[])
    assert "`flyball run games FILE` makes one" in shop("versions", "games").out
    assert "nothing was done yet" in shop("ledger").out


def test_long_hashes_are_cut_in_a_table_and_whole_in_json(shop):
    rows = [chained(an_entry(subject=f"games/{'ab' * 16}"), seq=1, previous=GENESIS)]
    shop.answers["ledger"] = rows
    assert "ab" * 16 in shop("ledger", "--json").out
    told = shop("ledger").out
    assert "games/abababab" in told
    assert "ab" * 5 not in told


def test_a_cut_ledger_says_how_to_see_all_of_it(shop):
    shop.answers["ledger"] = [chained(an_entry(), seq=1, previous=GENESIS)]
    assert "--limit 0 shows all" in shop("ledger", "--limit", "1", "--model", "games").out
    assert shop.verbs.asked == [("ledger", ("games",), {"limit": 1})]
    assert "--limit 0" not in shop("ledger", "--limit", "0").out
    assert shop.verbs.asked == [("ledger", (None,), {"limit": None})]


def test_progress_is_one_line_a_stage_on_standard_error(shop):
    """What is left of an earlier command is not told as progress of this one."""
    shop.answers["train"] = Trained(version=a_version(), run=a_run(), new=True)
    ended = shop("train", "games")
    assert ended.err.splitlines() == ["train ...", "deploy ..."]
    assert "..." not in ended.out
