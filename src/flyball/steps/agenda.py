"""What a search tries when: defaults, what did well before, draws, and combinations last."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from flyball.domain.canonical import digest
from flyball.domain.training import Origin, SearchBudget, Trial
from flyball.errors import ConfigurationError, TrainingError
from flyball.ports import Model
from flyball.steps.space import Proposal, searchable

WARM_SHARE = 3
"""One in so many of the trials that are left after the defaults may repeat an earlier run's."""

COMBINED_SHARE = 10
"""One in so many trials, and so much of the time, is kept for combinations."""

COMBINED_MOST = 4
"""However long they take, no more than one in so many seconds is kept for them."""

COMBINED_SIZES = (math.inf, 3, 2)
"""Of how many of the best families: all, then fewer, which cost less."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """The order of a search.

    Attributes:
        models: by family.
        first: what is tried first: defaults (the baseline's before all), then what did well in
            earlier runs.
        drawn: the families to draw from.
        combining: the families that are made of others.
        budget: the limits.
    """

    models: Mapping[str, type[Model]]
    first: tuple[Proposal, ...]
    drawn: tuple[str, ...]
    combining: tuple[str, ...]
    budget: SearchBudget

    @classmethod
    def of(
        cls,
        families: Sequence[str],
        models: Mapping[str, type[Model]],
        *,
        baseline: str,
        skipped: Mapping[str, str],
        earlier: Sequence[Mapping[str, Any]],
        budget: SearchBudget,
    ) -> Agenda:
        """The agenda of ``families`` without those skipped; the baseline is always tried.

        Args:
            earlier: configurations (``family``, ``hyperparameters``) that did well before, the
                best first. Those that no family here takes are passed over.

        Raises:
            ConfigurationError: a family is missing from ``models``.
        """
        wanted = (baseline, *(f for f in families if f != baseline and f not in skipped))
        if missing := [name for name in wanted if name not in models]:
            raise ConfigurationError(
                f"the search lacks the model families {', '.join(missing)} (given: "
                f"{', '.join(models)}); install the package that provides them"
            )
        combining = tuple(f for f in wanted if hasattr(models[f].Config, "combining"))
        alone = [family for family in wanted if family not in combining]
        drawn = tuple(family for family in alone if searchable(models[family]))
        defaults = [Proposal(f, models[f].Config(), Origin.DEFAULT) for f in alone]
        left = budget.trials - len(defaults) - _kept_back(combining, budget)
        warm = _usable(earlier, {f: models[f] for f in drawn}, defaults)
        most = max(0, math.ceil(left / WARM_SHARE))
        return cls(models, (*defaults, *warm[:most]), drawn, combining, budget)

    def following(
        self, ended: Sequence[Trial], *, left_s: float
    ) -> Proposal | Literal["draw"] | None:
        """What to try after these trials with so much time left; None: the search is over."""
        number = len(ended)
        if number >= self.budget.trials or left_s <= 0.0:
            return None
        ahead = self.first[number] if number < len(self.first) else None
        if ahead is not None and ahead.origin is Origin.DEFAULT:
            return ahead
        if self._combines_now(ended, left_s):
            return next(self._combinations(ended), None)
        if ahead is not None:
            return ahead
        return "draw" if self.drawn else None

    def _combines_now(self, ended: Sequence[Trial], left_s: float) -> bool:
        """Once begun it goes on, whatever the clock of a later process says."""
        if not self.combining:
            return False
        begun = any(trial.origin is Origin.COMBINED for trial in ended)
        kept = _kept_back(self.combining, self.budget)
        drawn_out = not self.drawn and len(ended) >= len(self.first)
        late = len(ended) >= self.budget.trials - kept or left_s <= self._kept_s(ended)
        return begun or drawn_out or late

    def _kept_s(self, ended: Sequence[Trial]) -> float:
        """Seconds kept for combinations: fitting one takes about as long as all it is made of.

        It may run over the time, as any trial may that began in time; so the rest stays the draws'.
        """
        parts = sum(trial.seconds for trial in bests(ended, without=self.combining))
        share = self.budget.timeout_s / COMBINED_SHARE
        return min(max(share, parts), self.budget.timeout_s / COMBINED_MOST)

    def _combinations(self, ended: Sequence[Trial]) -> Iterator[Proposal]:
        """Combinations of the best of each family that were not tried yet."""
        tried = {digest([trial.family, trial.hyperparameters]) for trial in ended}
        found = bests(ended, without=self.combining)
        sizes = dict.fromkeys(int(min(size, len(found))) for size in COMBINED_SIZES)
        for size in sizes:
            if size < 2:
                return
            parts = {
                trial.family: self.models[trial.family].Config.model_validate(
                    dict(trial.hyperparameters)
                )
                for trial in found[:size]
            }
            for family in self.combining:
                proposal = self._combined(family, parts)
                if proposal is None:
                    continue
                if digest([family, proposal.hyperparameters]) not in tried:
                    yield proposal

    def _combined(self, family: str, parts: Mapping[str, Any]) -> Proposal | None:
        try:
            config = self.models[family].Config.combining(parts)  # type: ignore[attr-defined]
        except TrainingError:
            return None  # it can make nothing of these
        return Proposal(family, config, Origin.COMBINED)


def bests(ended: Sequence[Trial], *, without: Sequence[str] = ()) -> list[Trial]:
    """The best complete trial of each family, the best first; ties to the earlier one."""
    complete = [t for t in ended if t.value is not None and t.family not in without]
    found: dict[str, Trial] = {}
    for trial in sorted(complete, key=lambda t: (-(t.value or 0.0), t.number)):
        found.setdefault(trial.family, trial)
    return list(found.values())


def _kept_back(combining: Sequence[str], budget: SearchBudget) -> int:
    """How many of the last trials are combinations."""
    if not combining:
        return 0
    most = len(combining) * len(COMBINED_SIZES)
    return min(most, max(1, budget.trials // COMBINED_SHARE))


def _usable(
    earlier: Sequence[Mapping[str, Any]],
    models: Mapping[str, type[Model]],
    defaults: Sequence[Proposal],
) -> list[Proposal]:
    """Earlier configurations that the families still take, without the defaults."""
    known = {digest([one.family, one.hyperparameters]) for one in defaults}
    found = []
    for one in earlier:
        family = one["family"]
        if family not in models:
            continue
        try:
            config = models[family].Config.model_validate(dict(one["hyperparameters"]))
        except ValidationError:
            continue  # the family has other settings by now
        proposal = Proposal(family, config, Origin.EARLIER)
        key = digest([family, proposal.hyperparameters])
        if key not in known:
            known.add(key)
            found.append(proposal)
    return found
