"""Texts that are mapped from disk are the texts that were given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import ArtifactCorrupt
from flyball.games.texts import SortedTexts, Texts

ANY = st.lists(
    st.text(st.characters(exclude_categories=(), exclude_characters="\n"), max_size=6), max_size=20
)
"""Lone surrogates too, as broken JSON may hold them."""


@given(ANY)
def test_come_back_one_by_one_and_together(texts):
    made = Texts.of(texts)
    assert list(made) == texts
    assert [made[place] for place in range(len(texts))] == texts
    assert made.together(0, len(texts)) == texts
    assert made[1:3] == texts[1:3]


@given(ANY, st.text(max_size=3))
def test_sorted_ones_are_found_by_how_they_begin_and_by_all_of_it(texts, asked):
    made = SortedTexts.of(Texts.of(texts))
    begun = [place for place, text in enumerate(texts) if text.startswith(asked)]
    assert sorted(made.begun(asked).tolist()) == begun
    assert made.equal(asked).tolist() == [n for n, text in enumerate(texts) if text == asked]


@given(
    st.lists(st.text("ab ", max_size=5), max_size=12),
    st.text("ab \n", min_size=1, max_size=3),
    st.integers(0, 13),
)
def test_those_that_hold_a_part_are_found_in_order(texts, part, first):
    """Never over the end of one text and the beginning of the next."""
    wanted = part.replace("\n", " ")
    expected = [n for n, text in enumerate(texts) if n >= first and wanted in text]
    assert list(Texts.of(texts).holding(part, first)) == expected


def test_line_feeds_become_spaces():
    assert Texts.of(["a\nb"])[0] == "a b"


@pytest.mark.parametrize("texts", [[], [""], ["a", "", "Pokémon", "原神"]], ids=repr)
def test_come_back_from_disk_mapped(texts, tmp_path):
    made = SortedTexts.of(Texts.of(texts))
    made.save(tmp_path, "some")
    loaded = SortedTexts.load(tmp_path, "some")
    assert list(loaded.texts) == texts
    assert loaded.begun("").tolist() == made.begun("").tolist()
    assert (tmp_path / "some.txt").read_text() == "".join(f"{text}\n" for text in texts)


@pytest.mark.parametrize("place", [-3, 2, 5])
def test_a_place_there_is_not_is_an_index_error(place):
    with pytest.raises(IndexError, match="of 2"):
        Texts.of(["a", "b"])[place]


def test_counts_from_the_end_too():
    assert Texts.of(["a", "b"])[-1] == "b"


class TestDamaged:
    @pytest.fixture
    def saved(self, tmp_path):
        SortedTexts.of(Texts.of(["one", "two"])).save(tmp_path, "some")
        return tmp_path

    @pytest.mark.parametrize(
        "content", [b"", b"one\n", b"one\ntwo", b"one two\n", b"one\ntwo\nx\n"]
    )
    def test_a_file_that_does_not_fit_is_refused(self, saved, content):
        (saved / "some.txt").write_bytes(content)
        with pytest.raises(ArtifactCorrupt, match="does not fit"):
            SortedTexts.load(saved, "some")

    def test_a_missing_file_is_refused(self, saved):
        (saved / "some.txt").unlink()
        with pytest.raises(ArtifactCorrupt, match="cannot be read"):
            SortedTexts.load(saved, "some")

    @pytest.mark.parametrize("order", [[0], [0, 2], [-1, 0]], ids=str)
    def test_an_order_that_does_not_fit_is_refused(self, saved, order):
        np.save(saved / "some_order.npy", np.array(order, dtype=np.int32))
        with pytest.raises(ArtifactCorrupt, match="does not fit"):
            SortedTexts.load(saved, "some")
