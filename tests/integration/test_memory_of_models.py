"""What a worker holds of a model is in the model's files: its own memory does not grow with it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from flyball.games.artifact import write
from flyball.games.catalogue import Catalogue, Game
from flyball.recommend import Fold, Interactions
from flyball.recommend.item_knn import ItemKnn
from flyball.recommend.sparse_weights import SparseWeights

SMALL, LARGE, NEIGHBOURS, PLAYERS = 2_000, 30_000, 50, 300
ROLLUP = Path("/proc/self/smaps_rollup")
OWN_MB, FILE_MB = 2.0, 10.0
"""Of the large model beside the small one: as Python objects it took 40 MB; its files have 25."""

SCRIPT = textwrap.dedent(
    """
    import gc, pathlib, sys
    from flyball.games.artifact import Artifact
    from flyball.games.messages import Filters
    from flyball.games.servable import GamesServable

    def held(name):
        gc.collect()
        lines = pathlib.Path("/proc/self/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

    def asked(servable):
        servable.smoke()
        for user in servable.artifact.users[:50].tolist():
            servable.recommend(user.decode(), filters=Filters(genres=["genre 1"], max_price=20))
            servable.recommend(None, servable.artifact.items[:5])
        assert servable.search("game number 7", 5)
        assert servable.catalogue.find(title="number 7", genre="genre 1")[0]

    first, second = map(pathlib.Path, sys.argv[1:])
    warm = GamesServable(Artifact.open(first))
    asked(warm)
    files = "Pss_File:", "Pss_Shmem:"  # the second where they lie on a disk in memory
    before = held("Pss_Anon:"), held(files)
    servable = GamesServable(Artifact.open(second))
    asked(servable)
    print(held("Pss_Anon:") - before[0], held(files) - before[1])
    """
)


def packaged(directory: Path, n_games: int) -> Path:
    """A model of drawn weights, and a catalogue with facts."""
    rng = np.random.default_rng(n_games)
    indices = np.sort(rng.integers(0, n_games // NEIGHBOURS, (n_games, NEIGHBOURS)), axis=1)
    indices += np.arange(NEIGHBOURS) * (n_games // NEIGHBOURS)
    parts = (
        rng.random(indices.size, dtype=np.float32),
        indices.ravel().astype(np.int32),
        np.arange(n_games + 1) * NEIGHBOURS,
    )
    model = ItemKnn(SparseWeights.of(csr_matrix(parts, shape=(n_games, n_games))))
    owned = csr_matrix((rng.random((PLAYERS, n_games)) < 10 / n_games).astype(np.float32))
    held_out = csr_matrix((rng.random((PLAYERS, n_games)) < 3 / n_games).astype(np.float32))
    held_out -= held_out.multiply(owned)
    users = np.array([f"player-{number:04}" for number in range(PLAYERS)])
    items = np.array([f"game-number-{number:06}" for number in range(n_games)])
    games = tuple(
        Game(
            game_id=item,
            title=f"Game Number {number}",
            genres=(f"genre {number % 7}",),
            price_usd=float(number % 60),
            developer=f"developer {number % 999}",
        )
        for number, item in enumerate(items.tolist())
    )
    whole = Interactions(users, items, owned)
    write(directory, model, Fold(whole, csr_matrix(held_out)), whole, Catalogue(games))
    return directory


@pytest.mark.skipif(not ROLLUP.exists(), reason="Linux tells what memory a process shares")
def test_a_workers_own_memory_does_not_grow_with_the_catalogue_and_the_model(tmp_path):
    small, large = (packaged(tmp_path / str(size), size) for size in (SMALL, LARGE))
    argv = [sys.executable, "-c", SCRIPT, str(small), str(large)]
    told = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout
    own, mapped = map(float, told.split())
    assert own < OWN_MB
    assert mapped > FILE_MB
