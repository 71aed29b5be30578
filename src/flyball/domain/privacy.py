"""Pseudonyms: the same person has the same one, and nobody without the key can tell whose it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

from flyball.errors import ConfigurationError

MIN_KEY_BYTES = 16

PSEUDONYM = r"^[0-9a-f]{24}$"
"""What a pseudonym looks like."""

_DERIVED = b"flyball derived"

ERASE = "erase"
"""What the ledger calls it when a person's rows were removed; its subject is their pseudonym."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """A keyed hash (BLAKE2b, 96 bits) of what names a person.

    Attributes:
        key: secret, 16 to 64 bytes. Another key gives every person another pseudonym.

    Raises:
        ConfigurationError: the key is too short or too long.
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not MIN_KEY_BYTES <= len(self.key) <= blake2b.MAX_KEY_SIZE:
            raise ConfigurationError(
                f"the privacy key has {len(self.key)} bytes; it needs {MIN_KEY_BYTES} to "
                f"{blake2b.MAX_KEY_SIZE}: make one with `openssl rand -hex 32`"
            )

    def of(self, value: str) -> str:
        """The pseudonym: 24 hex digits."""
        # surrogatepass: an id from broken JSON may hold a lone surrogate, and still needs one
        raw = value.encode("utf-8", "surrogatepass")
        return blake2b(raw, key=self.key, digest_size=12).hexdigest()

    def derived(self, purpose: str) -> bytes:
        """A key of its own for another purpose, 32 bytes: it tells nothing of this one."""
        return blake2b(purpose.encode(), key=self.key, digest_size=32, person=_DERIVED).digest()
