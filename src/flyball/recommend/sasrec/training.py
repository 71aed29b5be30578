"""Training: first the number of epochs is found on held-back data, then all data are learnt.

Loss: cross-entropy of the softmax over all items that the user does not have yet (Klenitskiy and
Vasilev, "Turning dross into gold loss: is BERT4Rec really better than SASRec?", RecSys 2023), at
every place of every sequence (Kang and McAuley, "Self-attentive sequential recommendation", ICDM
2018).

All random numbers of an epoch follow from the seed, the epoch and the process, so that a checkpoint
need not hold the state of a generator. Every process has the same weights at every step: it adds
the gradients of all, and takes the same step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from flyball.errors import TrainingError
from flyball.recommend.interactions import Interactions
from flyball.recommend.sasrec.config import SasRecConfig
from flyball.recommend.sasrec.keeping import Keeper
from flyball.recommend.sasrec.lessons import Batch, Lesson, batches
from flyball.recommend.sasrec.logits import held_back_ndcg
from flyball.recommend.sasrec.network import Network
from flyball.recommend.sasrec.trends import Trends

TREND_RATE = 10.0
"""How much faster the few weights of the trends are learnt than all others."""


class Group(Protocol):
    """The processes that train together."""

    rank: int
    size: int

    def add_up(self, values: Any) -> None:
        """Replace a tensor by its sum over all processes."""
        ...

    def told(self, value: float) -> float:
        """The number that process 0 gives."""
        ...


class Alone:
    """A group of one."""

    rank = 0
    size = 1

    def add_up(self, values: Any) -> None:
        """Nothing to add."""

    def told(self, value: float) -> float:
        """The number itself."""
        return value


def learn(
    lesson: Lesson, config: SasRecConfig, group: Group, keeper: Keeper | None
) -> tuple[dict[str, NDArray[Any]], int]:
    """The weights, by name of ``Network``'s parameters, and after how many epochs.

    Goes on from the checkpoints of ``keeper``, and ends with the same weights to the bit.

    Raises:
        TrainingError: the loss did not stay finite.
        StorageUnavailable: a checkpoint cannot be written.
    """
    epochs = config.epochs
    with _repeatable():
        if lesson.held is not None:
            epochs = _best_epochs(lesson, config, group, keeper)
        course = _Course(lesson.data, config, group, keeper, phase="final")
        course.resume()
        while course.epoch < epochs:
            course.study()
            course.keep()
    return course.weights(), epochs


def _best_epochs(lesson: Lesson, config: SasRecConfig, group: Group, keeper: Keeper | None) -> int:
    """After how many epochs the held-back items are foretold best (NDCG@10), 0 among them."""
    assert lesson.held is not None
    assert config.patience is not None
    course = _Course(lesson.held.train, config, group, keeper, phase="held")
    facts = course.resume()
    values: list[float] = list(facts.get("values", []))
    while True:
        if len(values) <= course.epoch:
            value = 0.0
            if group.rank == 0:
                value = held_back_ndcg(course.weights(), course.trends, lesson.held, config)
            values.append(group.told(value))
            course.keep(values=values)
        best = int(np.argmax(values))
        if course.epoch >= min(config.epochs, best + config.patience):
            return best
        course.study()


class _Course:
    """One training from first weights on: epoch by epoch, and resumable between them."""

    def __init__(
        self,
        data: Interactions,
        config: SasRecConfig,
        group: Group,
        keeper: Keeper | None,
        *,
        phase: str,
    ) -> None:
        self.data, self.config, self.group = data, config, group
        self.keeper, self.phase, self.epoch = keeper, phase, 0
        self.trends = Trends.fit(data, config.half_lives, config.smoothing)
        assert data.days is not None  # fit saw to it
        days, table = self.trends.table(float(data.days.min()) - 1, float(data.days.max()))
        self.days, self.table = days, torch.from_numpy(table)
        torch.manual_seed(config.seed)
        self.network = Network(config, len(data.items))
        others = [p for name, p in self.network.named_parameters() if name != "trend"]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": others},
                {
                    "params": [self.network.trend],
                    "lr": min(1.0, TREND_RATE * config.learning_rate),
                    "weight_decay": 0.0,
                },
            ],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
        )

    def study(self) -> None:
        """One epoch.

        Raises:
            TrainingError: the loss did not stay finite.
        """
        group, config = self.group, self.config
        self.epoch += 1
        drawn = np.random.SeedSequence([config.seed, self.epoch, group.rank])
        torch.manual_seed(int(drawn.generate_state(1, np.uint64)[0] >> 1))
        self.network.train()
        for batch in batches(
            self.data, config, epoch=self.epoch, part=group.rank, parts=group.size
        ):
            self._step(batch)

    def _step(self, batch: Batch) -> None:
        self.optimizer.zero_grad(set_to_none=False)
        loss = torch.zeros(())
        if len(batch.wanted):
            loss = self._loss(batch)
            loss.backward()
        self._share(loss.detach(), batch)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.optimizer.step()

    def _loss(self, batch: Batch) -> Any:
        """The process's part of the batch's mean loss."""
        needed, place = np.unique(
            np.searchsorted(self.days, batch.day, side="right") - 1, return_inverse=True
        )
        logits = self.network(
            torch.from_numpy(batch.items),
            torch.from_numpy(batch.inside),
            torch.from_numpy(place),
            self.table[torch.from_numpy(needed)],
        )
        logits.scatter_(1, torch.from_numpy(batch.own), -torch.inf)
        wanted = torch.from_numpy(batch.wanted)
        return functional.cross_entropy(logits, wanted, reduction="sum") / batch.total

    def _share(self, loss: Any, batch: Batch) -> None:
        """Add up gradients and loss over the processes, as one row of numbers.

        Not DistributedDataParallel: it lays its buckets out anew after its first step, so that a
        resumed run of three or more processes could add in another order, and differ by a bit.
        """
        slopes = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self._parameters()]
        row = torch.cat([loss.reshape(1), *(slope.reshape(-1) for slope in slopes)])
        self.group.add_up(row)
        if not torch.isfinite(row).all():
            raise TrainingError(
                f"the loss of sasrec was {float(row[0]):g} or its gradient endless in epoch "
                f"{self.epoch}, in a batch of {batch.total} places; lower the learning rate "
                f"({self.config.learning_rate:g})"
            )
        parts = row[1:].split([p.numel() for p in self._parameters()])
        for parameter, part in zip(self._parameters(), parts, strict=True):
            parameter.grad = part.view_as(parameter).clone()

    def _parameters(self) -> list[Any]:
        return list(self.network.parameters())

    def weights(self) -> dict[str, NDArray[Any]]:
        """Copies of the weights, by name."""
        found = self.network.state_dict().items()
        return {name: tensor.detach().numpy().copy() for name, tensor in found}

    def keep(self, **facts: Any) -> None:
        """Write a checkpoint."""
        if self.keeper is None or self.group.rank:
            return
        arrays = {f"weights/{name}": values for name, values in self.weights().items()}
        for place, state in self.optimizer.state_dict()["state"].items():
            arrays |= {f"adam/{place}/{name}": v.numpy() for name, v in state.items()}
        self.keeper.keep(self.phase, arrays, {"epoch": self.epoch, **facts})

    def resume(self) -> dict[str, Any]:
        """Go on from the checkpoint, if there is one; its facts."""
        found = None if self.keeper is None else self.keeper.found(self.phase)
        if found is None:
            return {}
        arrays, facts = found
        weights, state = {}, self.optimizer.state_dict()
        state["state"] = {}
        for path, values in arrays.items():
            tensor = torch.from_numpy(values.copy())
            kind, *names = path.split("/")
            if kind == "weights":
                weights[names[0]] = tensor
            else:
                state["state"].setdefault(int(names[0]), {})[names[1]] = tensor
        self.network.load_state_dict(weights)
        self.optimizer.load_state_dict(state)
        self.epoch = int(facts["epoch"])
        return facts


@contextmanager
def _repeatable() -> Iterator[None]:
    """The same numbers every time; torch's own settings are as before afterwards.

    One thread: sums then do not depend on how many cores there are, and small tensors do not wait
    for a busy second core (measured: a tenth of the time). More cores are for more processes.
    """
    before, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(before)
