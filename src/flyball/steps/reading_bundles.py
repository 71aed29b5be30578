"""Bundles, read from the text that was signed."""

from __future__ import annotations

import json

import msgspec

from flyball.domain.bundle import Bundle, SignedBundle
from flyball.errors import EvidenceBroken


def bundle_of(signed: SignedBundle) -> Bundle:
    """What a stored bundle says.

    Raises:
        EvidenceBroken: its text is no bundle.
    """
    try:
        return msgspec.convert(json.loads(signed.body), Bundle)
    except (ValueError, msgspec.ValidationError) as error:
        raise EvidenceBroken(f"bundle {signed.id} cannot be read: {error}") from None
