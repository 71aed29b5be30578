"""Each peer: what to install, how to start it, how to ask it, how to read its answer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving.processes import ONE_THREAD, Running, free_port, on_its_own
from benchmarks.serving.worker import DATA

ROOT = Path(__file__).resolve().parents[2]
HERE = "benchmarks.serving_peers"
INSTALL_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One server.

    Attributes:
        name: in the table.
        package: what pip installs for it; ``beside``: what else it needs here.
        python: the interpreter of its environment.
        command: argv from its environment's ``bin``, a free port and a folder of its own.
        path: of the URL.
        body: from a player's id to a request.
        items: from an answer to the recommended games.
        files: written into its folder before it starts, by name.
        prepare: argv that is run before, as ``command`` is.
    """

    name: str
    package: str
    command: Callable[[Path, int, Path], list[str]]
    path: str
    body: Callable[[str], Any]
    items: Callable[[Any], list[dict[str, Any]]]
    files: Callable[[int], Mapping[str, Any]] = lambda _port: {}
    prepare: Callable[[Path, Path], list[str]] | None = None
    beside: tuple[str, ...] = ("numpy",)
    python: str = sys.executable


def _module(name: str) -> Callable[[Path, int, Path], list[str]]:
    return lambda bin, port, _folder: [str(bin / "python"), "-m", f"{HERE}.{name}", str(port)]


def _asked(user: str) -> dict[str, Any]:
    return {"user_id": user, "k": 10}


def _tensor(user: str) -> dict[str, Any]:
    return {"inputs": [{"name": "user_id", "shape": [1], "datatype": "BYTES", "data": [user]}]}


def _from_tensor(answer: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(answer["outputs"][0]["data"][0])
    return found


def _bento(bin: Path, port: int, _folder: Path) -> list[str]:
    service = f"{HERE}.on_bentoml:Recommender"
    return [str(bin / "bentoml"), "serve", service, "--host", "127.0.0.1", "--port", str(port)]


def _mlserver_files(port: int) -> Mapping[str, Any]:
    settings = {
        "host": "127.0.0.1", "http_port": port, "grpc_port": free_port(),
        "metrics_port": free_port(), "parallel_workers": 2, "access_logger": None,
        "debug": False,
    }  # fmt: skip
    model = {"name": "best", "implementation": f"{HERE}.on_mlserver.Recommender"}
    return {"settings.json": settings, "model-settings.json": model}


def _mlflow(bin: Path, port: int, folder: Path) -> list[str]:
    command = [str(bin / "mlflow"), "models", "serve", "-m", str(folder / "model")]
    return [*command, "-h", "127.0.0.1", "-p", str(port), "-w", "2", "--env-manager", "local"]


ALL = (
    Peer(
        name="LitServe", package="litserve", command=_module("on_litserve"), path="/predict",
        body=_asked, items=lambda answer: answer["items"],
    ),
    Peer(
        name="BentoML", package="bentoml", command=_bento, path="/recommend",
        body=_asked, items=lambda answer: answer["items"],
    ),
    Peer(
        name="MLServer", package="mlserver", path="/v2/models/best/infer",
        command=lambda bin, _port, folder: [str(bin / "mlserver"), "start", str(folder)],
        body=_tensor, items=_from_tensor, files=_mlserver_files,
        beside=("numpy", "uvloop<0.22"),  # with a newer one its workers find no event loop
    ),
    Peer(
        name="Ray Serve", package="ray[serve]", command=_module("on_ray"), path="/recommend",
        body=_asked, items=lambda answer: answer["items"],
    ),
    Peer(
        name="KServe", package="kserve", command=_module("on_kserve"),
        path="/v1/models/best:predict",
        body=lambda user: {"instances": [_asked(user)]}, items=lambda answer: answer["predictions"],
    ),
    Peer(
        name="MLflow", package="mlflow", command=_mlflow, path="/invocations",
        body=lambda user: {"dataframe_records": [{"user_id": user}]},
        items=lambda answer: answer["predictions"],
        prepare=lambda bin, folder: [
            str(bin / "python"), "-m", f"{HERE}.on_mlflow", str(folder / "model")
        ],
    ),
    Peer(
        name="PyTriton", package="nvidia-pytriton", command=_module("on_pytriton"),
        path="/v2/models/best/infer", body=_tensor, items=_from_tensor,
        # what it brings is built with an older 3.11, and breaks under the library of a newer one
        python=shutil.which("python3", path=os.defpath) or sys.executable,
    ),
)  # fmt: skip


def installed(peer: Peer, environments: Path) -> Path:
    """The ``bin`` of an environment that holds the peer; made where there is none.

    Raises:
        RuntimeError: it does not install here; says why.
    """
    place = environments / peer.name.replace(" ", "-").lower()
    python, done = place / "bin" / "python", place / "installed"
    if done.exists():
        return place / "bin"
    what = [peer.package, *peer.beside]
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    commands = [
        [peer.python, "-m", "venv", str(place)],
        [str(python), "-m", "pip", "install", "--quiet", *what],
    ]
    if uv is not None:
        commands = [
            [uv, "venv", "--quiet", "--python", peer.python, str(place)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *what],
        ]
    for command in commands:
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S)
        except subprocess.CalledProcessError as error:
            last = (error.stderr or error.stdout).strip().splitlines()[-1:]
            raise RuntimeError(f"it does not install: {' '.join(last)}") from error
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"it does not install within {INSTALL_S} s") from error
    done.touch()
    return place / "bin"


def version(peer: Peer, bin: Path) -> str:
    """The installed version of the peer."""
    name = peer.package.partition("[")[0]
    code = f"from importlib.metadata import version; print(version({name!r}))"
    done = subprocess.run(
        [str(bin / "python"), "-c", code], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@contextmanager
def running(peer: Peer, bin: Path, data: Path, folder: Path, player: str) -> Iterator[Running]:
    """The peer, once it answers.

    Args:
        bin: of its environment.
        data: the plain files of the model.
        folder: of its own; made.
        player: whom to ask for.

    Raises:
        RuntimeError: it does not start here; says why.
    """
    folder.mkdir(parents=True)
    port = free_port()
    for name, content in peer.files(port).items():
        (folder / name).write_text(json.dumps(content))
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    environment = {
        **kept, **ONE_THREAD, DATA: str(data), "PYTHONPATH": str(ROOT),
        "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": str(bin.parent),
        "BENTOML_DO_NOT_TRACK": "True", "RAY_USAGE_STATS_ENABLED": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1", "BENTOML_HOME": str(folder),
    }  # fmt: skip
    if peer.prepare is not None:
        subprocess.run(
            peer.prepare(bin, folder), check=True, capture_output=True, env=environment, cwd=ROOT
        )
    with on_its_own(
        peer.command(bin, port, folder),
        f"http://127.0.0.1:{port}{peer.path}",
        json.dumps(peer.body(player)).encode(),
        env=environment,
        cwd=folder,
        log=folder / "said.log",
    ) as found:
        yield found
