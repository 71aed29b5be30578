"""What is proposed for data that nobody declared yet, and why."""

from __future__ import annotations

import json

import polars as pl
import pytest

from flyball.domain.schema import ColumnType, Privacy
from flyball.domain.table_schema import package_bytes, package_from, to_package
from flyball.errors import DataQualityError
from flyball.steps.infer import Inference, Names
from flyball.steps.undeclared import infer
from flyball.storage.sources import FileSources


def proposal(**columns):
    """The proposal for rows with these cells, as text."""
    inference = Inference("rows", Names(tuple(columns)))
    inference.add(pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)))
    return inference.finished()


def column(cells, name="x"):
    found = proposal(**{name: cells})
    return found.schema.columns[0], " / ".join(found.notes[name])


@pytest.fixture
def sources(tmp_path):
    return FileSources(tmp_path)


def file(tmp_path, text, name="shop.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


class TestTheType:
    @pytest.mark.parametrize(
        ("cells", "type_"),
        [
            (["1", "-2.5", ".5", "1e3"], ColumnType.NUMBER),
            (["2024-01-02", "2024-02-30T01:02:03Z", "2024-01-02 03:04"], ColumnType.TIMESTAMP),
            (["2024-01-02 03:04:05.000000 UTC"], ColumnType.TIMESTAMP),
            (["true", "FALSE", "yes"], ColumnType.BOOLEAN),
            (['["a", "b"]', "[]"], ColumnType.STRINGS),
            (["a", "1", "b"], ColumnType.STRING),
            (["nan", "inf"], ColumnType.STRING),
            ([None, None], ColumnType.STRING),
        ],
    )
    def test_is_what_the_cells_say(self, cells, type_):
        assert column(cells)[0].type is type_

    @pytest.mark.parametrize("cells", [["007", "12"], ["0123", "0124"]])
    def test_of_codes_with_leading_zeros_is_text(self, cells):
        found, notes = column(cells)
        assert found.type is ColumnType.STRING
        assert "kept as text" in notes

    @pytest.mark.parametrize("name", ["item_id", "id", "zip", "phone"])
    def test_of_numbers_that_name_something_is_text(self, name):
        assert column(["1", "2", "3"], name)[0].type is ColumnType.STRING

    def test_of_seconds_in_a_column_called_so_is_a_time(self):
        assert column(["1700000000", "1700000001"], "timestamp")[0].type is ColumnType.TIMESTAMP
        assert column(["1700000000", "1700000001"], "amount")[0].type is ColumnType.NUMBER
        assert column(["17", "18"], "time")[0].type is ColumnType.NUMBER

    def test_with_a_few_slips_is_lenient_and_shows_them(self):
        found, notes = column(["1"] * 19 + ["Free"])
        assert (found.type, found.lenient, found.nullable) == (ColumnType.NUMBER, True, True)
        assert "1 cell is no number, for example 'Free'" in notes
        assert not column(["1"] * 20)[0].lenient

    def test_with_many_slips_is_text(self):
        assert column(["1"] * 8 + ["Free"] * 2)[0].type is ColumnType.STRING


class TestTheRange:
    @pytest.mark.parametrize(
        ("cells", "bounds"),
        [
            (["0.5", "11754"], (0.0, 50000.0)),
            (["1", "5"], (0.0, 10.0)),
            (["0", "0.7"], (0.0, 1.0)),
            (["-3", "4"], (-10.0, 10.0)),
            (["-9", "-1"], (-20.0, 0.0)),
            (["4", "4"], (None, None)),
        ],
    )
    def test_has_room_for_later_batches(self, cells, bounds):
        found, _ = column(cells)
        assert (found.minimum, found.maximum) == bounds


class TestTheValues:
    def test_that_are_few_and_repeated_are_all_there_may_be(self):
        found, notes = column(["play"] * 30 + ["buy"] * 10)
        assert found.allowed == ("buy", "play")
        assert "any other would be set aside" in notes

    @pytest.mark.parametrize(
        "cells", [["a"] * 99, ["a", "b"] * 5, [str(n) + "x" for n in range(21)] * 20]
    )
    def test_that_are_alone_rare_or_many_are_not(self, cells):
        assert column(cells)[0].allowed is None

    def test_may_be_missing_where_some_are(self):
        found, notes = column(["a", None, "b"])
        assert found.nullable
        assert "1 of 3 cells" in notes
        assert not column(["a", "b"])[0].nullable

    def test_that_stand_for_nothing_are_pointed_out(self):
        assert "'?' in 2 cells may mean missing" in column(["a", "?", "?"])[1]

    def test_that_never_change_are_pointed_out(self):
        assert "always '0'" in column(["0", "0"])[1]


class TestAPerson:
    @pytest.mark.parametrize(
        "name",
        ["user", "user_id", "customer_no", "email", "phone_number", "first_name", "ip", "account"],
    )
    def test_is_known_by_the_columns_name(self, name):
        found, notes = column(["1", "2", "3"], name)
        assert (found.privacy, found.type) == (Privacy.PERSONAL, ColumnType.STRING)
        assert "its name says" in notes

    @pytest.mark.parametrize(
        "cells",
        [
            ["ada@example.org", "b.c@mail.example.com", "x"],
            ["+49 170 1234567", "+1 (212) 555-0100"],
            ["10.0.0.1", "192.168.2.7"],
            ["2001:db8:0:1::2", "fe80:0:0:0::1"],
        ],
    )
    def test_is_known_by_the_cells(self, cells):
        found, notes = column(cells, "contact")
        assert found.privacy is Privacy.PERSONAL
        assert "look like" in notes

    @pytest.mark.parametrize(
        "name", ["title", "game_name", "name", "skip", "superuserscore", "zip"]
    )
    def test_is_not_seen_everywhere(self, name):
        assert column(["Portal", "Doom"], name)[0].privacy is Privacy.PUBLIC

    def test_is_never_shown_in_the_notes(self):
        found = proposal(user=["ada@example.org"] * 5, other=["1"] * 5)
        assert "ada@" not in json.dumps(found.notes)


class TestTheKey:
    def test_is_the_first_id_that_never_repeats(self):
        found = proposal(user_id=["1", "1", "2"], sale_id=["7", "8", "9"], x=["a", "a", "b"])
        assert found.schema.key == ("sale_id",)
        assert "no 'sale_id' is there twice" in found.notes[""][1]

    def test_is_the_whole_row_where_no_id_is_unique(self):
        found = proposal(user_id=["1", "1"], x=["a", "a"])
        assert found.schema.key == ("user_id", "x")
        assert "1 of 2 repeat an earlier one" in found.notes[""][1]


class TestASource:
    def test_is_the_same_however_it_is_divided(self):
        cells = {"a": [str(n % 7) for n in range(500)], "b": ["x", None] * 250}
        frame = pl.DataFrame(cells)
        whole, parts = (Inference("rows", Names(("a", "b"))) for _ in range(2))
        whole.add(frame)
        for part in frame.iter_slices(13):
            parts.add(part)
        assert parts.finished() == whole.finished()

    def test_without_rows_is_refused(self):
        with pytest.raises(DataQualityError, match="no rows"):
            Inference("rows", Names(("a",))).finished()

    @pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
    def test_with_a_header_gives_its_names(self, tmp_path, sources, mark):
        text = f"Sale No{mark}Hours per Week{mark}Über\n1{mark}2{mark}x\n3{mark}4{mark}y\n"
        found = infer([file(tmp_path, text)], table="sales", sources=sources)
        assert [c.name for c in found.schema.columns] == ["sale_no", "hours_per_week", "uber"]
        assert found.schema.columns[1].aliases == ("Hours per Week",)
        assert found.schema.headerless == ()
        assert found.rows == 2

    @pytest.mark.parametrize("mark", [",", ";"])
    def test_without_a_header_gets_names_by_position(self, tmp_path, sources, mark):
        text = "".join(f"{n}{mark}Portal{mark}play\n" for n in range(3))
        found = infer([file(tmp_path, text)], table="plays", sources=sources)
        assert [c.name for c in found.schema.columns] == ["c1", "c2", "c3"]
        assert found.schema.headerless == ("c1", "c2", "c3")
        assert found.rows == 3
        assert "no header was found" in " ".join(found.notes[""])

    def test_of_json_lines_is_read_too(self, tmp_path, sources):
        lines = [{"id": str(n), "tags": ["a"], "price": n / 2, "on": True} for n in range(5)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        found = infer([file(tmp_path, text, "x.jsonl")], table="items", sources=sources)
        types = {c.name: c.type for c in found.schema.columns}
        assert types == {
            "id": ColumnType.STRING, "tags": ColumnType.STRINGS,
            "price": ColumnType.NUMBER, "on": ColumnType.BOOLEAN,
        }  # fmt: skip

    def test_of_parquet_is_read_too(self, tmp_path, sources):
        frame = pl.DataFrame({"2019": [1.5, 2.5], "when": [1, 2]}).with_columns(
            pl.from_epoch("when").dt.replace_time_zone("UTC")
        )
        frame.write_parquet(tmp_path / "x.parquet")
        found = infer([str(tmp_path / "x.parquet")], table="x", sources=sources)
        types = {c.name: c.type for c in found.schema.columns}
        assert types == {"2019": ColumnType.NUMBER, "when": ColumnType.TIMESTAMP}

    def test_in_several_files_is_one_table(self, tmp_path, sources):
        first, second = (file(tmp_path, f"a,b\n{n},x\n", f"{n}.csv") for n in (1, 2))
        assert infer([first, second], table="rows", sources=sources).rows == 2

    def test_with_other_columns_than_the_first_is_refused(self, tmp_path, sources):
        first = file(tmp_path, "a,b\n1,x\n", "1.csv")
        more = file(tmp_path, "a,b,c\n1,x,y\n", "2.csv")
        with pytest.raises(DataQualityError, match=r"2\.csv has columns that .* has not \(c\)"):
            infer([first, more], table="rows", sources=sources)

    def test_fits_the_schema_that_it_led_to(self, tmp_path, sources):
        text = "User Id,When,€\nu1,2024-01-01,1.5\nu2,2024-01-02,\n"
        path = file(tmp_path, text)
        found = infer([path], table="rows", sources=sources)
        content = package_bytes(to_package([found.schema], review={"rows": found.notes}))
        (schema,) = package_from(content, source="x")
        with sources.open(path, [schema]) as reading:
            rows = pl.concat(chunk.frame for chunk in reading)
        assert reading.ignored == ()
        assert rows.height == 2
        assert [c.name for c in schema.columns] == ["user_id", "when", "c3"]


class TestAReviewedFile:
    def test_is_what_was_written(self, tmp_path):
        from flyball.steps.schema_file import load_schemas, write_package

        found = proposal(user_id=["1", "2"], hours=["1", "2.5"])
        package = to_package([found.schema], review={"rows": found.notes})
        write_package(package, tmp_path / "schema.json")
        assert load_schemas(tmp_path / "schema.json") == (found.schema,)
        assert [p.name for p in tmp_path.iterdir()] == ["schema.json"]
