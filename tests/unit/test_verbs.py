"""The verbs in Python, where they say something of their own."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from flyball import Flyball
from flyball.configuration import load
from flyball.domain.data import EMPTY
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route
from flyball.errors import ArtifactCorrupt, InvalidRequest, NotFound
from flyball.ports import Change
from flyball.storage.database import open_database
from flyball.testing.builders import a_dataset, a_route, a_version


@pytest.fixture
def flyball(tmp_path):
    with Flyball(config=load(tmp_path / "home", environ={}), actor="test") as verbs:
        yield verbs


class TestStatus:
    def test_before_the_first_ingest_shows_no_data_and_no_version(self, flyball):
        [model] = flyball.status().models
        assert (model.dataset, model.run, model.champion, model.versions) == (None, None, None, 0)

    def test_shows_the_newest_dataset_and_never_the_empty_one_before_the_first(self, flyball):
        newest = a_dataset()
        empty = a_dataset(version=EMPTY, batches=(), files={}, rows=0, head=newest.version)
        flyball.platform.records.commit([Change(value=empty), Change(value=newest)])
        assert flyball.status("games").models[0].dataset == newest

    def test_says_that_a_record_is_damaged_rather_than_that_nothing_serves(self, flyball):
        flyball.platform.records.commit([Change(value=a_route())])
        engine = open_database(flyball.settings.database_url)
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE flyball_routes SET body = 'x'"))
        engine.dispose()
        with pytest.raises(ArtifactCorrupt, match="Route games"):
            flyball.status()


class TestAVersion:
    @pytest.fixture
    def versions(self, flyball):
        made = [a_version("1.0.0", state=State.STAGING), a_version("1.1.0")]
        flyball.platform.records.commit([Change(value=version) for version in made])
        return made

    def test_is_found_by_its_name_and_by_its_number(self, flyball, versions):
        for asked in (versions[0].name, "1.0.0"):
            assert flyball.show("games", asked).version == versions[0]

    @pytest.mark.parametrize("asked", ["9.9.9", "9.9.9-0123abcd-0123abcd"])
    def test_that_there_is_not_is_said_with_the_newest(self, flyball, versions, asked):
        with pytest.raises(NotFound, match=rf"no version {asked}.*newest is {versions[1].name}"):
            flyball.show("games", asked)

    def test_cannot_be_asked_for_by_something_else(self, flyball, versions):
        with pytest.raises(InvalidRequest, match="is not a version name"):
            flyball.show("games", "latest")


def test_one_batch_id_is_not_given_to_several_sources(flyball):
    with pytest.raises(InvalidRequest, match="names one batch"):
        flyball.ingest("games", ["a.csv", "b.csv"], batch_id="monday")


def test_closing_lets_the_database_go_and_a_later_verb_opens_it_again(flyball):
    flyball.platform.records.commit([Change(value=a_version())])
    before = flyball.platform.records
    flyball.close()
    flyball.close()
    assert [type(version) for version in flyball.versions("games")] == [ModelVersion]
    assert flyball.platform.records is not before
    assert flyball.platform.records.find(Route) == []
