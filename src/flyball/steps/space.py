"""Search spaces: a configuration as answers to the questions a family asks, and the other way."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flyball.domain.canonical import digest
from flyball.domain.training import Origin
from flyball.ports import Model

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial as Asked

STARTUP_TRIALS = 5
"""Finished trials before TPE has enough to model; until then it draws at random."""

FAMILY = "family"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to try.

    Attributes:
        family: its name.
        config: an instance of the family's ``Config``.
        origin: why.
    """

    family: str
    config: Any
    origin: Origin

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """The configuration as JSON types."""
        dumped: Mapping[str, Any] = self.config.model_dump(mode="json")
        return dumped


@dataclass(frozen=True, slots=True)
class Space:
    """The families that have something to draw, in one space: first the family, then its own.

    Attributes:
        models: by family; only these are drawn.
        seed: of the draws.
    """

    models: Mapping[str, type[Model]]
    seed: int

    def sampler(self, number: int, proposal: Proposal | None) -> BaseSampler:
        """The sampler of one trial: TPE, bound to the proposal where there is one."""
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import PartialFixedSampler, TPESampler

        mixed = int(digest([self.seed, number])[:8], 16)
        tpe = TPESampler(
            seed=mixed, n_startup_trials=STARTUP_TRIALS, multivariate=False, constant_liar=False
        )
        if proposal is None or proposal.family not in self.models:
            return tpe
        family = proposal.family
        answers = answers_for(self.models[family], proposal.config) or {}
        fixed = {FAMILY: family, **{f"{family}.{name}": v for name, v in answers.items()}}
        with warnings.catch_warnings():  # called experimental since 2.4; the tests hold it
            warnings.simplefilter("ignore", ExperimentalWarning)
            return PartialFixedSampler(fixed, tpe)

    def settle(self, asked: Asked, proposal: Proposal | None) -> Proposal:
        """What an Optuna trial tries: the proposal, told to Optuna as far as it is in the space.

        Without a proposal it is drawn.
        """
        if proposal is not None and proposal.family not in self.models:
            return proposal  # nothing to draw: the trial has no parameters at all
        family = str(asked.suggest_categorical(FAMILY, list(self.models)))
        model = self.models[family]
        if proposal is None:
            return Proposal(family, _suggested(model, _Prefixed(asked, family)), Origin.DRAWN)
        if answers_for(model, proposal.config) is not None:
            _suggested(model, _Prefixed(asked, family))
        return proposal


def searchable(model: type[Model]) -> bool:
    """Whether the family's ``Config`` asks anything at all."""
    if not hasattr(model.Config, "suggest"):
        return False
    listing = _Listing()
    _suggested(model, listing)
    return bool(listing.names)


def answers_for(model: type[Model], config: Any) -> dict[str, Any] | None:
    """The answers by which ``Config.suggest`` gives ``config``; None where none do.

    A configuration can lie outside the space: an earlier version's, or a default such as "no
    half-life" that no draw gives.
    """
    answering = _Answering(config.model_dump(mode="json"))
    try:
        given = _suggested(model, answering)
    except _OutsideError:
        return None
    return answering.asked if given == config else None


def _suggested(model: type[Model], suggest: Any) -> Any:
    return model.Config.suggest(suggest)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class _Prefixed:
    """An Optuna trial whose parameter names begin with the family."""

    asked: Asked
    family: str

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return float(self.asked.suggest_float(f"{self.family}.{name}", low, high, log=log))

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return int(self.asked.suggest_int(f"{self.family}.{name}", low, high, log=log))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self.asked.suggest_categorical(f"{self.family}.{name}", list(choices))


@dataclass(slots=True)
class _Listing:
    """Answers every question with the first value, and keeps the names."""

    names: list[str] = field(default_factory=list)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:  # noqa: ARG002
        self.names.append(name)
        return low

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:  # noqa: ARG002
        self.names.append(name)
        return low

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.names.append(name)
        return choices[0]


class _OutsideError(Exception):
    """A question that a given configuration has no answer to."""


@dataclass(slots=True)
class _Answering:
    """Answers from a given configuration, and keeps what was asked."""

    given: Mapping[str, Any]
    asked: dict[str, Any] = field(default_factory=dict)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:  # noqa: ARG002
        return float(self._number(name, low, high, (int, float)))

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:  # noqa: ARG002
        return int(self._number(name, low, high, (int,)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        if name not in self.given or self.given[name] not in choices:
            raise _OutsideError(name)
        return self._kept(name, self.given[name])

    def _number(self, name: str, low: float, high: float, kinds: tuple[type, ...]) -> Any:
        value: Any = self.given.get(name)
        number = isinstance(value, kinds) and not isinstance(value, bool)
        if not number or not low <= value <= high:
            raise _OutsideError(name)
        return self._kept(name, value)

    def _kept(self, name: str, value: Any) -> Any:
        self.asked[name] = value
        return value
