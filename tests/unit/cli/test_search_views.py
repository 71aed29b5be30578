"""What a person sees of a search: why the winner won, what was tried, and what was not."""

from __future__ import annotations

from flyball.answers import Trained, VersionDetails
from flyball.testing.builders import a_result, a_run, a_trial, a_version

WHY = "ease 0.51 is better than popularity 0.14 by 0.37 (95% 0.36 to 0.38)"


def details(**result) -> VersionDetails:
    run = a_run(result=a_result(why=WHY, objective="ndcg@10", **result))
    return VersionDetails(
        version=a_version(), run=run, reports=(), deployments=(), history=(), artifact=None
    )


def test_a_training_says_in_one_line_why_the_winner_won(shop):
    run = a_run(result=a_result(why=WHY))
    shop.answers["train"] = Trained(version=a_version(), run=run, new=True)
    assert any(line.strip() == WHY for line in shop("train", "games").out.splitlines())


def test_a_version_says_why_it_won_and_what_was_not_tried(shop):
    shop.answers["show"] = details(skipped={"sasrec": "the rows have no order"})
    told = shop("show", "games", "1.0.0").out
    assert WHY in told
    assert "sasrec: the rows have no order" in told


def test_a_version_shows_what_was_tried_the_best_first(shop):
    trials = (
        a_trial(number=0, family="popularity", value=0.14),
        a_trial(number=1, value=None, failed=True),
        a_trial(number=2, value=None),
        a_trial(number=3, value=0.51),
    )
    shop.answers["show"] = details(trials=trials)
    lines = shop("show", "games", "1.0.0").out.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("Trial "))
    assert "ndcg@10" in lines[start]
    rows = [line.split()[:3] for line in lines[start + 2 : start + 6]]
    assert rows == [
        ["3", "ease", "0.51"],
        ["0", "popularity", "0.14"],
        ["1", "ease", "failed"],
        ["2", "ease", "pruned"],
    ]


def test_a_long_search_is_cut_and_says_so(shop):
    trials = tuple(a_trial(number=n, value=0.01 * n) for n in range(30))
    shop.answers["show"] = details(trials=trials)
    told = shop("show", "games", "1.0.0").out
    assert "and 20 more trials" in told
    assert '"number": 29' in shop("show", "games", "1.0.0", "--json").out.replace(":29", ": 29")
