"""The size of the network, how it is trained, and what it is told of popularity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from flyball.ports import Suggest


class SasRecConfig(BaseModel):
    """Everything that the weights depend on, beside the data and the libraries.

    Attributes:
        dim: numbers for each item, a multiple of ``heads``.
        layers: blocks of attention, from 1.
        heads: of each attention.
        dropout: in [0, 1): of embeddings, attention and feed-forward layers, in training.
        max_len: the newest so many items of a history count.
        learning_rate, weight_decay: of AdamW.
        batch_size: sequences for each step, of all processes together.
        clip_norm: the longest gradient that a step follows.
        epochs: the most of them, from 0.
        patience: how many epochs without a gain on held-back data end the search for the best
            number of epochs. None: ``epochs`` are trained, and nothing is held back.
        half_lives: in days; one trend of popularity for each (see ``trends``).
        smoothing: interactions added to each item's decayed count before its logarithm.
        seed: of first weights, batches and dropout.
        processes: how many train together, each on its part of every batch, with one thread.
            Another number of them gives other weights, as good.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dim: int = Field(default=64, ge=1, le=1024)
    layers: int = Field(default=2, ge=1, le=16)
    heads: int = Field(default=2, ge=1, le=64)
    dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    max_len: int = Field(default=50, ge=1, le=2000)
    learning_rate: float = Field(default=1e-3, gt=0.0, le=1.0)
    weight_decay: float = Field(default=0.01, ge=0.0, le=1.0)
    batch_size: int = Field(default=128, ge=1, le=65536)
    clip_norm: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    epochs: int = Field(default=30, ge=0, le=10_000)
    patience: int | None = Field(default=3, ge=1)
    half_lives: tuple[float, ...] = Field(default=(10.0, 60.0, 400.0), min_length=1, max_length=8)
    smoothing: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    seed: int = Field(default=0, ge=0, lt=2**31)
    processes: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is no multiple of heads {self.heads}")
        if not all(0.0 < days < float("inf") for days in self.half_lives):
            raise ValueError(f"half_lives {self.half_lives} must be above 0 and finite")
        return self

    @classmethod
    def suggest(cls, trial: Suggest) -> Self:
        """A configuration proposed by a search. The number of epochs is found in each fit."""
        return cls(
            dim=trial.suggest_categorical("dim", [32, 64, 128]),
            layers=trial.suggest_int("layers", 1, 3),
            heads=trial.suggest_categorical("heads", [1, 2, 4]),
            dropout=trial.suggest_float("dropout", 0.0, 0.7),
            max_len=trial.suggest_int("max_len", 10, 200, log=True),
            learning_rate=trial.suggest_float("learning_rate", 2e-4, 5e-3, log=True),
            weight_decay=trial.suggest_float("weight_decay", 1e-4, 0.3, log=True),
            epochs=trial.suggest_int("epochs", 5, 40, log=True),
        )
