"""Whether a server asks for credentials, and whether it may listen where it was told to."""

from __future__ import annotations

from typing import Literal

from flyball.domain.access import ApiKey, Principal
from flyball.errors import ConfigurationError
from flyball.ports import Records


def required(setting: bool | Literal["auto"], *, host: str, loopback: bool) -> bool:
    """Whether callers need credentials.

    Args:
        setting: ``access.required``.
        host: where the server listens.
        loopback: whether only this machine reaches that.

    Raises:
        ConfigurationError: others could call, and nothing would be asked of them.
    """
    if setting == "auto":
        return not loopback
    if not setting and not loopback:
        raise ConfigurationError(
            f"other machines reach {host}, and access.required is false: this server does not "
            "listen where anybody may use it. Leave access.required out and make a key with "
            "`flyball access key create NAME --scope read`, or set server.host to 127.0.0.1"
        )
    return setting


def check_anybody(records: Records) -> None:
    """Refuse to start a server that nobody could use.

    Raises:
        ConfigurationError: there is neither a key nor a client nor an account.
        StorageUnavailable: the records cannot be read.
    """
    if not records.find(ApiKey, limit=1) and not records.find(Principal, limit=1):
        raise ConfigurationError(
            "callers need credentials here, and there are none yet; make the first with "
            "`flyball access key create NAME --scope read --scope events` (or, where only this "
            "machine calls, set server.host to 127.0.0.1 and leave access.required out)"
        )
