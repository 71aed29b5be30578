"""A shop that is open: a champion serves, and players never stop asking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rollout_players import Players
from rollout_shop import SETTINGS, Shop
from rollout_up import NO_MORE, Up, up

from flyball.domain.deployment import Phase
from flyball.domain.lifecycle import ModelVersion


@dataclass
class Open:
    """A shop whose ``flyball up`` runs, and whose players play."""

    shop: Shop
    up: Up
    players: Players
    champion: ModelVersion


@contextmanager
def opened(
    folder: Path,
    plugins: Path,
    *,
    settings: str = SETTINGS,
    environment: Mapping[str, str] = NO_MORE,
) -> Iterator[Open]:
    """A shop with a champion, its processes and its players."""
    shop = Shop(folder / "home", settings)
    try:
        champion = shop.publish()
        with up(shop, plugins, environment) as running:
            shop.until(lambda: shop.verbs.deploy("games", champion.name), "its deployment")
            with Players(running.api).playing() as players:
                assert shop.ended(champion).phase is Phase.DONE
                yield Open(shop, running, players, champion)
    finally:
        shop.verbs.close()
