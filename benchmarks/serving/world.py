"""The model that everybody serves: EASE on ``steam-200k.csv``, in a home and as plain files.

The home is the product's: the file is ingested, the model packaged, stored and routed to. The
files hold the same weights, histories, ids and titles for contenders that know no home.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from flyball import Flyball, configuration, wiring
from flyball.domain.access import Scope
from flyball.domain.data import DatasetVersion
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.names import Recipe
from flyball.domain.routing import empty_route
from flyball.games.artifact import Artifact
from flyball.loop import tasks
from flyball.ports import Change
from flyball.recommend.ease import Ease, EaseConfig
from flyball.steps.manifest import Manifest, write_manifest
from flyball.wiring import Platform

MODEL = "games"
LENGTHS = range(18, 23)
"""Games of the players who ask: 20 on average."""

CONFIGURED = """\
[access]
required = true
client_rate = 1_000_000_000
user_rate = 1_000_000_000
"""

CONFIG = EaseConfig()
"""The default: lambda 30, dropout 0.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a contender may need.

    Attributes:
        home: of the product.
        data: directory of the plain files.
        bodies: one request a line, for ``ask.lua``.
        filtered: the same with filters.
        headers: one a line, for ``ask.lua``; with an API key where access is controlled.
        players: who asks.
    """

    home: Path
    data: Path
    bodies: Path
    filtered: Path
    headers: Path
    players: list[str]


def made(folder: Path, source: Path) -> World:
    """A home that serves EASE fitted on ``source``, and the plain files beside it."""
    home, data = folder / "home", folder / "data"
    home.mkdir(parents=True)
    data.mkdir()
    key = access_on(home)
    platform = wiring.build(configuration.load(home, environ={}))
    try:
        tasks.ingest(platform, MODEL, {"location": str(source), "accept": True}, "benchmark")
        [newest] = platform.records.find(DatasetVersion, model=MODEL, limit=1)
        version = published(platform, fitted(platform, newest, folder / "artifact"), newest.version)
        artifact = Artifact.open(platform.blobs.get(version.artifact))
        owned = histories(source, artifact, platform)
    finally:
        platform.close()
    exported(artifact, owned, data)
    return asking(home, data, key, owned, artifact)


def asking(
    home: Path, data: Path, key: str, owned: Mapping[str, list[int]], artifact: Artifact
) -> World:
    """The requests, written beside the plain files."""
    players = sorted(user for user, columns in owned.items() if len(columns) in LENGTHS)
    plain = [{"user_id": player, "k": 10} for player in players]
    wanted = {"genres": most_genres(artifact), "max_price": 30, "exclude": artifact.items[:3]}
    return World(
        home=home,
        data=data,
        bodies=lines(data / "bodies.jsonl", plain),
        filtered=lines(data / "filtered.jsonl", [{**each, "filters": wanted} for each in plain]),
        headers=headers(data / "headers.txt", key),
        players=players,
    )


def access_on(home: Path) -> str:
    """An API key for the home, which from now on asks for one.

    All is counted as in production, but the limits on a caller are out of reach: what is measured
    is the server, and its few callers ask more in a second than theirs would in an hour.
    """
    (home / "flyball.toml").write_text(CONFIGURED)
    with Flyball(config=configuration.load(home, environ={}), actor="benchmark") as flyball:
        return flyball.access.create_key("benchmark", [Scope.READ, Scope.EVENTS]).text


def fitted(platform: Platform, data: DatasetVersion, directory: Path) -> Path:
    """The artifact of EASE on a dataset version."""
    files = [platform.datasets.path(md5) for md5 in data.tables()["interactions"]]
    tables = {"interactions": pl.concat([pl.read_parquet(file) for file in files])}
    application = platform.application(MODEL)
    prepared = application.prepare(tables, seed=7)
    directory.mkdir()
    model: Any = Ease.fit(prepared.final.train, CONFIG)
    application.package(model, prepared, tables, directory)
    return directory


def published(
    platform: Platform,
    directory: Path,
    data_version: str,
    family: str = "ease",
    config: EaseConfig = CONFIG,
) -> ModelVersion:
    """Store an artifact, number it and let it answer everybody."""
    recipe = Recipe(
        architecture=f"games@3/{family}@1",
        hyperparameters=config.model_dump(mode="json"),
        data_version=data_version,
    )
    manifest = Manifest(
        model=MODEL, family=family, architecture=recipe.architecture, data_version=data_version,
        hyperparameters=recipe.hyperparameters, split={}, seeds={}, threads=1, metrics={},
        code="", environment="",
    )  # fmt: skip
    write_manifest(directory, manifest)
    version = ModelVersion(
        model=MODEL,
        name=f"1.0.0-{recipe.data_hash}-{recipe.hyper_hash}",
        family=family,
        recipe=recipe,
        run_id="0" * 16,
        artifact=platform.blobs.put(directory),
        metrics={},
        created_at=datetime.now(UTC),
    )
    route = empty_route(MODEL).loading(version.name, salt="benchmark").switched()
    platform.records.commit([Change(value=version), Change(value=route)])
    return version


def histories(source: Path, artifact: Artifact, platform: Platform) -> dict[str, list[int]]:
    """Columns of each player's games, rising, by the id that callers know them by."""
    known: dict[str, list[int]] = defaultdict(list)
    with source.open(encoding="utf-8", newline="") as file:
        for user in {row[0] for row in csv.reader(file)}:
            known[user] = artifact.history(platform.pseudonyms.of(user)).items.tolist()
    return known


def exported(artifact: Artifact, owned: Mapping[str, list[int]], directory: Path) -> None:
    """The plain files that ``scoring.Best`` opens."""
    model: Any = artifact.model
    size, block, columns = model.n_items, model.weights.block, model.weights.columns
    whole = np.zeros((size, size), dtype=np.float32)
    whole[np.ix_(columns, columns) if columns is not None else slice(None)] = block
    np.save(directory / "weights.npy", whole)
    titles = [game.title for game in artifact.catalogue.games]
    games = {"ids": list(artifact.items), "titles": titles}
    (directory / "games.json").write_text(json.dumps(games))
    (directory / "players.json").write_text(json.dumps(owned))


def most_genres(artifact: Artifact) -> list[str]:
    """The two genres that most games have."""
    found: dict[str, int] = defaultdict(int)
    for game in artifact.catalogue.games:
        for genre in game.genres:
            found[genre] += 1
    return sorted(found, key=lambda genre: -found[genre])[:2]


def lines(path: Path, bodies: list[dict[str, Any]]) -> Path:
    """A request body on each line."""
    path.write_text("".join(json.dumps(body) + "\n" for body in bodies))
    return path


def headers(path: Path, key: str) -> Path:
    """Further headers, one a line."""
    path.write_text(f"X-API-Key: {key}\n" if key else "")
    return path
