"""The key that signs evidence, and the public keys that it is checked with.

The private key is a file (PKCS 8, PEM) that only its owner can read. Each public key that ever
signed here stays in a folder of the home, so that what an earlier key signed can be checked.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.domain.bundle import SignedBundle, text_digest
from flyball.errors import ConfigurationError, NotFound
from flyball.storage.files import storing, write_once

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

KEY_FILE = "evidence.key"
PUBLIC_KEYS = "evidence"
"""The folder of public keys in the home: ``<key id>.pem``."""

_OWNER_ONLY = 0o600


class Signer:
    """Signs with the installation's key, which is made at its first use. Thread-safe.

    Args:
        home: where ``evidence.key`` and the folder of public keys lie.
        file: the setting ``evidence.key``: another file of the private key.
    """

    def __init__(self, home: Path, file: str = "") -> None:
        self._home = home
        self._file = Path(file) if file else None
        self._lock = threading.Lock()
        self._loaded: tuple[Ed25519PrivateKey, str] | None = None

    def sign(self, body: str) -> tuple[str, str]:
        """The key's id and the signature (Ed25519, hex) over a text's UTF-8 bytes.

        Raises:
            ConfigurationError: the key's file is missing (where it was given) or holds no such key.
            StorageUnavailable: it cannot be read or made.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            key, id = self._loaded
        return id, key.sign(body.encode()).hex()

    def _load(self) -> tuple[Ed25519PrivateKey, str]:
        with storing(f"the key of evidence in {self._home}"):
            if self._file is not None:
                content, path = _given(self._file), self._file
            else:
                path = self._home / KEY_FILE
                content = write_once(_new_key(), path, mode=_OWNER_ONLY)
            key = _private(content, path)
            id = key_id(key.public_key())
            write_once(_pem(key.public_key()), self._home / PUBLIC_KEYS / f"{id}.pem", mode=0o644)
        return key, id


class Checker:
    """Checks signatures with public keys.

    Args:
        keys: by their ids.
        origin: where they come from, for messages.
    """

    def __init__(self, keys: Mapping[str, Ed25519PublicKey], origin: str) -> None:
        self._keys, self._origin = dict(keys), origin

    @classmethod
    def of_home(cls, home: Path) -> Checker:
        """With every key that ever signed in this home; one that is not what its name says is
        passed over, and missed where it is needed."""
        folder = home / PUBLIC_KEYS
        keys = {}
        with storing(f"the public keys in {folder}"):
            for path in sorted(folder.glob("*.pem")):
                key = _public(path.read_bytes())
                if key is not None and key_id(key) == path.stem:
                    keys[path.stem] = key
        return cls(keys, str(folder))

    @classmethod
    def of_file(cls, path: Path) -> Checker:
        """With one key alone.

        Raises:
            NotFound: there is no such file.
            ConfigurationError: it holds no public key of Ed25519.
        """
        with storing(f"the public key in {path}"):
            key = _public(_given(path))
        if key is None:
            raise ConfigurationError(
                f"{path} holds no public key of Ed25519 in PEM; the installation that signed has "
                f"its public keys in <home>/{PUBLIC_KEYS}"
            )
        return cls({key_id(key): key}, str(path))

    def pems(self) -> dict[str, str]:
        """The keys as PEM, by id."""
        return {id: _pem(key).decode() for id, key in self._keys.items()}

    def __call__(self, signed: SignedBundle) -> str:
        """Why a bundle's digest or signature does not hold; empty where both do."""
        from cryptography.exceptions import InvalidSignature

        if text_digest(signed.body) != signed.digest:
            return "its text was changed after it was written: it has not the recorded digest"
        if not signed.signature:
            return "it is not signed: the key could not be used when it was written"
        key = self._keys.get(signed.key)
        if key is None:
            return (
                f"it is signed with the key {signed.key[:12]}, which is not in {self._origin}; if "
                "another machine signed it, copy the key from the folder of that name there"
            )
        try:
            key.verify(bytes.fromhex(signed.signature), signed.body.encode())
        except (InvalidSignature, ValueError):
            return f"its signature is not one of the key {signed.key[:12]} over its text"
        return ""


def key_id(key: Ed25519PublicKey) -> str:
    """SHA-256 (hex) of the public key's 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def _new_key() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    made = Ed25519PrivateKey.generate()
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _pem(key: Ed25519PublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _given(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(
            f"there is no file {path}; the setting `evidence.key` and --key name a key in PEM"
        ) from None


def _private(content: bytes, path: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(
            f"{path} holds no private key of Ed25519 (PEM, not encrypted), so nothing can be "
            "signed; restore it from a backup. If it is lost, move it away: a new one is made, and "
            "what the old one signed is still checked with its public key"
        )
    return key


def _public(content: bytes) -> Ed25519PublicKey | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(content)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) else None
