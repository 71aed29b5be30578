"""What a schema file promises: other tools read it, and a slip in it is named with its place."""

from __future__ import annotations

import json

import pytest

from flyball.domain.schema import Column, ColumnType, Privacy, Reference, Schema
from flyball.domain.table_schema import from_package, package_bytes, package_from, to_package
from flyball.errors import ConfigurationError

SALES = Schema(
    name="sales",
    columns=(
        Column(
            name="user",
            type=ColumnType.STRING,
            privacy=Privacy.PERSONAL,
            aliases=("customer",),
        ),
        Column(
            name="item",
            type=ColumnType.STRING,
            references=Reference(table="items", column="name", by_slug=True),
        ),
        Column(name="kind", type=ColumnType.STRING, allowed=("sale", "return")),
        Column(
            name="price",
            type=ColumnType.NUMBER,
            required=False,
            nullable=True,
            minimum=0,
            maximum=100,
            unit="USD",
            lenient=True,
            spellings={"free": "0"},
        ),
        Column(name="at", type=ColumnType.TIMESTAMP),
    ),
    key=("user", "item"),
    one_of=(("item", "kind"),),
    headerless=("user", "item", ""),
)
ITEMS = Schema(name="items", columns=(Column(name="name", type=ColumnType.STRING),))


@pytest.fixture
def package():
    return to_package((SALES, ITEMS))


def field(package, name):
    return next(f for f in package["resources"][0]["schema"]["fields"] if f["name"] == name)


def key(fields, table, column):
    return {"fields": fields, "reference": {"resource": table, "fields": [column]}}


class TestAPackage:
    def test_speaks_the_words_of_the_standard(self, package):
        table = package["resources"][0]["schema"]
        assert table["primaryKey"] == ["user", "item"]
        assert table["foreignKeys"] == [
            {
                "fields": ["item"],
                "reference": {"resource": "items", "fields": ["name"]},
                "flyball:by_slug": True,
            }
        ]
        assert field(package, "kind") == {
            "name": "kind",
            "type": "string",
            "constraints": {"required": True, "enum": ["sale", "return"]},
        }
        price = field(package, "price")
        assert price["constraints"] == {"required": False, "minimum": 0.0, "maximum": 100.0}
        assert field(package, "at")["type"] == "datetime"

    def test_keeps_what_the_standard_has_no_word_for(self, package):
        assert field(package, "user")["flyball:privacy"] == "personal"
        assert field(package, "user")["flyball:aliases"] == ["customer"]
        assert field(package, "price")["flyball:unit"] == "USD"
        assert from_package(package) == (SALES, ITEMS)

    def test_names_the_files_of_a_table_where_asked(self):
        package = to_package((ITEMS,), files={"items": ["0001-items-ab.parquet"]})
        assert package["resources"][0]["path"] == ["0001-items-ab.parquet"]
        assert from_package(package) == (ITEMS,)

    def test_carries_notes_for_people_that_mean_nothing(self):
        package = to_package((ITEMS,), review={"items": {"": ["a note"], "name": ["another"]}})
        table = package["resources"][0]["schema"]
        assert table["flyball:review"] == ["a note"]
        assert table["fields"][0]["flyball:review"] == ["another"]
        assert from_package(package) == (ITEMS,)

    def test_may_describe_itself_and_its_fields(self, package):
        package["title"] = "Sales"
        field(package, "kind")["description"] = "what happened"
        assert from_package(package) == (SALES, ITEMS)

    def test_has_the_same_bytes_whoever_wrote_the_numbers(self):
        whole, real = (
            Schema(columns=(Column(name="x", type=ColumnType.NUMBER, minimum=low),))
            for low in (0, 0.0)
        )
        assert package_bytes(to_package((whole,))) == package_bytes(to_package((real,)))


class TestASlip:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"typ": "x"}, "field 4 of table 'sales': 'typ' is not known; did you mean 'type'"),
            ({"type": "nubmer"}, "type of field 'price' .*'nubmer' .*did you mean 'number'"),
            ({"type": None}, "type of field 'price' .*must be text, is missing"),
            ({"flyball:unti": "h"}, "'flyball:unti' is not known; did you mean 'flyball:unit'"),
            ({"flyball:privacy": "privat"}, "flyball:privacy .*did you mean 'public'|it may be"),
            ({"flyball:optional": "yes"}, "must be true or false, is 'yes'"),
            ({"flyball:spellings": {"Free": "0"}}, "write 'Free' in lower case"),
            ({"constraints": {"minimun": 0}}, "'minimun' is not known; did you mean 'minimum'"),
            ({"constraints": {"minimum": "0"}}, "minimum of field 'price' .*be a finite number"),
            ({"constraints": {"minimum": 9, "maximum": 1}}, "minimum 9 is above maximum 1"),
            ({"constraints": {"enum": ["1"]}}, "only text has an enum"),
            ({"flyball:privacy": "personal"}, "make it a string"),
            ({"name": "item"}, "field 'item' is there twice"),
        ],
    )  # fmt: skip
    def test_in_a_field_is_named(self, package, change, says):
        field(package, "price").update(change)
        with pytest.raises(ConfigurationError, match=says):
            from_package(package)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"primaryKey": ["usr"]}, "primaryKey: no field 'usr'; did you mean 'user'"),
            ({"flyball:one_of": [["itm"]]}, "one_of: no field 'itm'; did you mean 'item'"),
            ({"flyball:headerless": ["a"]}, "headerless: no field 'a'"),
            ({"flyball:headerless": ["at", "at"]}, "'at' is there twice"),
            ({"fields": [], "foreignKeys": []}, "has no fields"),
            ({"fields": "user"}, "fields of table 'sales': must be a list"),
            ({"foreignKeys": [key(["itm"], "items", "name")]},
             "no field 'itm'; did you mean 'item'"),
            ({"foreignKeys": [key(["item"], "itmes", "name")]},
             "refers to no table 'itmes'; did you mean 'items'"),
            ({"foreignKeys": [key(["item"], "items", "nam")]},
             "refers to no field 'nam' of 'items'; did you mean 'name'"),
            ({"foreignKeys": [key(["item", "user"], "items", "name")]},
             "goes from one field to one"),
        ],
    )  # fmt: skip
    def test_in_a_table_is_named(self, package, change, says):
        package["resources"][0]["schema"].update(change)
        with pytest.raises(ConfigurationError, match=says):
            from_package(package)

    @pytest.mark.parametrize("name", ["Sales", "a-b", "", "../x", "x" * 41])
    def test_in_the_name_of_a_table_is_named(self, package, name):
        package["resources"][0]["name"] = name
        with pytest.raises(ConfigurationError, match="name"):
            from_package(package)

    def test_table_twice_is_named(self, package):
        package["resources"].append(package["resources"][1])
        with pytest.raises(ConfigurationError, match="table 'items': is there twice"):
            from_package(package)

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"{", "sales.json is not JSON"),
            (b"\xff", "sales.json is not JSON"),
            (b"[]", "sales.json: the package: must be an object"),
            (b"{}", "resources: must be a list, is missing"),
            (b'{"resources": []}', "name at least one table"),
            (b'{"resources": [3]}', "resource 1: must be an object, is 3"),
            (b"[" * 100_000, "sales.json is not JSON"),
        ],
    )
    def test_in_the_file_is_named_with_the_file(self, content, says):
        with pytest.raises(ConfigurationError, match=says):
            package_from(content, source="sales.json")

    def test_is_not_seen_where_there_is_none(self, package):
        assert package_from(json.dumps(package).encode(), source="x") == (SALES, ITEMS)
