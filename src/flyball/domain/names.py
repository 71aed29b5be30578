"""Names of models and versions.

A version is called ``MAJOR.MINOR.PATCH-<data hash, 8>-<hyperparameter hash, 8>``: MAJOR for a new
architecture, MINOR for new hyperparameters, PATCH for the same recipe on new data or a fix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flyball.domain.canonical import digest
from flyball.errors import ConfigurationError, InvalidRequest

_MODEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_VERSION = re.compile(
    r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})-([0-9a-f]{8})-([0-9a-f]{8})"
)


def check_model_name(name: str) -> str:
    """``name`` if it can name a model.

    Raises:
        ConfigurationError: not lower-case letters, digits, ``-`` and ``_``, at most 63.
    """
    if not _MODEL.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} cannot name a model: use lower-case letters, digits, '-' and '_', "
            "starting with a letter, at most 63 characters, for example 'games'"
        )
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a version was made, as far as its number depends on it.

    Attributes:
        architecture: names the algorithm and the feature code with their versions, for example
            ``"games@1/ease@1"``; a change is a new MAJOR.
        hyperparameters: JSON types only; a change is a new MINOR.
        data_version: the dataset version's DVC hash; a change is a new PATCH.
    """

    architecture: str
    hyperparameters: Mapping[str, Any]
    data_version: str

    @property
    def data_hash(self) -> str:
        """The first 8 hex digits of the dataset version's hash."""
        return self.data_version[:8]

    @property
    def hyper_hash(self) -> str:
        """The first 8 hex digits of the hyperparameters' SHA-256."""
        return digest(self.hyperparameters)[:8]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class VersionName:
    """A parsed version name; ``str()`` gives it back. Ordered by number, then by hashes."""

    major: int
    minor: int
    patch: int
    data_hash: str
    hyper_hash: str

    @classmethod
    def parse(cls, text: str) -> VersionName:
        """Read ``1.2.0-0123abcd-89ef4567``.

        Raises:
            InvalidRequest: the text is not a version name.
        """
        found = _VERSION.fullmatch(text)
        if not found:
            raise InvalidRequest(
                f"{text!r} is not a version name; one looks like 1.2.0-0123abcd-89ef4567 "
                "(see `flyball versions MODEL`)"
            )
        major, minor, patch, data, hyper = found.groups()
        return cls(
            major=int(major), minor=int(minor), patch=int(patch), data_hash=data, hyper_hash=hyper
        )

    @classmethod
    def first(cls, recipe: Recipe) -> VersionName:
        """``1.0.0`` with the recipe's hashes."""
        return cls(
            major=1, minor=0, patch=0, data_hash=recipe.data_hash, hyper_hash=recipe.hyper_hash
        )

    def after(self, old: Recipe, new: Recipe) -> VersionName:
        """The name of what ``new`` made, given that ``old`` made this (the highest) version."""
        major, minor, patch = self.major, self.minor, self.patch + 1
        if new.architecture != old.architecture:
            major, minor, patch = self.major + 1, 0, 0
        elif new.hyper_hash != old.hyper_hash:
            minor, patch = self.minor + 1, 0
        return VersionName(
            major=major,
            minor=minor,
            patch=patch,
            data_hash=new.data_hash,
            hyper_hash=new.hyper_hash,
        )

    def __str__(self) -> str:
        number = f"{self.major}.{self.minor}.{self.patch}"
        return f"{number}-{self.data_hash}-{self.hyper_hash}"
