"""Names of versions: what is written can be read, numbers rise, and say what changed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flyball.domain.names import Recipe, VersionName, check_model_name
from flyball.errors import ConfigurationError, InvalidRequest

NUMBERS = st.integers(0, 999_999_999)
HASHES = st.text("0123456789abcdef", min_size=8, max_size=8)
NAMES = st.builds(
    VersionName, major=NUMBERS, minor=NUMBERS, patch=NUMBERS, data_hash=HASHES, hyper_hash=HASHES
)
RECIPES = st.builds(
    Recipe,
    architecture=st.sampled_from(["games@1/ease@1", "games@1/ease@2", "games@2/ease@1"]),
    hyperparameters=st.sampled_from([{"l2": 30.0}, {"l2": 100.0}, {}]),
    data_version=st.text("0123456789abcdef", min_size=32, max_size=32),
)


@given(NAMES)
def test_a_name_reads_back(name: VersionName) -> None:
    assert VersionName.parse(str(name)) == name


@given(NAMES, st.integers(0, 30), st.sampled_from(["", "0", "\u0661", "\n", " ", "-", ".", "F"]))
def test_a_text_is_a_name_exactly_as_written_or_is_refused(
    name: VersionName, place: int, slip: str
) -> None:
    """No second spelling: other digits, leading zeros, spaces or a line end are refused."""
    text = f"{str(name)[:place]}{slip}{str(name)[place:]}"
    try:
        read = VersionName.parse(text)
    except InvalidRequest:
        return
    assert str(read) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.2.0",
        "01.2.0-0123abcd-89ef4567",
        "1.2.0-0123abcd-89ef4567\n",
        "1.2.0-0123ABCD-89ef4567",
        "1\u0661.2.0-0123abcd-89ef4567",
        f"{'1' * 5_000}.2.0-0123abcd-89ef4567",
    ],
)
def test_what_is_no_name_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"1\.2\.0-0123abcd-89ef4567 \(see"):
        VersionName.parse(text)


@given(NAMES, NAMES)
def test_names_are_ordered_by_number_first(one: VersionName, other: VersionName) -> None:
    mine = (one.major, one.minor, one.patch)
    theirs = (other.major, other.minor, other.patch)
    if mine != theirs:
        assert (one < other) == (mine < theirs)
    assert (one < other) + (other < one) + (one == other) == 1


@given(NAMES, RECIPES, RECIPES)
def test_the_next_name_is_higher_and_says_what_changed(
    old: VersionName, before: Recipe, after: Recipe
) -> None:
    new = old.after(before, after)
    assert new > old
    assert (new.data_hash, new.hyper_hash) == (after.data_hash, after.hyper_hash)
    if before.architecture != after.architecture:
        assert (new.major, new.minor, new.patch) == (old.major + 1, 0, 0)
    elif before.hyperparameters != after.hyperparameters:
        assert (new.major, new.minor, new.patch) == (old.major, old.minor + 1, 0)
    else:
        assert (new.major, new.minor, new.patch) == (old.major, old.minor, old.patch + 1)


@given(RECIPES)
def test_the_first_name_is_one(recipe: Recipe) -> None:
    assert str(VersionName.first(recipe)) == f"1.0.0-{recipe.data_hash}-{recipe.hyper_hash}"
    assert recipe.data_version.startswith(recipe.data_hash)


@given(st.dictionaries(st.text("abc"), st.integers(), min_size=2), st.randoms())
def test_the_order_of_hyperparameters_does_not_matter(
    parameters: dict[str, Any], random: Any
) -> None:
    shuffled = list(parameters.items())
    random.shuffle(shuffled)
    recipes = [
        Recipe(architecture="a", hyperparameters=values, data_version="0" * 32)
        for values in (parameters, dict(shuffled))
    ]
    assert recipes[0].hyper_hash == recipes[1].hyper_hash


@given(st.from_regex(r"[a-z][a-z0-9_-]{0,62}", fullmatch=True))
def test_a_good_model_name_is_itself(name: str) -> None:
    assert check_model_name(name) == name


@given(st.text(max_size=70))
def test_a_model_name_that_is_no_safe_path_is_refused(name: str) -> None:
    safe = name.isascii() and name[:1].isalpha() and name == name.lower() and len(name) <= 63
    assume(not (safe and all(c.isalnum() or c in "-_" for c in name)))
    with pytest.raises(ConfigurationError, match="for example 'games'"):
        check_model_name(name)
