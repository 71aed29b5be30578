"""What the business wants of a model's answers, whatever the model says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one model, in force from the moment they are recorded.

    Attributes:
        model: the model's name; there is one set of rules a model.
        revision: counts the changes from 1.
        document: the rules, JSON types; the application says what may stand in it.
        set_at: when, UTC.
        set_by: who.
    """

    model: str
    revision: int
    document: Mapping[str, Any]
    set_at: datetime
    set_by: str

    @property
    def id(self) -> str:
        """The model's name."""
        return self.model
