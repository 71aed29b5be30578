"""Who the caller is: nobody, an API key, a token, or somebody who signs in (OAuth2)."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol
from urllib.parse import quote_plus, urlencode

from flyball.client.effects import FORM, Ask, Plan
from flyball.client.errors import ClientError
from flyball.client.judging import decoded
from flyball.client.types import Token
from flyball.errors import InvalidRequest

_EARLY_S, _EARLY_SHARE = 30.0, 0.2
"""A token is renewed so long before its end, or in the last fifth of its life if that is shorter:
the server's clock may go before ours, and a request takes time."""


class Credentials(Protocol):
    """What is sent to say who calls."""

    def headers(self) -> Mapping[str, str] | None:
        """What says who calls; None: ``renewal`` comes first."""
        ...

    def renewal(self) -> Plan[None] | None:
        """Steps to other credentials than the ones sent last; None: there are no others."""
        ...


class Fixed:
    """Headers that never change."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def headers(self) -> Mapping[str, str]:
        """The same each time."""
        return self._headers

    def renewal(self) -> None:
        """There are no others."""


class SignedIn:
    """A token of somebody who signs in, renewed before it ends.

    The refresh token is used once, whatever comes of it: the server takes one that comes back for
    stolen. After that the caller signs in anew.

    Args:
        form: the grant, as ``/auth/token`` takes it.
        basic: an ``Authorization`` header for that; empty for none.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        form: Mapping[str, str],
        basic: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._form, self._clock = form, clock
        self._basic = {"authorization": basic} if basic else {}
        self._token: Token | None = None
        self._until = 0.0

    def headers(self) -> Mapping[str, str] | None:
        """The token, if it is good for a while."""
        if self._token is None or self._clock() >= self._until:
            return None
        return {"authorization": f"Bearer {self._token.access_token}"}

    def renewal(self) -> Plan[None]:
        """Refresh the token, or sign in."""
        refresh = None if self._token is None else self._token.refresh_token
        self._token = None
        if refresh:
            with suppress(ClientError):  # revoked, or nobody knows whether it was used: sign in
                self._take(decoded((yield _refreshing(refresh)), Token))
                return
        self._take(decoded((yield self._signing_in()), Token))

    def _take(self, token: Token) -> None:
        self._token = token
        early = min(_EARLY_S, _EARLY_SHARE * token.expires_in)
        self._until = self._clock() + token.expires_in - early

    def _signing_in(self) -> Ask:
        return _post("/auth/token", self._form, headers=self._basic, again=True)


def credentials_of(
    *,
    api_key: str | None,
    token: str | None,
    client_credentials: tuple[str, str] | None,
    password: tuple[str, str] | None,
) -> Credentials:
    """The one kind of credentials that was given, or nobody's.

    Raises:
        InvalidRequest: several were given.
    """
    given = [each for each in (api_key, token, client_credentials, password) if each is not None]
    if len(given) > 1:
        raise InvalidRequest(
            "several credentials were given; give one of api_key, token, client_credentials and "
            "password"
        )
    if client_credentials is not None:
        return SignedIn({"grant_type": "client_credentials"}, _basic(*client_credentials))
    if password is not None:
        name, secret = password
        return SignedIn({"grant_type": "password", "username": name, "password": secret})
    if api_key is not None:
        return Fixed({"x-api-key": api_key})
    return Fixed({} if token is None else {"authorization": f"Bearer {token}"})


def _refreshing(refresh: str) -> Ask:
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    return _post("/auth/refresh", form, headers={}, again=False)


def _post(path: str, form: Mapping[str, str], *, headers: Mapping[str, str], again: bool) -> Ask:
    return Ask(
        method="POST",
        path=path,
        body=urlencode(form).encode(),
        kind=FORM,
        headers=headers,
        signed=False,
        again=again,
    )


def _basic(name: str, secret: str) -> str:
    """HTTP Basic as OAuth2 has it: both parts form-encoded first (RFC 6749, 2.3.1)."""
    pair = f"{quote_plus(name)}:{quote_plus(secret)}".encode()
    return f"Basic {b64encode(pair).decode()}"
