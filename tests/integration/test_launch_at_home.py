"""``flyball lab launch`` on a real home: ingested files, plug-ins, and a process of its own."""

from __future__ import annotations

import pytest

from flyball import Flyball
from flyball.errors import ConfigurationError, InvalidRequest, NotFound, TrainingError
from flyball.games.launch import launch
from flyball.recommend.content import Content, ContentConfig
from launch_world import N_GAMES, catalogue, purchases

pytestmark = pytest.mark.xdist_group("launch-at-home")  # one home for all of them


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    purchases(dated=True).write_csv(folder / "purchases.csv")
    catalogue().write_parquet(folder / "catalogue.parquet")
    with Flyball(folder / "home") as flyball:
        flyball.ingest("games", [str(folder / "purchases.csv"), str(folder / "catalogue.parquet")])
    return folder / "home"


@pytest.fixture
def flyball(home):
    with Flyball(home) as opened:
        yield opened


def test_the_verb_answers_what_the_experiment_finds_on_the_newest_data(flyball):
    done = flyball.lab("launch", "games", family="content", share=0.2)
    assert (done.experiment, done.family, done.version) == ("launch", "content", "")
    assert done.data_version == flyball.status("games").models[0].dataset.version
    tables = {"interactions": purchases(dated=True), "catalogue": catalogue()}
    here = launch(Content, ContentConfig(), tables, seed=7, share=0.2)
    assert done.found["games"] == here["games"]
    assert [day["players"] for day in done.found["days"]] == [d["players"] for d in here["days"]]
    times = (found["days"][0]["times"]["random"] for found in (done.found, here))
    assert next(times) == pytest.approx(next(times), rel=0.02)  # threads may round otherwise
    assert here["games"]["hidden"] == N_GAMES // 5


def test_nothing_is_recorded(flyball):
    before = len(flyball.ledger())
    flyball.lab("launch", "games", family="popularity")
    assert len(flyball.ledger()) == before
    assert flyball.versions("games") == []


@pytest.mark.parametrize(
    ("experiment", "options", "error", "says"),
    [
        ("launch", {}, NotFound, "no version to try"),
        ("launch", {"version": "1.0.0"}, NotFound, "no version 1.0.0"),
        ("launch", {"version": "1.0.0", "family": "ease"}, InvalidRequest, "not both"),
        ("launch", {"family": "eaze"}, ConfigurationError, "did you mean 'ease'"),
        ("launch", {"family": "ease", "share": 7}, InvalidRequest, "cannot be hidden"),
        ("launch", {"family": "ease", "share": 0.01}, TrainingError, "at least 20 new games"),
        ("lunch", {"family": "ease"}, NotFound, "there is launch"),
    ],
)
def test_what_cannot_be_tried_says_why(flyball, experiment, options, error, says):
    with pytest.raises(error, match=says):
        flyball.lab(experiment, "games", **options)


def test_a_home_without_data_says_what_to_do(tmp_path):
    with Flyball(tmp_path / "empty") as flyball, pytest.raises(NotFound, match="flyball ingest"):
        flyball.lab("launch", "games", family="ease")
