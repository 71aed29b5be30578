"""What is known of a game, as counts of words: what models learn of games nobody has yet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import exp

import numpy as np
from scipy.sparse import csr_matrix

from flyball.domain.text import slug
from flyball.games.catalogue import Catalogue, Game

_WEIGHTS = {"developer": 2.0, "publisher": 1.5, "title": 1.5, "genre": 1.0, "tag": 1.0}
"""What a word of each kind weighs in ``recommend.tfidf``, chosen on held-out games of the training
part of Steam's plays: games of one maker or one series are more alike than those of one genre."""

_EMPTY = frozenset(["the", "of", "and", "a", "in", "to", "for", "game"])


def features(catalogue: Catalogue) -> csr_matrix | None:
    """Counts of the words of each game, float32, shape (n_games, n_words); None without facts.

    A word is ``"<kind>:<slug>"``: of the title (its words, each two in a row, and the first), a
    genre, a tag, the developer or the publisher. TF-IDF takes 1 + log(count), so a word that
    weighs more than one counts as more than one. The words are in order, so the same catalogue
    gives the same matrix.
    """
    if not any(game.genres or game.tags or game.developer for game in catalogue):
        return None  # titles alone say little of what a game is
    found = [sorted(set(_words(game))) for game in catalogue]
    names = sorted({word for words in found for word in words})
    place = {name: n for n, name in enumerate(names)}
    counts = {kind: np.float32(exp(weight - 1.0)) for kind, weight in _WEIGHTS.items()}
    indptr = np.cumsum([0, *map(len, found)])
    indices = np.array([place[word] for words in found for word in words], dtype=np.int32)
    data = np.array(
        [counts[word.partition(":")[0]] for words in found for word in words], dtype=np.float32
    )
    return csr_matrix((data, indices, indptr), shape=(len(found), len(names)))


def _words(game: Game) -> Iterator[str]:
    title = [word for word in slug(game.title).split("-") if word and word not in _EMPTY]
    yield from (f"title:{word}" for word in title)
    yield from (f"title:{first}-{second}" for first, second in pairwise(title))
    if title:
        yield f"title:first-{title[0]}"
    for kind, names in (
        ("genre", game.genres),
        ("tag", game.tags),
        ("developer", (game.developer or "",)),
        ("publisher", (game.publisher or "",)),
    ):
        for name in names:
            if spelled := slug(name):
                yield f"{kind}:{spelled}"
