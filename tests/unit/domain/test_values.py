"""What the smaller values promise: one spelling, columns by their aliases, near names, ids."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any

import pytest

from flyball.domain.canonical import canonical_json, digest, ordered_json, plain
from flyball.domain.evidence import EvidenceKind
from flyball.domain.lifecycle import ModelVersion, State, allowed, summary
from flyball.domain.nearest import nearest, not_found
from flyball.domain.schema import Column, ColumnType, Schema
from flyball.errors import IllegalTransition, InvalidRequest
from flyball.testing import builders as a


class TestCanonicalJson:
    """Equal content gives equal bytes."""

    def test_does_not_depend_on_the_order_of_keys(self) -> None:
        assert digest({"a": 1, "b": (2, 3)}) == digest({"b": [2, 3], "a": 1})
        assert digest({"a": 1}) != digest({"a": 2})

    def test_is_compact_utf8_with_sorted_keys(self) -> None:
        value = {"z": State.STAGING, "a": "é", "t": datetime(2026, 1, 2, tzinfo=a.NOON.tzinfo)}
        expected = '{"a":"é","t":"2026-01-02T00:00:00+00:00","z":"staging"}'
        assert canonical_json(value) == expected.encode()
        assert ordered_json({"z": None, "a": True}) == b'{"z":null,"a":true}'

    def test_of_a_dataclass_has_its_fields(self) -> None:
        assert plain(a.evidence()) == {
            "kind": "decision",
            "id": "games/aabbccddeeff0011",
            "digest": a.SHA,
        }

    def test_of_a_path_is_its_text(self) -> None:
        assert plain({"at": PurePosixPath("a/b")}) == {"at": "a/b"}

    def test_keeps_the_time_zone(self) -> None:
        east = a.NOON.astimezone(timezone(timedelta(hours=2)))
        assert plain(east) == "2026-03-01T14:00:00+02:00"

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), "half \ud800"])
    def test_refuses_what_no_database_keeps(self, value: Any) -> None:
        with pytest.raises(InvalidRequest, match="cannot be stored"):
            canonical_json({"value": value})

    @pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), State])
    def test_refuses_what_has_no_one_spelling(self, value: Any) -> None:
        with pytest.raises(TypeError, match="no canonical spelling"):
            canonical_json([value])


class TestASchema:
    """A header is understood by name or alias, whatever its case."""

    SCHEMA = Schema(
        columns=(
            Column(name="user_id", type=ColumnType.STRING, aliases=("User", "player")),
            Column(name="hours", type=ColumnType.NUMBER, required=False),
        )
    )

    @pytest.mark.parametrize("header", ["user_id", "USER_ID", " user ", "Player"])
    def test_finds_a_column(self, header: str) -> None:
        found = self.SCHEMA.column(header)
        assert found is not None
        assert found.name == "user_id"

    def test_finds_nothing_for_another_header(self) -> None:
        assert self.SCHEMA.column("userid") is None

    def test_says_which_required_columns_are_missing(self) -> None:
        assert self.SCHEMA.missing(["hours"]) == ("user_id",)
        assert self.SCHEMA.missing(["user_id"]) == ()


class TestWhatWasMeant:
    """A wrong id is answered with those that look like it."""

    def test_is_the_nearest_known_name(self) -> None:
        assert nearest("gmaes", ["adult", "games", "game"]) == ("games", "game")
        assert nearest("zzz", ["adult"]) == ()

    def test_is_said_with_the_kind_in_words(self) -> None:
        error = not_found(ModelVersion, "games/1.0", ["games/1.0.0", "adult/1.0.0"])
        assert str(error).startswith("there is no model version 'games/1.0'; nearest: games/1.0.0")

    def test_is_the_last_one_written_where_none_is_near(self) -> None:
        assert "last one written: b" in str(not_found(ModelVersion, "zzz", ["a", "b"]))


class TestAMove:
    """The refusal says what is possible instead."""

    def test_that_is_not_declared_names_those_that_are(self) -> None:
        with pytest.raises(IllegalTransition, match="can go to staging, development"):
            allowed(State.VALIDATION, State.PRODUCTION, a.evidence(EvidenceKind.REPORT))

    def test_from_the_archive_goes_nowhere(self) -> None:
        with pytest.raises(IllegalTransition, match="nowhere"):
            allowed(State.ARCHIVED, State.PRODUCTION, a.evidence())

    def test_with_other_evidence_names_the_kind_it_needs(self) -> None:
        with pytest.raises(IllegalTransition, match="needs evidence of report, not decision"):
            allowed(State.VALIDATION, State.STAGING, a.evidence())


def test_a_version_is_summed_up_in_json_types() -> None:
    version = a.a_version("1.2.3")
    told = summary(version)
    assert canonical_json(told)
    assert (told["version"], told["state"]) == (version.name, "development")
    assert (version.number.major, version.number.minor, version.number.patch) == (1, 2, 3)


@pytest.mark.parametrize(
    ("value", "id"),
    [
        (a.a_batch(), "games/5e5e5e5e5e5e"),
        (a.a_dataset(), f"games/{a.DATA_VERSION}"),
        (a.a_run(), "games/00112233445566ff"),
        (a.a_version(), f"games/1.0.0-0123abcd-{a.a_recipe().hyper_hash}"),
        (a.a_report(), "games/aabbccddeeff0011"),
        (a.a_deployment(), "games/1"),
        (a.a_route(), "games"),
        (a.a_worker(), "host:1"),
    ],
)
def test_every_record_is_named_by_its_model_and_itself(value: Any, id: str) -> None:
    assert value.id == id
