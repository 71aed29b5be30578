"""The quick way to the best games, and to the reasons, is the long way's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.games.reasons import Sums, whys
from flyball.games.top import top, tops
from flyball.recommend.protocols import Terms

RECOMMEND = "/v1/recommendations"


@given(
    n=st.sampled_from([1, 2, 9, 300, 600, 2000, 5155]),
    k=st.integers(1, 700),
    kinds=st.sampled_from([1, 2, 5, 100_000]),
    masked=st.sampled_from([0.0, 0.5, 0.99, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_the_best_are_those_of_a_full_sort(n, k, kinds, masked, seed):
    """With many equal scores, -0.0 beside 0.0, and masks; places of equals by fame."""
    rng = np.random.default_rng(seed)
    scores, fame = some_scores(rng, n, kinds, masked), rng.permutation(n)
    assert top(scores, k, fame).tolist() == sorted_best(scores, k, fame)


def some_scores(rng, n, kinds, masked):
    scores = (rng.integers(-kinds, kinds, n) * 0.25).astype(np.float32)
    scores[rng.random(n) < 0.2] = -0.0
    scores[rng.random(n) < masked] = -np.inf
    return scores


def sorted_best(scores, k, fame):
    order = np.lexsort((fame, -scores))
    return order[scores[order] > -np.inf][:k].tolist()


@given(
    n=st.sampled_from([1, 9, 300, 600, 2000, 5155]),
    asked=st.lists(
        st.tuples(
            st.sampled_from([1, 3, 10, 10, 60, 500]),
            st.sampled_from([1, 2, 5, 100_000]),
            st.sampled_from([0.0, 0.5, 0.99, 1.0]),
        ),
        min_size=1,
        max_size=8,
    ),
    seed=st.integers(0, 2**32),
)
def test_the_best_of_many_lists_are_those_of_each(n, asked, seed):
    """Long lists and short ones, full ones beside empty ones, and many equal scores in some."""
    rng = np.random.default_rng(seed)
    fame = rng.permutation(n)
    rows = [some_scores(rng, n, kinds, masked) for _, kinds, masked in asked]
    before = [row.copy() for row in rows]
    found = tops(rows, [k for k, _, _ in asked], fame)
    for (k, _, _), row, columns in zip(asked, rows, found, strict=True):
        assert columns.tolist() == top(row, k, fame).tolist() == sorted_best(row, k, fame)
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("share", [0.01, 1.0])
def test_scores_that_are_no_numbers_do_not_change_the_lists_of_others(broken, share):
    rng = np.random.default_rng(3)
    rows = [rng.normal(size=2000).astype(np.float32) for _ in range(5)]
    rows[2][rng.random(2000) < share] = broken
    fame = rng.permutation(2000)
    found = tops(rows, [10] * 5, fame)
    for number in (0, 1, 3, 4):
        assert found[number].tolist() == sorted_best(rows[number], 10, fame)
    assert not np.isnan(rows[2][found[2]]).any()
    assert found[2].tolist() == top(rows[2], 10, fame).tolist()


@given(
    terms=st.lists(
        st.lists(st.floats(-10, 10, width=32), min_size=4, max_size=4), min_size=1, max_size=5
    ),
    base=st.floats(-5, 5, width=32),
)
def test_shares_and_rest_add_up_to_one_or_nothing_speaks_for_the_game(terms, base):
    bases = np.full(len(terms), base, dtype=np.float32)
    found = Terms(np.array(terms, dtype=np.float32), bases)
    [reasons] = whys([Sums(found, np.arange(4))], "abcd".__getitem__)
    for each, why in zip(terms, reasons, strict=True):
        whole = sum(reason.share for reason in why.reasons) + why.rest
        positive = [term for term in [*each, base] if term > 0]
        assert whole == pytest.approx(1.0 if positive else 0.0)
        assert all(0 < reason.share <= 1 for reason in why.reasons)
        assert len(why.reasons) == min(3, len(positive))
        assert 0 <= why.rest <= 1


@given(
    sizes=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40), st.booleans()), min_size=1),
    seed=st.integers(0, 2**32),
)
def test_reasons_of_several_lists_are_those_of_each(sizes, seed):
    """Long histories beside short ones and none; lists of no game; with a base and without."""
    rng = np.random.default_rng(seed)
    lists = []
    for games, history, based in sizes:
        terms = rng.normal(size=(games, history)).round(1).astype(np.float32)
        base = rng.normal(size=games).astype(np.float32) if based else None
        lists.append(Sums(Terms(terms, base), rng.integers(0, 1000, history)))
    found = whys(lists, str)
    assert [len(each) for each in found] == [games for games, _, _ in sizes]
    for each, sums in zip(found, lists, strict=True):
        [alone] = whys([sums], str)
        for one, other in zip(each, alone, strict=True):
            assert [(r.game_id, r.kind) for r in one.reasons] == [
                (r.game_id, r.kind) for r in other.reasons
            ]
            shares = [reason.share for reason in one.reasons]
            assert shares == pytest.approx([reason.share for reason in other.reasons], abs=1e-12)
            assert one.rest == pytest.approx(other.rest, abs=1e-12)


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_term_that_is_no_number_is_no_share(broken):
    """It would go out as null, where a number was promised."""
    terms = np.array([[1.0, broken, 3.0], [1.0, 2.0, 3.0]], dtype=np.float32)
    [[first, second]] = whys([Sums(Terms(terms), np.arange(3))], "abc".__getitem__)
    for why in (first, second):
        assert all(0.0 < reason.share <= 1.0 for reason in why.reasons)
        assert 0.0 <= why.rest <= 1.0
    assert [reason.game_id for reason in second.reasons] == ["c", "b", "a"]
