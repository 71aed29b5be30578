"""Ids and columns lead to each other, whatever is asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import ArtifactCorrupt
from flyball.games.ids import Columns, Ids, open_keys, sorted_keys

NAMES = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=4)


@given(names=st.sets(NAMES, min_size=1, max_size=20), asked=st.lists(st.text(max_size=6)))
def test_every_id_has_its_column_and_no_other_text_has_one(names, asked):
    """Longer texts, and such as end in a zero byte, among those asked for."""
    rising = sorted(names)
    ids = Ids(sorted_keys(rising))
    columns = Columns(ids)
    assert [ids.column(name) for name in rising] == list(range(len(rising)))
    for text in [*asked, *(name + "\0" for name in rising), *(name + "x" for name in rising)]:
        expected = rising.index(text) if text in names else None
        assert ids.column(text) == columns.get(text) == expected
    assert ids.columns(rising[::-1]).tolist() == list(range(len(rising)))[::-1]
    assert ids.columns(asked).tolist() == [rising.index(text) for text in asked if text in names]


def test_are_a_sequence_and_a_mapping():
    ids = Ids(sorted_keys(["a", "b", "c"]))
    assert list(ids) == ids[:] == ["a", "b", "c"]
    assert (ids[0], ids[-1], ids.of(1), len(ids)) == ("a", "c", "b", 3)
    assert dict(Columns(ids)) == {"a": 0, "b": 1, "c": 2}
    with pytest.raises(IndexError):
        ids[3]
    with pytest.raises(KeyError):
        Columns(ids)["d"]


@pytest.mark.parametrize(
    "keys",
    [np.array([b"b", b"a"]), np.array([b"a", b"a"]), np.array([1, 2]), np.array([[b"a", b"b"]])],
    ids=["falling", "twice", "numbers", "a table"],
)
def test_keys_that_do_not_rise_are_a_damaged_artifact(keys, tmp_path):
    np.save(tmp_path / "items.npy", keys)
    with pytest.raises(ArtifactCorrupt, match="not texts that rise"):
        open_keys(tmp_path, "items")
