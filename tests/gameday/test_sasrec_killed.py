"""``kill -9`` while SASRec trains, alone or on two processes: started again, it ends the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from importlib.util import find_spec

import numpy as np
import psutil
import pytest
from gameday_processes import PATIENCE_S, until
from scipy.sparse import csr_matrix

from flyball.errors import StorageUnavailable, TrainingError
from flyball.recommend.interactions import Interactions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("sasrec-killed"),  # groups begin first, and these take long
    pytest.mark.skipif(
        find_spec("torch") is None, reason="PyTorch is not installed: pip install 'flyball[torch]'"
    ),
]

EPOCHS = 24
"""So many that nobody who kills it comes too late."""

PROGRAM = """
    import sys, hashlib
    from pathlib import Path
    import numpy as np
    from scipy.sparse import csr_matrix
    from flyball import checkpoints
    from flyball.errors import FlyballError
    from flyball.recommend.interactions import Interactions
    from flyball.recommend.sasrec import SasRec, SasRecConfig

    if __name__ == "__main__":
        rng = np.random.default_rng(4)
        table = rng.random((80, 20)) < 0.4
        rows, columns = np.nonzero(table)
        days = rng.integers(0, 99, len(rows)).astype(np.float32)
        names = [np.arange(n).astype(str) for n in table.shape]
        data = Interactions(*names, csr_matrix(table.astype(np.float32)), None, days)
        config = SasRecConfig(
            dim=8, heads=1, layers=1, epochs=int(sys.argv[2]), patience=None, batch_size=16,
            processes=int(sys.argv[3]),
        )
        try:
            with checkpoints.kept_in(Path(sys.argv[1])):
                SasRec.fit(data, config).save(Path(sys.argv[1]) / "model")
        except FlyballError as error:
            print(error)
            sys.exit(3)
        content = (Path(sys.argv[1]) / "model" / "weights.safetensors").read_bytes()
        print(hashlib.sha256(content).hexdigest())
"""


def begun(place, processes):
    """The program, on its way."""
    place.mkdir(exist_ok=True)
    script = place / "program.py"
    script.write_text(textwrap.dedent(PROGRAM))
    command = [sys.executable, str(script), str(place / "kept"), str(EPOCHS), str(processes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def ended(process):
    """Its exit code, and what it said."""
    said, _ = process.communicate(timeout=PATIENCE_S)
    return process.returncode, said.strip()


def epoch(place):
    """After how many epochs the newest checkpoint was written; 0: there is none."""
    from safetensors import safe_open

    for path in (place / "kept").glob("sasrec-*.safetensors"):
        with safe_open(str(path), framework="numpy") as opened:
            return json.loads(opened.metadata()["facts"])["epoch"]
    return 0


def workers(process):
    """Its training processes, in order of their ranks."""
    children = psutil.Process(process.pid).children()
    return sorted(child.pid for child in children if "spawn_main" in " ".join(child.cmdline()))


def killed(place, processes, *, who, after):
    """Start the program, and kill one of its processes after so many epochs (-1: itself)."""
    process = begun(place, processes)
    assert until(lambda: epoch(place) >= after or process.poll() is not None)
    theirs = workers(process) if processes > 1 else []
    os.kill(process.pid if who < 0 else theirs[who], signal.SIGKILL)
    outcome = ended(process)
    assert until(lambda: not any(map(_lives, theirs)), 60.0), "a training process outlived it"
    assert after <= epoch(place) < EPOCHS, "it was killed too late to tell anything"
    return outcome


def _lives(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the program says when left in peace, by number of processes."""
    found = {}

    def said(processes):
        if processes not in found:
            code, found[processes] = ended(begun(tmp_path_factory.mktemp("peace"), processes))
            assert code == 0, found[processes]
        return found[processes]

    return said


class TestATrainingAlone:
    def test_killed_twice_ends_with_the_same_weights(self, undisturbed, tmp_path):
        for after in (1, 12):
            code, _ = killed(tmp_path, 1, who=-1, after=after)
            assert code == -signal.SIGKILL
        assert ended(begun(tmp_path, 1)) == (0, undisturbed(1))
        assert not list((tmp_path / "kept").glob("sasrec-*")), "checkpoints were left"


class TestATrainingOfTwo:
    def test_that_loses_a_process_says_so_and_goes_on_when_started_again(
        self, undisturbed, tmp_path
    ):
        """First one of the two is killed, then the parent of both."""
        code, said = killed(tmp_path, 2, who=1, after=1)
        assert code == 3
        assert "process 2 of 2 training processes was killed by signal 9" in said
        assert "start the training again" in said
        code, _ = killed(tmp_path, 2, who=-1, after=8)
        assert code == -signal.SIGKILL
        assert ended(begun(tmp_path, 2)) == (0, undisturbed(2))
        assert not list((tmp_path / "kept").glob("sasrec-*")), "something was left"

    def test_does_not_wait_for_ever_for_one_that_stands_still(self, tmp_path):
        """Nor leaves anything running."""
        import threading

        from flyball.recommend.sasrec import SasRecConfig
        from flyball.recommend.sasrec.distributed import learn_together
        from flyball.recommend.sasrec.keeping import Keeper
        from flyball.recommend.sasrec.lessons import Lesson

        config = SasRecConfig(
            dim=8, heads=1, layers=1, epochs=9_999, patience=None, batch_size=16, processes=2
        )
        keeper = Keeper(tmp_path / "kept", "x")
        before = set(psutil.Process().children())

        def stop_one():
            assert until(lambda: epoch(tmp_path) >= 1)
            ours = sorted(
                child.pid
                for child in set(psutil.Process().children()) - before
                if "spawn_main" in " ".join(child.cmdline())
            )
            os.kill(ours[1], signal.SIGSTOP)

        stopper = threading.Thread(target=stop_one)
        stopper.start()
        with pytest.raises(TrainingError, match="process 2 of 2 training processes stood still"):
            learn_together(Lesson(_data(), None), config, keeper, stall_s=6.0)
        stopper.join()
        left = set(psutil.Process().children()) - before
        assert not [child for child in left if "spawn_main" in " ".join(child.cmdline())]

    def test_says_in_its_own_words_why_a_process_failed(self, tmp_path):
        from flyball.recommend.sasrec import SasRecConfig
        from flyball.recommend.sasrec.distributed import learn_together
        from flyball.recommend.sasrec.keeping import Keeper
        from flyball.recommend.sasrec.lessons import Lesson

        config = SasRecConfig(dim=8, heads=1, processes=2)
        nothing = Lesson(_data(np.zeros((4, 4))), None)
        with pytest.raises(TrainingError, match="2 training processes failed: no interactions"):
            learn_together(nothing, config, None)
        (tmp_path / "file").write_text("in the way")
        in_the_way = Keeper(tmp_path / "file", "x")
        with pytest.raises(StorageUnavailable, match="choose a writable home"):
            learn_together(Lesson(_data(), None), config, in_the_way)


def _data(table=None):
    rng = np.random.default_rng(4)
    table = rng.random((40, 12)) < 0.4 if table is None else table
    matrix = csr_matrix(np.asarray(table, dtype=np.float32))
    days = rng.integers(0, 99, matrix.nnz).astype(np.float32)
    names = [np.arange(n).astype(str) for n in matrix.shape]
    return Interactions(*names, matrix, None, days)
