"""The search in a report: every trial, the front, who was not tried, and why who won."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from flyball.domain.training import Origin, Standing
from flyball.steps.report import html, write_report
from flyball.steps.report_search import BOTTOM, LEFT, RIGHT, TOP, picture, search_facts
from flyball.testing.builders import a_dataset, a_report, a_result, a_run, a_trial, a_version

WON = {"l2": 30.0, "dropout": 0.2}
TRIALS = (
    a_trial(
        number=0,
        family="popularity",
        hyperparameters={},
        value=0.14,
        seconds=0.1,
        measures={"ndcg@10": 0.14, "coverage@10": 0.01},
        origin=Origin.DEFAULT,
    ),
    a_trial(
        number=1,
        value=0.51,
        seconds=4.0,
        hyperparameters=WON,
        measures={"ndcg@10": 0.51, "coverage@10": 0.23},
    ),
    a_trial(
        number=2,
        value=0.50,
        seconds=5.0,
        hyperparameters={"l2": 9.0},
        measures={"ndcg@10": 0.50, "coverage@10": 0.20},
    ),
    a_trial(number=3, value=None, hyperparameters={"l2": 1.0}, note="0.2 on fold 1 of 2: below"),
    a_trial(
        number=4,
        family="als",
        hyperparameters={"factors": 8},
        value=None,
        failed=True,
        note="it is <b>singular</b>",
    ),
)
RESULT = a_result(
    trials=TRIALS,
    objective="ndcg@10",
    why="ease 0.5100 is better than popularity 0.1400 by 0.37 (95% 0.36 to 0.38)",
    standings=(
        Standing(family="ease", trial=1, value=0.51, behind=0.0),
        Standing(family="popularity", trial=0, value=0.14, behind=0.37, low=0.36, high=0.38),
    ),
    skipped={"sasrec": "the rows have no order"},
)


class Cells(HTMLParser):
    """The texts of a page's table rows, and its circles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.circles: list[dict[str, Any]] = []
        self.tags: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self.inside = True
        elif tag == "circle":
            self.circles.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in {"td", "th"}

    def handle_data(self, data: str) -> None:
        if self.inside and data.strip():
            self.rows[-1][-1] += " ".join(data.split()) + " "


def page_of(result: Any = RESULT) -> tuple[str, Cells]:
    text = html(a_report(), version=a_version(), run=a_run(result=result), data=a_dataset())
    return text, Cells(text)


class TestThePage:
    """For people."""

    def test_says_why_the_winner_won(self):
        assert RESULT.why in page_of()[0]

    def test_names_the_families_that_were_not_tried_and_why(self):
        assert "<dt>sasrec</dt><dd>the rows have no order</dd>" in page_of()[0]

    def test_has_a_row_for_each_trial_with_what_it_is_worth_and_costs(self):
        rows = [[cell.strip() for cell in row] for row in page_of()[1].rows]
        assert [
            "0",
            "popularity",
            "none",
            "0.1400",
            "",
            "0.01",
            "0.1",
            "default; on the front",
        ] in (rows)
        assert ["2", "ease", "l2 9", "0.5000", "", "0.2", "5.0", "drawn"] in rows

    def test_says_of_each_trial_without_a_value_why(self):
        _, page = page_of()
        cells = {row[0].strip(): [cell.strip() for cell in row] for row in page.rows if row}
        assert cells["3"][3] == "stopped early"
        assert cells["3"][-1] == "drawn 0.2 on fold 1 of 2: below"
        assert cells["4"][3] == "failed"

    def test_escapes_what_a_model_says(self):
        text, page = page_of()
        assert "it is &lt;b&gt;singular" in text
        assert "b" not in page.tags

    def test_compares_the_families_with_intervals(self):
        rows = [[cell.strip() for cell in row] for row in page_of()[1].rows]
        assert ["popularity", "0", "0.14", "0.37", "0.36 to 0.38"] in rows

    def test_draws_each_fitted_trial(self):
        drawn = [c for c in page_of()[1].circles if "fill-opacity" in c]
        assert len(drawn) == 3
        assert [c["fill-opacity"] for c in drawn].count(".8") == 2

    def test_loads_nothing_and_runs_nothing(self):
        text, page = page_of()
        assert "script" not in page.tags
        assert not re.search(r"(src|href)=|url\(", text)

    def test_of_an_old_run_is_made_too(self):
        text, _ = page_of(a_result())
        assert "What the search tried" in text
        assert "Not tried" not in text

    def test_of_a_run_without_a_result_has_no_search(self):
        assert "What the search tried" not in page_of(None)[0]


class TestThePicture:
    """Cost across, objective up, coverage as size."""

    def test_puts_the_dear_to_the_right_and_the_good_on_top(self):
        found = picture(TRIALS, "ndcg@10", a_version())
        assert found is not None
        by_tip = {dot.tip.split(",")[0]: dot for dot in found.dots}
        cheap, won = by_tip["trial 0"], by_tip["trial 1"]
        assert cheap.x < won.x
        assert cheap.y > won.y
        assert cheap.radius < won.radius
        assert (won.won, won.front, by_tip["trial 2"].front) == (True, True, False)

    def test_stays_within_its_frame(self):
        found = picture(TRIALS, "ndcg@10", a_version())
        assert found is not None
        for dot in found.dots:
            assert LEFT < dot.x < RIGHT
            assert TOP < dot.y < BOTTOM
        assert all(LEFT <= tick.at <= RIGHT for tick in found.across)
        assert all(TOP <= tick.at <= BOTTOM for tick in found.up)
        assert len(found.across) >= 2
        assert len(found.up) >= 2

    @pytest.mark.parametrize("seconds", [0.0, 1e-9, 3.0, 1e6])
    def test_of_trials_that_are_all_alike_is_drawn_too(self, seconds):
        alike = [a_trial(number=n, seconds=seconds, hyperparameters={"n": n}) for n in range(3)]
        found = picture(alike, "ndcg@10", a_version())
        assert found is not None
        assert len({(dot.x, dot.y) for dot in found.dots}) == 1
        assert found.across
        assert found.coverage == ""

    def test_of_one_trial_is_none(self):
        assert picture(TRIALS[:1], "ndcg@10", a_version()) is None


class TestTheJson:
    """For programs."""

    def test_holds_the_search(self, tmp_path: Path):
        run = a_run(result=RESULT)
        write_report(tmp_path, a_report(), version=a_version(), run=run, data=a_dataset())
        content = json.loads((tmp_path / "report.json").read_text())
        assert content["search"]["why"] == RESULT.why
        assert content["search"]["front"] == [0, 1]
        assert content["search"]["skipped"] == {"sasrec": "the rows have no order"}
        assert content["search"]["standings"][1]["low"] == 0.36
        assert [trial["state"] for trial in content["trials"]] == [
            "complete",
            "complete",
            "complete",
            "pruned",
            "failed",
        ]
        assert content["trials"][1]["measures"] == {"ndcg@10": 0.51, "coverage@10": 0.23}

    def test_of_a_run_without_a_result_is_empty(self):
        assert search_facts(None) == {}
