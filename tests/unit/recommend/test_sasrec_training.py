"""How SASRec is trained: what a batch knows, and fits that were cut off and go on."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np
import pytest

from flyball import checkpoints
from flyball.errors import StorageUnavailable
from flyball.recommend.inner import inner_fold
from flyball.recommend.sasrec import SasRec, SasRecConfig
from flyball.recommend.sasrec.keeping import Keeper, request_digest
from flyball.recommend.sasrec.lessons import Lesson, batches
from recommender_promises import data_of, random_data

pytestmark = pytest.mark.skipif(
    find_spec("torch") is None, reason="PyTorch is not installed: pip install 'flyball[torch]'"
)

CONFIG = SasRecConfig(dim=8, layers=1, heads=1, batch_size=16, max_len=5, epochs=3, patience=2)


@pytest.fixture(scope="module")
def data():
    return random_data(n_users=40, n_items=12)


@pytest.fixture(scope="module")
def lesson(data):
    return Lesson(data, inner_fold(data))


@dataclass(frozen=True, slots=True)
class FailingKeeper(Keeper):
    """Its disk is full after so many checkpoints."""

    left: list[int] = field(default_factory=list)

    def keep(self, phase, arrays, facts):
        if not self.left[0]:
            raise StorageUnavailable("no space left on device")
        self.left[0] -= 1
        Keeper.keep(self, phase, arrays, facts)


def learnt(lesson, keeper=None, config=CONFIG):
    from flyball.recommend.sasrec.training import Alone, learn

    return learn(lesson, config, Alone(), keeper)


def same(one, other):
    return one.keys() == other.keys() and all(
        part.tobytes() == other[name].tobytes() for name, part in one.items()
    )


class TestABatch:
    @pytest.mark.parametrize("parts", [1, 2, 3])
    def test_is_shared_out_whole_among_the_processes(self, data, parts):
        """Each next item is asked for by one of them, as often as by one process alone."""
        whole = list(batches(data, CONFIG, epoch=4, part=0, parts=1))
        shares = [list(batches(data, CONFIG, epoch=4, part=p, parts=parts)) for p in range(parts)]
        for batch, *share in zip(whole, *shares, strict=True):
            wanted = np.concatenate([one.wanted for one in share])
            assert sorted(wanted) == sorted(batch.wanted)
            assert {one.total for one in share} == {len(batch.wanted)}

    def test_asks_for_a_day_before_the_item_came(self, data):
        """From the day of the item before it on; so no trend of that day has counted it."""
        came = np.array([[5, 9, 9, 30], [7, 8, 20, 21], [1, 1, 1, 50]], dtype=float)
        days = np.zeros((3, 12))
        for user in range(3):  # nobody has an item of another: each item came on one day
            days[user, 4 * user : 4 * user + 4] = came[user]
        apart = data_of(days > 0, days=days)
        before = np.array([[0, 5, 5, 9], [0, 7, 8, 20], [0, 0, 0, 1]]).ravel()
        asked = set()
        for epoch in range(20):
            for batch in batches(apart, CONFIG, epoch=epoch, part=0, parts=1):
                assert (batch.day < came.ravel()[batch.wanted]).all()
                assert (batch.day >= before[batch.wanted]).all()
                asked |= set(batch.day.tolist())
        assert len(asked & set(range(9, 30))) > 10, "the day is not drawn"

    def test_foretells_nothing_the_user_already_has(self, data):
        for batch in batches(data, CONFIG, epoch=2, part=0, parts=1):
            assert not (batch.own == batch.wanted[:, None]).any()
            rows, places = np.nonzero(batch.inside)
            assert (batch.own[:, 0] == batch.items[rows, 0]).all()
            assert (batch.own.max(axis=1) <= batch.items.max()).all()
            newest = batch.items[rows, places]
            assert (batch.own == newest[:, None]).any(axis=1).all()

    def test_orders_the_items_of_one_day_anew_in_each_epoch(self, data):
        """Which came first is not known: the order of ids must not be learnt."""
        one_day = type(data)(data.users, data.items, data.matrix, None, np.zeros_like(data.days))
        one, other = (
            np.concatenate(
                [b.wanted for b in batches(one_day, CONFIG, epoch=epoch, part=0, parts=1)]
            )
            for epoch in (1, 2)
        )
        assert one.tolist() != other.tolist()
        rising = [
            float((b.items[:, 1:] > b.items[:, :-1])[b.inside[:, 1:]].mean())
            for b in batches(one_day, CONFIG, epoch=1, part=0, parts=1)
        ]
        assert 0.2 < np.mean(rising) < 0.8


class TestAFitThatWasCutOff:
    def test_ends_with_the_same_weights_wherever_it_was_cut(self, lesson, tmp_path):
        """To the bit, and as often as it is cut: after each of its checkpoints once."""
        whole, epochs = learnt(lesson)
        request = request_digest(lesson, CONFIG)
        cuts = 0
        while True:
            keeper = FailingKeeper(tmp_path, request, [1])
            try:
                resumed, again = learnt(lesson, keeper)
                break
            except StorageUnavailable:
                cuts += 1
                assert cuts < 50, "it does not get on"
        assert cuts >= 3
        assert again == epochs
        assert same(resumed, whole)

    def test_does_not_begin_anew(self, lesson, tmp_path):
        """What was learnt is not learnt again: one more checkpoint is enough for one more epoch."""
        request = request_digest(lesson, CONFIG)
        with pytest.raises(StorageUnavailable):
            learnt(lesson, FailingKeeper(tmp_path, request, [2]))
        found = Keeper(tmp_path, request).found("held")
        assert found is not None
        assert found[1]["epoch"] == 1
        assert len(found[1]["values"]) == 2

    def test_does_not_go_on_from_a_foreign_checkpoint(self, lesson, data, tmp_path):
        """Another seed or other data is another fit."""
        seeds = CONFIG.model_copy(update={"seed": 1})
        less = Lesson(data.narrowed(users=np.arange(39)), None)
        digests = {
            request_digest(lesson, CONFIG),
            request_digest(lesson, seeds),
            request_digest(Lesson(data, None), CONFIG),
            request_digest(less, CONFIG),
        }
        assert len(digests) == 4
        one, other = Keeper(tmp_path, "one"), Keeper(tmp_path, "other")
        one.keep("final", {"a": np.ones(2)}, {"epoch": 1})
        one.path("final").rename(other.path("final"))
        assert other.found("final") is None

    def test_takes_a_damaged_checkpoint_for_none(self, lesson, tmp_path):
        keeper = Keeper(tmp_path, request_digest(lesson, CONFIG))
        whole, _ = learnt(lesson, keeper)
        for path in tmp_path.iterdir():
            path.write_bytes(path.read_bytes()[:-7])
        assert same(learnt(lesson, keeper)[0], whole)

    def test_leaves_nothing_behind_when_it_is_done(self, data, tmp_path):
        with checkpoints.kept_in(tmp_path / "kept"):
            SasRec.fit(data, CONFIG)
        assert list((tmp_path / "kept").iterdir()) == []
        assert checkpoints.directory() is None


class TestTheNumberOfEpochs:
    def test_is_the_best_on_what_was_held_back(self, lesson, tmp_path):
        """And the search for it ends ``patience`` epochs after the best."""
        config = CONFIG.model_copy(update={"epochs": 12})
        keeper = Keeper(tmp_path, "any")
        _, epochs = learnt(lesson, keeper, config)
        values = keeper.found("held")[1]["values"]
        assert epochs == int(np.argmax(values))
        assert len(values) - 1 == min(12, epochs + 2)

    def test_is_the_one_given_where_nothing_can_be_held_back(self):
        """Too few users: all epochs are trained."""
        few = random_data(n_users=4, n_items=6)
        assert SasRec.fit(few, CONFIG).epochs == CONFIG.epochs


class TestTheProcessThatFits:
    def test_finds_torch_as_it_was(self, data):
        """Its random numbers go on where they were, its settings stand."""
        import torch

        before, threads = torch.random.get_rng_state(), torch.get_num_threads()
        SasRec.fit(data, CONFIG)
        assert torch.get_num_threads() == threads
        assert torch.equal(torch.random.get_rng_state(), before)
        assert not torch.are_deterministic_algorithms_enabled()
