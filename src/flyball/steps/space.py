"""What a search tries: each family's default configuration first, then what TPE draws."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flyball.domain.canonical import digest
from flyball.domain.training import SearchBudget
from flyball.errors import ConfigurationError
from flyball.ports import Model

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial as Asked

STARTUP_TRIALS = 5
"""Finished trials before TPE has enough to model; until then it draws at random."""

FAMILY = "family"


@dataclass(frozen=True, slots=True)
class Plan:
    """The families in the order of their defaults, and those that have something to search."""

    models: Mapping[str, type[Model]]
    defaults: tuple[str, ...]
    searchable: tuple[str, ...]

    @classmethod
    def of(cls, families: Sequence[str], models: Mapping[str, type[Model]], baseline: str) -> Plan:
        missing = [name for name in (*families, baseline) if name not in models]
        if missing:
            raise ConfigurationError(
                f"the search lacks the model families {', '.join(missing)} (given: "
                f"{', '.join(models)}); install the package that provides them"
            )
        defaults = (baseline, *(family for family in families if family != baseline))
        return cls(models, defaults, tuple(f for f in defaults if space(models[f])))

    def size(self, budget: SearchBudget) -> int:
        """How many trials there can be: the defaults alone where no family has a space."""
        return budget.trials if self.searchable else min(budget.trials, len(self.defaults))

    def sampler(self, number: int, seed: int) -> BaseSampler:
        """The sampler of one trial: the defaults first, then TPE."""
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import PartialFixedSampler, TPESampler

        mixed = int(digest([seed, number])[:8], 16)
        tpe = TPESampler(
            seed=mixed, n_startup_trials=STARTUP_TRIALS, multivariate=False, constant_liar=False
        )
        if number >= len(self.defaults):
            return tpe
        family = self.defaults[number]
        config = self.models[family].Config().model_dump(mode="json")
        fixed = {FAMILY: family, **{f"{family}.{name}": v for name, v in config.items()}}
        with warnings.catch_warnings():  # called experimental since 2.4; the tests hold it
            warnings.simplefilter("ignore", ExperimentalWarning)
            return PartialFixedSampler(fixed, tpe)

    def propose(self, number: int, asked: Asked) -> tuple[str, Any]:
        """The family and configuration of one trial."""
        if number < len(self.defaults) and self.defaults[number] not in self.searchable:
            family = self.defaults[number]  # nothing to draw: the trial has no parameters at all
            return family, self.models[family].Config()
        family = str(asked.suggest_categorical(FAMILY, list(self.searchable)))
        return family, self.models[family].Config.suggest(_Prefixed(asked, family))  # type: ignore[attr-defined]


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


def space(model: type[Model]) -> list[str]:
    listing = _Listing()
    model.Config.suggest(listing)  # type: ignore[attr-defined]
    return listing.names
