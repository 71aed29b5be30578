"""SASRec: learns the order of a history, answers without torch, and adds up its reasons."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt, ConfigurationError, TrainingError
from flyball.recommend.histories import Histories, History
from flyball.recommend.sasrec import SasRec, SasRecConfig
from flyball.testing.models import ModelContract
from recommender_promises import data_of, random_data

pytestmark = pytest.mark.skipif(
    find_spec("torch") is None, reason="PyTorch is not installed: pip install 'flyball[torch]'"
)
SMALL = {"dim": 16, "layers": 1, "heads": 2, "batch_size": 32, "epochs": 3, "patience": None}


def small(**other):
    return SasRecConfig(**{**SMALL, **other})


def walks(n_users=160, n_items=12, seed=5):
    """Everyone begins somewhere and goes round in a circle, one step a day."""
    rng = np.random.default_rng(seed)
    table, days = np.zeros((2, n_users, n_items))
    for user, length in enumerate(rng.integers(3, 8, n_users)):
        steps = (rng.integers(n_items) + np.arange(length)) % n_items
        table[user, steps] = 1
        days[user, steps] = rng.integers(0, 300) + np.arange(length)
    return data_of(table, days=days)


@pytest.fixture(scope="module")
def data():
    return random_data()


@pytest.fixture(scope="module")
def fitted(data):
    return SasRec.fit(data, small(max_len=6))


class TestTheModelContract(ModelContract):
    @pytest.fixture
    def model(self):
        return SasRec

    @pytest.fixture
    def data(self):
        return random_data(n_users=40, n_items=12)

    @pytest.fixture
    def queries(self, data):
        return data.histories(slice(0, 7))


class TestItsScores:
    def test_foretell_the_next_step_of_a_walk(self):
        """Order alone tells: every item is as popular as every other."""
        model = SasRec.fit(walks(), small(epochs=25, learning_rate=0.01, dropout=0.1))
        right = 0
        for start in range(12):
            steps = (start + np.arange(4)) % 12
            days = np.arange(400, 404, dtype=np.float32)
            scores = model.score(History(steps, days=days))
            scores[steps] = 0
            right += int(scores.argmax() == (start + 4) % 12)
        assert right >= 10

    def test_are_probabilities(self, fitted, data):
        scores = fitted.predict(data.histories())
        assert (scores > 0).all()
        np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-4)

    def test_of_one_history_are_those_of_many(self, fitted, data):
        days = np.linspace(95, 140, len(data.users), dtype=np.float32)
        histories = replace(data.histories(), as_of=days)
        one_by_one = [fitted.score(histories.one(row)) for row in range(len(histories))]
        np.testing.assert_allclose(fitted.predict(histories), one_by_one, rtol=1e-4)

    def test_are_those_of_the_trained_network(self, data):
        """NumPy serves what torch trained, within 1e-4, whatever the lengths."""
        import torch

        from flyball.recommend.sasrec.forward import encoded
        from flyball.recommend.sasrec.network import Network

        torch_state = torch.random.get_rng_state()
        torch.manual_seed(1)
        network = Network(small(layers=3, dim=24, heads=4, max_len=9), 30).eval()
        torch.random.set_rng_state(torch_state)
        for parameter in network.parameters():
            parameter.data += 0.3 * torch.sin(torch.arange(parameter.numel())).view_as(parameter)
        items = np.random.default_rng(2).integers(0, 30, (40, 9))
        lengths = np.random.default_rng(3).integers(1, 10, 40)
        last = np.arange(9) == lengths[:, None] - 1
        none = torch.zeros(1, 3, 30)
        with torch.no_grad():
            logits = network(
                torch.from_numpy(items), torch.from_numpy(last), torch.zeros(40).long(), none
            )
        weights = {name: part.numpy() for name, part in network.state_dict().items()}
        ours = encoded(weights, items, lengths, 4) @ weights["items.weight"].T
        assert np.abs(ours).max() > 1
        np.testing.assert_allclose(ours, logits.numpy(), rtol=1e-4, atol=1e-4)

    def test_do_not_depend_on_the_order_in_which_a_history_is_told(self, fitted, data):
        history = data.histories().one(0)
        turned = History(history.items[::-1], None, history.days[::-1])
        np.testing.assert_allclose(fitted.score(turned), fitted.score(history), rtol=1e-5)

    def test_look_at_the_newest_items_alone(self, fitted):
        items, days = np.arange(15), np.arange(100, 115, dtype=np.float32)
        whole = fitted.score(History(items, days=days))
        newest = fitted.score(History(items[-6:], days=days[-6:]))
        np.testing.assert_allclose(whole, newest, rtol=1e-5)
        other = fitted.score(History(items[-5:], days=days[-5:]))
        assert np.abs(other - newest).max() > 1e-6

    def test_know_no_more_of_popularity_than_the_day_asked_for(self):
        """An item that came later is no more popular, on an earlier day, than one nobody has."""
        table = np.ones((30, 3))
        table[:5, 2] = 0
        days = np.full(table.shape, 10)
        days[:, 1], days[:, 2] = 11, 200
        model = SasRec.fit(data_of(table, days=days), small(epochs=0))
        nobody = np.empty(0, dtype=np.int64)
        early = model.score(History(nobody, as_of=20.0))
        assert early[0] > 3 * early[2]
        late = model.score(History(nobody))
        assert late[2] > 3 * late[0]


class TestItsReasons:
    def test_add_up_and_say_that_they_are_no_exact_sum(self, fitted, data):
        for row in range(4):
            history = data.histories().one(row)
            scores = fitted.score(history)
            for item in (0, 7, 24):
                terms = fitted.terms(history, np.array([item]))
                assert not terms.exact
                assert terms.items.shape == (1, *history.items.shape)
                assert terms.sums[0] == pytest.approx(scores[item], rel=1e-4)

    def test_are_what_the_score_loses_without_an_item(self, fitted, data):
        """In the order in which the history tells its items; 0 for those too old to count."""
        history = data.histories().one(2)
        assert len(history) > 6
        terms = fitted.terms(history, np.array([3]))
        oldest = np.lexsort((history.items, history.days))[:-6]
        assert (terms.items[0, oldest] == 0).all()
        lost = [
            fitted.score(history)[3] - fitted.score(history.without(place))[3]
            for place in range(len(history))
            if place not in oldest
        ]
        found = np.delete(terms.items[0], oldest)
        np.testing.assert_allclose(found, lost, rtol=1e-3, atol=1e-7)
        assert np.abs(found).max() > 0

    def test_say_which_items_follow_on_an_item(self, fitted):
        similar = fitted.similar(3)
        assert similar.shape == (25,)
        assert similar[3] == 0
        assert np.abs(similar).max() > 0


class TestBadInput:
    def test_an_empty_history_is_answered_by_popularity(self, fitted, data):
        nothing = History(np.empty(0, dtype=np.int64))
        scores = fitted.score(nothing)
        assert scores.sum() == pytest.approx(1.0, rel=1e-4)
        terms = fitted.terms(nothing, np.array([2]))
        assert terms.items.shape == (1, 0)
        assert terms.sums[0] == pytest.approx(scores[2])
        empty = Histories(csr_matrix((2, len(data.items)), dtype=np.float32))
        np.testing.assert_allclose(fitted.predict(empty), [scores, scores], rtol=1e-5)
        assert fitted.predict(empty[:0]).shape == (0, len(data.items))

    def test_an_item_nobody_has_scores_zero_and_moves_nothing(self):
        table = (np.random.default_rng(3).random((30, 8)) < 0.5).astype(float)
        table[:, 4] = 0
        days = np.arange(table.size).reshape(table.shape)
        model = SasRec.fit(data_of(table, days=days), small())
        without, having = (History(np.array(items)) for items in ([1, 2], [1, 2, 4]))
        assert model.score(without)[4] == 0
        assert model.similar(4).tolist() == [0.0] * 8
        np.testing.assert_array_equal(model.score(without), model.score(having))
        assert model.terms(having, np.array([0])).items[0, 2] == 0

    @pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (4, 4)])
    def test_one_user_or_one_item_still_make_a_model(self, shape):
        data = data_of(np.ones(shape), days=np.full(shape, 5))
        model = SasRec.fit(data, small(patience=2))
        scores = model.predict(data.histories())
        assert np.isfinite(scores).all()
        np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-4)

    def test_users_of_one_item_teach_popularity_only(self):
        """There is nothing that comes after: no step is taken, and the answer is the trend."""
        data = data_of(np.eye(5)[[0, 1, 1, 1, 2, 3, 4]], days=np.full((7, 5), 9))
        scores = SasRec.fit(data, small()).score(History(np.empty(0, dtype=np.int64)))
        assert scores.argmax() == 1

    def test_data_without_days_are_refused_in_words(self):
        with pytest.raises(TrainingError, match="no dates"):
            SasRec.fit(data_of(np.ones((4, 4))), small())

    def test_data_without_interactions_are_refused(self):
        with pytest.raises(TrainingError, match="no interactions"):
            SasRec.fit(data_of(np.zeros((3, 3))), small())

    def test_a_size_that_heads_do_not_divide_is_refused(self):
        with pytest.raises(ValueError, match="no multiple"):
            SasRecConfig(dim=10, heads=4)


class TestItsArtifact:
    @pytest.fixture
    def saved(self, fitted, tmp_path):
        fitted.save(tmp_path)
        return tmp_path

    @pytest.mark.parametrize(
        ("name", "value"),
        [("heads", 3), ("heads", 0), ("max_len", 7), ("n_items", 3), ("n_trends", 2)],
    )
    def test_with_other_numbers_is_refused(self, saved, name, value):
        about = json.loads((saved / "sasrec.json").read_text())
        (saved / "sasrec.json").write_text(json.dumps({**about, name: value}))
        with pytest.raises(ArtifactCorrupt, match="restore the artifact"):
            SasRec.load(saved)

    @pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"heads": "2"}'])
    def test_with_an_unreadable_description_is_refused(self, saved, content):
        (saved / "sasrec.json").write_bytes(content)
        with pytest.raises(ArtifactCorrupt, match="restore the artifact"):
            SasRec.load(saved)

    def test_with_a_number_that_is_none_is_refused(self, saved):
        from safetensors.numpy import load_file, save_file

        weights = load_file(saved / "weights.safetensors")
        weights["norm.bias"][2] = np.nan
        save_file(weights, saved / "weights.safetensors")
        with pytest.raises(ArtifactCorrupt, match=r"norm\.bias"):
            SasRec.load(saved)

    def test_answers_where_torch_is_not_installed(self, saved, fitted, data):
        program = """
            import sys
            sys.modules["torch"] = None  # as if it were not installed
            from pathlib import Path
            import numpy as np
            from flyball.recommend.histories import History
            from flyball.recommend.sasrec import SasRec
            model = SasRec.load(Path(sys.argv[1]))
            days = np.array([101, 103], dtype=np.float32)
            print(model.score(History(np.array([3, 5]), days=days)).tolist())
        """
        answer = json.loads(_run(program, str(saved)))
        days = np.array([101, 103], dtype=np.float32)
        ours = fitted.score(History(np.array([3, 5]), days=days))
        np.testing.assert_allclose(answer, ours, rtol=1e-5)


class TestWithoutTorch:
    def test_importing_it_imports_neither_torch_nor_safetensors(self):
        program = """
            import sys
            import flyball.recommend.sasrec
            print([name for name in ("torch", "safetensors") if name in sys.modules])
        """
        assert json.loads(_run(program)) == []

    def test_a_fit_names_the_extra_to_install(self, monkeypatch, data):
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(ConfigurationError, match=r"pip install 'flyball\[torch\]'"):
            SasRec.fit(data, small())

    def test_a_load_without_safetensors_names_it_too(self, monkeypatch, fitted, tmp_path):
        fitted.save(tmp_path)
        monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
        with pytest.raises(ConfigurationError, match=r"pip install 'flyball\[torch\]'"):
            SasRec.load(tmp_path)


def _run(program, *argv):
    command = [sys.executable, "-c", textwrap.dedent(program), *argv]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
