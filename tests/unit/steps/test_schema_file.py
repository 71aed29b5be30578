"""The file that people review: read with its mistakes named, written whole or not at all."""

from __future__ import annotations

import pytest

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.domain.table_schema import to_package
from flyball.errors import ConfigurationError, StorageUnavailable
from flyball.settings import ModelSettings, Settings
from flyball.steps.schema_file import load_schemas, write_package
from flyball.wiring import build

PACKAGE = to_package([Schema(columns=(Column(name="x", type=ColumnType.NUMBER),))])


def test_a_file_that_is_not_there_is_named_with_what_makes_one(tmp_path):
    with pytest.raises(ConfigurationError, match=r"gone\.json cannot be read: .*data infer"):
        load_schemas(tmp_path / "gone.json")


def test_a_mistake_is_named_with_the_file(tmp_path):
    (tmp_path / "s.json").write_text('{"resources": []}')
    with pytest.raises(ConfigurationError, match=r"s\.json: the package: has no resources"):
        load_schemas(tmp_path / "s.json")


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(StorageUnavailable, match="choose a folder"):
        write_package(PACKAGE, tmp_path / "no" / "s.json")


def test_a_name_that_cannot_be_taken_leaves_nothing_behind(tmp_path):
    (tmp_path / "s.json").mkdir()
    with pytest.raises(StorageUnavailable, match="cannot be written"):
        write_package(PACKAGE, tmp_path / "s.json")
    assert [p.name for p in tmp_path.iterdir()] == ["s.json"]


def test_a_file_without_the_table_that_is_learned_from_is_refused(tmp_path):
    write_package(PACKAGE, tmp_path / "s.json")
    name = load_schemas(tmp_path / "s.json")[0].name
    assert load_schemas(tmp_path / "s.json", needed=name)
    with pytest.raises(ConfigurationError, match=f"s.json has no table 'plays'.*it has {name}"):
        load_schemas(tmp_path / "s.json", needed="plays")


def test_a_model_whose_file_lacks_its_application_s_table_has_no_schemas(tmp_path):
    """Or else its data would come in, and training would find no rows."""
    write_package(PACKAGE, tmp_path / "s.json")
    games = ModelSettings(schema_file=str(tmp_path / "s.json"))
    platform = build(Settings(home=tmp_path / "home", models={"games": games}))
    with pytest.raises(ConfigurationError, match=r"s.json has no table 'interactions'"):
        platform.schemas("games")


def test_an_older_file_is_replaced(tmp_path):
    (tmp_path / "s.json").write_text("old")
    write_package(PACKAGE, tmp_path / "s.json")
    assert load_schemas(tmp_path / "s.json")[0].columns[0].name == "x"
