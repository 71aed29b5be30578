"""A built-in sample world: players with hidden tastes, and what they bought and played.

Everything follows from the seed. A player mixes a few archetypes (sets of genres and tags) and adds
whims of their own; a game appeals as far as its genres and tags meet that taste. The more it
appeals, the likelier it is bought and, live, clicked on, and the longer it is played: there is
something for personalisation to find. Then there is what all players share: some games are known to
everybody, a price puts off, and nobody buys what does not run on what they own or is not out yet.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.errors import EnvironmentFailed, InvalidRequest
from flyball.games.catalogue import known_games
from flyball.games.tastes import Floats, Tastes, Traits, expected_fame, hours, logistic

if TYPE_CHECKING:
    import polars as pl

DAYS = 182
START = date(2024, 1, 1)

# One weight an hour of the day (UTC): few play at night, most after work.
_HOURS = np.array([6, 4, 2, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 9, 11, 13, 16, 19, 21, 20, 15, 10])
_WEEKDAYS = np.array([1.0, 0.95, 0.95, 1.0, 1.3, 1.7, 1.6])  # Monday first


class World:
    """The sample world of one seed. Not to be changed after it was made; safe to share.

    Args:
        seed: the same seed gives the same world.
        players: how many there are at the start, at least 1. Ids nobody has heard of are players
            too, with tastes of their own and no history.
        start: the first day, UTC.

    Raises:
        InvalidRequest: ``players`` is below 1, or no known game is out by the end.
    """

    def __init__(self, seed: int, players: int = 2000, *, start: date = START) -> None:
        if players < 1:
            raise InvalidRequest(f"a world of {players} players; ask for at least 1")
        self.seed = seed
        self.start = datetime(start.year, start.month, start.day, tzinfo=UTC)
        end = start + timedelta(days=DAYS)
        self.games = tuple(g for g in known_games().values() if g.released and g.released < end)
        if not self.games:
            raise InvalidRequest(f"no known game was out by {end}; choose a later start")
        self.user_ids = tuple(f"player-{number:05d}" for number in range(1, players + 1))
        self._column = {game.game_id: column for column, game in enumerate(self.games)}
        self._row = {user: row for row, user in enumerate(self.user_ids)}
        self._tastes = Tastes(self.games)
        rng = self._rng("world")
        self._fame = rng.normal(0.0, 1.0, len(self.games)) + expected_fame(self.games)
        self._traits = self._tastes.draw(rng, players)
        activity = rng.lognormal(0.0, 0.8, players)
        self.activity: Floats = activity / activity.sum()
        """Shape (players,), sums to 1: how often each comes by, in the order of ``user_ids``."""

    def pick(self, rng: np.random.Generator) -> str:
        """The id of a player who comes by; the active ones more often."""
        return self.user_ids[int(rng.choice(len(self.user_ids), p=self.activity))]

    def affinity(self, user_id: str, game_id: str) -> float:
        """How much a game appeals: 0 for the player's average game, 1 a standard deviation above.

        0 for a game this world does not know.
        """
        return float(self._affinities(self._traits_of(user_id), [game_id])[0])

    def clicks(self, user_id: str, game_ids: Sequence[str], rng: np.random.Generator) -> list[str]:
        """What a player clicks on in a list, best placed first: by taste, and the top is seen
        more than the bottom."""
        affinity = self._affinities(self._traits_of(user_id), game_ids)
        seen = 1.0 / np.log2(np.arange(len(game_ids)) + 2.0)
        clicked = rng.random(len(game_ids)) < seen * logistic(1.4 * affinity - 2.0)
        return [game_id for game_id, chosen in zip(game_ids, clicked, strict=True) if chosen]

    def buys(self, user_id: str, game_ids: Sequence[str], rng: np.random.Generator) -> list[str]:
        """Which of the games looked at a player buys: by taste and price, if it runs for them."""
        traits = self._traits_of(user_id)
        affinity = self._affinities(traits, game_ids)
        columns = [self._column.get(game_id) for game_id in game_ids]
        price = np.array([self.price(game_id) for game_id in game_ids])
        runs = np.array([c is None or traits.runs[0, c] for c in columns], dtype=bool)
        chance = logistic(1.2 * affinity - 1.0 - traits.thrift[0] * price / 30.0)
        bought = runs & (rng.random(len(game_ids)) < chance)
        return [game_id for game_id, chosen in zip(game_ids, bought, strict=True) if chosen]

    def hours(self, user_id: str, game_id: str, rng: np.random.Generator) -> float:
        """How long a player plays a game they bought, in hours."""
        affinity = self._affinities(self._traits_of(user_id), [game_id])
        return float(hours(affinity, rng)[0])

    def price(self, game_id: str) -> float:
        """List price in USD; 0 for a game this world does not know."""
        column = self._column.get(game_id)
        return 0.0 if column is None else float(self._prices[column])

    def owned(self, user_id: str) -> frozenset[str]:
        """The ids of the games in a player's history."""
        return self._owned.get(user_id, frozenset())

    def interactions(self) -> pl.DataFrame:
        """The history: half a year of purchases and plays, sorted by time.

        Returns:
            columns user_id (str), title (str), event (str: purchase or play), value (f64: 1 for a
            purchase, hours for a play), timestamp (datetime, UTC, whole seconds). No player buys a
            game twice; each play follows its purchase.
        """
        return self._history

    def write(self, path: Path) -> None:
        """Write ``interactions`` as CSV with a header; the same world gives the same bytes.

        The file appears whole or not at all.

        Raises:
            EnvironmentFailed: the file cannot be written.
        """
        text = self._history.write_csv(datetime_format="%Y-%m-%dT%H:%M:%SZ")
        temporary: Path | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(
                "wb", dir=path.parent, prefix=f".{path.name}.", delete=False
            ) as file:
                temporary = Path(file.name)
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            os.replace(temporary, path)
        except OSError as error:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise EnvironmentFailed(
                f"the sample world could not be written to {path}: {error.strerror}; "
                "free some space or choose a folder you may write to"
            ) from error

    @cached_property
    def _prices(self) -> Floats:
        return np.array([game.price_usd or 0.0 for game in self.games])

    @cached_property
    def _owned(self) -> dict[str, frozenset[str]]:
        rows, columns = self._purchases
        bought: dict[str, set[str]] = {}
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            bought.setdefault(self.user_ids[row], set()).add(self.games[column].game_id)
        return {user: frozenset(ids) for user, ids in bought.items()}

    @cached_property
    def _purchases(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of players and columns of games: who bought what.

        Adding Gumbel noise to log-probabilities and taking the best k draws k times without
        replacement in proportion to the probabilities (Yellott 1977; Kool et al., ICML 2019).
        """
        rng = self._rng("purchases")
        traits = self._traits
        appeal = 1.35 * traits.affinity + self._fame
        appeal -= traits.thrift[:, None] * self._prices / 30.0
        keys = np.where(traits.runs, appeal + rng.gumbel(size=appeal.shape), -np.inf)
        mean = 14.0 * self.activity * len(self.user_ids)  # the most active buy the most
        wanted = np.minimum(1 + rng.poisson(np.minimum(mean, 120.0)), traits.runs.sum(axis=1))
        best = np.argsort(-keys, axis=1, kind="stable")
        rows = np.repeat(np.arange(len(wanted)), wanted)
        ranks = np.concatenate([np.arange(count) for count in wanted])
        return rows, best[rows, ranks]

    @cached_property
    def _history(self) -> pl.DataFrame:
        import polars as pl

        rng = self._rng("history")
        rows, columns = self._purchases
        bought = self._purchase_times(rows, columns, rng)
        affinity = self._traits.affinity[rows, columns]
        plays = np.minimum(rng.poisson(0.4 * np.exp(0.35 * affinity)), 6)
        again = np.repeat(np.arange(len(rows)), plays)
        after = rng.beta(0.5, 4.0, len(again))
        played = bought[again] + (1.0 - bought[again]) * after
        source = np.concatenate([np.arange(len(rows)), again])
        is_play = np.arange(len(source)) >= len(rows)
        seconds = self._seconds(np.concatenate([bought, played]))
        users = np.array(self.user_ids)
        titles = np.array([game.title for game in self.games])
        return (
            pl.DataFrame(
                {
                    "user_id": users[rows[source]],
                    "title": titles[columns[source]],
                    "event": np.where(is_play, "play", "purchase"),
                    "value": np.concatenate([np.ones(len(rows)), hours(affinity[again], rng)]),
                    "timestamp": self.start.timestamp()
                    + seconds
                    + is_play,  # a second after buying
                }
            )
            .with_columns(
                pl.from_epoch(pl.col("timestamp").cast(pl.Int64)).dt.replace_time_zone("UTC")
            )
            .sort("timestamp", "user_id", "title", "event", "value", maintain_order=True)
        )

    def _purchase_times(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64], rng: np.random.Generator
    ) -> Floats:
        """When each purchase happened, as the share in [0, 1) of the half year's activity passed
        by then: after the player joined and the game came out."""
        joined = np.where(
            rng.random(len(self.user_ids)) < 0.5, 0.0, rng.uniform(0.0, 0.7, len(self.user_ids))
        )
        first_day = self.start.date()
        out = [((g.released or first_day) - first_day).days for g in self.games]
        released = self._rhythm[np.maximum(out, 0) * 24]
        earliest = np.maximum(joined[rows], released[columns])
        times: Floats = earliest + (1.0 - earliest) * rng.random(len(rows))
        return times

    @cached_property
    def _rhythm(self) -> Floats:
        """Shape (DAYS * 24 + 1,), rising 0 to 1: the share of all activity before each hour."""
        days = (self.start.weekday() + np.arange(DAYS)) % 7
        weights = (_WEEKDAYS[days][:, None] * _HOURS).ravel()
        shares: Floats = np.concatenate([[0.0], np.cumsum(weights) / weights.sum()])
        return shares

    def _seconds(self, shares: Floats) -> Floats:
        """Whole seconds since the start at which these shares of all activity have passed."""
        hours = np.interp(shares, self._rhythm, np.arange(len(self._rhythm)))
        seconds: Floats = np.minimum(np.floor(hours * 3600.0), DAYS * 86_400.0 - 2.0)
        return seconds

    def _traits_of(self, user_id: str) -> Traits:
        row = self._row.get(user_id)
        if row is None:
            return self._tastes.draw(self._rng(f"player {user_id}"), 1)
        return self._traits.of(row)

    def _affinities(self, traits: Traits, game_ids: Sequence[str]) -> Floats:
        columns = [self._column.get(game_id) for game_id in game_ids]
        return np.array([0.0 if c is None else traits.affinity[0, c] for c in columns])

    def _rng(self, purpose: str) -> np.random.Generator:
        """A generator of its own for each purpose, so that none shifts the draws of another."""
        digest = sha256(f"{self.seed}/{purpose}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "big"))
