"""Which values of a batch are not in the table that they refer to."""

from __future__ import annotations

import polars as pl

from flyball.domain.schema import Reference
from flyball.steps.references import unresolved

EXACT = Reference(table="items", column="id")
BY_SLUG = Reference(table="items", column="name", by_slug=True)


def values(counts):
    types = {"value": pl.String, "rows": pl.UInt32}
    return pl.DataFrame(list(counts.items()), schema=types, orient="row")


class TestValues:
    def test_are_found_as_they_are(self):
        table = pl.Series(["1", "2", None])
        assert unresolved(values({"1": 5, "2": 3, "3": 2, "01": 1}), EXACT, table) == (
            3, 2, ("3", "01"),
        )  # fmt: skip

    def test_are_found_by_slug_whatever_their_case_accents_and_punctuation(self):
        table = pl.Series(["Pokémon: GO!", "The Elder Scrolls V: Skyrim"])
        asked = values({"pokemon go": 2, "THE ELDER SCROLLS V SKYRIM": 2, "Skyrim": 1})
        assert unresolved(asked, BY_SLUG, table) == (1, 1, ("Skyrim",))

    def test_without_a_latin_letter_are_compared_as_they_are(self):
        assert unresolved(values({"原神": 1, "崩坏": 1}), BY_SLUG, pl.Series(["原神"])) == (
            1, 1, ("崩坏",),
        )  # fmt: skip

    def test_that_are_missing_refer_to_nothing(self):
        assert unresolved(values({None: 7, "1": 1}), EXACT, pl.Series(["1"])) == (0, 0, ())

    def test_are_all_unresolved_in_an_empty_table(self):
        empty = pl.Series([], dtype=pl.String)
        assert unresolved(values({"a": 1, "b": 2}), EXACT, empty) == (3, 2, ("b", "a"))

    def test_there_are_none_of_lead_to_nothing(self):
        assert unresolved(values({}), BY_SLUG, pl.Series(["a"])) == (0, 0, ())
