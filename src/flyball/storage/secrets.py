"""The secret of the pseudonyms: from the settings, or a file in the home that is made once.

Beside it lies ``privacy.check``, a fingerprint of the first key that was used here. With another
key the same person would count as another one, and could not be forgotten: so a key that was lost
or exchanged is refused, and never silently replaced.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from flyball.domain.privacy import Pseudonyms
from flyball.errors import ConfigurationError
from flyball.storage.files import storing, write_once

KEY_FILE = "privacy.key"
CHECK_FILE = "privacy.check"
_OWNER_ONLY = 0o600
_KEY_BYTES = 32
_PROBE = "flyball's privacy key"
"""What the fingerprint is the pseudonym of."""


def pseudonyms(home: Path, key: str) -> Pseudonyms:
    """The pseudonyms of an installation. Processes that begin at once end with one key.

    Args:
        home: where ``privacy.key`` lies, or is made (32 random bytes, readable by its owner only).
        key: the setting ``privacy.key``; it goes before the file. Empty: the file.

    Raises:
        ConfigurationError: the key is too short or too long, was lost, or is not the one that this
            home's pseudonyms were made with.
        StorageUnavailable: the file cannot be read or made.
    """
    with storing(f"the privacy key in {home}"):
        check = home / CHECK_FILE
        if not key:
            path = home / KEY_FILE
            if not path.exists() and check.exists():
                raise _lost(path, check)
            key = _once(path, secrets.token_hex(_KEY_BYTES))
        made = Pseudonyms(key.encode())
        if _once(check, made.of(_PROBE)) != made.of(_PROBE):
            raise _exchanged(check)
        return made


def _once(path: Path, content: str) -> str:
    """What the file holds; ``content``, where nobody has made it before."""
    return write_once(f"{content}\n".encode(), path, mode=_OWNER_ONLY).decode().strip()


def _lost(path: Path, check: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path} is gone, the key with which the people in this home's data were given their "
        "pseudonyms; nothing was done. Restore it from a backup, or give it as the setting "
        f"`privacy.key`. If it is lost for good, remove {check}: a new key is made, and everybody "
        "in the data counts as somebody else from then on"
    )


def _exchanged(check: Path) -> ConfigurationError:
    return ConfigurationError(
        f"this privacy key is not the one that this home's pseudonyms were made with ({check}); "
        "nothing was done. Use the first key again (the setting `privacy.key`, or the file "
        f"{KEY_FILE} in the home). To go on with the new one, remove {check}: everybody in the "
        "data counts as somebody else from then on"
    )
