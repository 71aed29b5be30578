"""A/B tests: what is asked, fixed before the first look, and what each look saw.

They live in the ledger and nowhere else: its chain holds what was registered, so that nobody can
choose the metric, the horizon or the looks after having seen the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from flyball.domain.canonical import digest
from flyball.domain.routing import Variant, bucket
from flyball.errors import InvalidRequest

STARTED, LOOKED, ENDED = "ab start", "ab look", "ab end"
"""What the ledger calls the three things that befall a test."""


class Metric(StrEnum):
    """What a test compares; larger is better."""

    CLICKS = "clicks"  # clicked items
    PURCHASES = "purchases"  # bought items
    VALUE = "value"  # what was paid, USD


class Per(StrEnum):
    """What the metric is divided by."""

    ITEM = "item"  # shown: a ratio of sums over users
    USER = "user"  # who was shown anything: a mean


class Spending(StrEnum):
    """How the error that a test may make is divided over its looks."""

    OBRIEN_FLEMING = "obrien-fleming"  # little early, nearly all at the end
    POCOCK = "pocock"  # about the same at each look


@dataclass(frozen=True, slots=True, kw_only=True)
class AbTest:
    """A registered test of two versions, within a rollout that is held at its share.

    Attributes:
        model: whose.
        number: counts the model's tests from 1.
        deployment: the rollout's id.
        a, b: the champion and the challenger.
        share: B's part of the users.
        salt: of the sticky draw that says whose user is who.
        metric, per: what is compared.
        minimal_effect: a smaller difference than this does not matter; in the metric's unit.
        alpha: two-sided error of the whole test.
        spending: how it is divided over the looks.
        looks: fractions of the horizon, rising to 1.
        began_at: lists shown from then on count, UTC.
        horizon_s: how long it takes, seconds.
        known_before: what users did before then, the rollout's first traffic, tells what they would
            have done anyway; UTC.
        by: who registered it.
    """

    model: str
    number: int
    deployment: str
    a: str
    b: str
    share: float
    salt: str
    metric: Metric
    per: Per
    minimal_effect: float
    alpha: float
    spending: Spending
    looks: tuple[float, ...]
    began_at: datetime
    horizon_s: float
    known_before: datetime
    by: str

    def __post_init__(self) -> None:
        rises = all(before < after for before, after in pairwise((0.0, *self.looks)))
        if not rises or self.looks[-1:] != (1.0,):
            raise InvalidRequest(f"looks {self.looks} must rise from above 0 to exactly 1")
        if not 0.0 < self.share < 1.0 or not self.horizon_s > 0.0:
            raise InvalidRequest(
                f"a share of {self.share} and a horizon of {self.horizon_s} s make no test; both "
                "versions need users, and time"
            )

    @property
    def id(self) -> str:
        """``"<model>/ab<number>"``."""
        return f"{self.model}/ab{self.number}"

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        return digest(self)

    def due_at(self, look: int) -> datetime:
        """When a look, counted from 1, is taken: what was received by then counts."""
        return self.began_at + timedelta(seconds=self.horizon_s * self.looks[look - 1])

    @property
    def ends_at(self) -> datetime:
        """When the horizon is over."""
        return self.due_at(len(self.looks))

    def arm(self, user: str) -> Variant:
        """Whose a user is, whoever answered: a version that failed keeps its users."""
        drawn = bucket(user, self.salt) < self.share
        return Variant.CHALLENGER if drawn else Variant.CHAMPION


@dataclass(frozen=True, slots=True, kw_only=True)
class AbLook:
    """What one look saw.

    Attributes:
        test: the test's id.
        number: of the look, from 1.
        at: until when what was received counted, UTC.
        users_a, users_b: who were shown something.
        a, b: the metric of each.
        difference: B - A, adjusted by what was known before; error: its standard error. 0 where
            there is too little to tell one.
        reduction: the part of its variance that the adjustment took away.
        happened: users with anything to count.
        too_little: why it can't be judged; empty where it can.
        suspect: why nothing can be trusted; empty where it can.
    """

    test: str
    number: int
    at: datetime
    users_a: int
    users_b: int
    a: float
    b: float
    difference: float
    error: float
    reduction: float
    happened: int
    too_little: str = ""
    suspect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbEnd:
    """Why a test is over before an answer was found, or by whom.

    Attributes:
        test: the test's id.
        at: when, UTC.
        reason: why.
    """

    test: str
    at: datetime
    reason: str
