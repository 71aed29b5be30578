"""A store's words for games, in ours: genres and tags as the API's filters name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from html import unescape

from flyball.domain.text import slug
from flyball.games.catalogue import GENRES, TAGS

_OURS: Mapping[str, str] = {
    "massively-multiplayer": "mmo",
    "mmorpg": "mmo",
    "multi-player": "multiplayer",
    "online-multi-player": "multiplayer",
    "cross-platform-multiplayer": "multiplayer",
    "local-multi-player": "local-multiplayer",
    "4-player-local": "local-multiplayer",
    "split-screen": "local-multiplayer",
    "shared-split-screen": "local-multiplayer",
    "online-co-op": "co-op",
    "local-co-op": "co-op",
    "co-op-campaign": "co-op",
    "pixel-graphics": "pixel-art",
    "rogue-like": "roguelike",
    "rogue-lite": "roguelike",
    "e-sports": "esports",
    "base-building": "building",
    "turn-based-strategy": "turn-based",
    "turn-based-combat": "turn-based",
    "turn-based-tactics": "turn-based",
    "rts": "real-time",
    "fps": "first-person",
    "third-person-shooter": "third-person",
    "tactical": "tactics",
    "htc-vive": "vr",
    "oculus-rift": "vr",
    "windows-mixed-reality": "vr",
    "singleplayer": "single-player",
}


def words(
    genres: Iterable[str], tags: Iterable[str], specs: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The genres and the tags of a game, each sorted.

    A word that is one of ``GENRES`` is a genre wherever it stands; any other genre or tag is kept
    as a tag. Of ``specs``, which also say what pads and cards there are, only ``TAGS`` count.
    """
    said = {ours(word) for word in (*genres, *tags)} - {""}
    said |= {ours(word) for word in specs} & TAGS
    return tuple(sorted(said & GENRES)), tuple(sorted(said - GENRES))


@cache
def ours(word: str) -> str:
    """Our word for a store's; its slug where we have none; empty where nothing is left of it."""
    spelled = slug(unescape(word))
    return _OURS.get(spelled, spelled)
