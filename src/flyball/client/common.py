"""What both clients are made of: their arguments, and the methods of the API."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from copy import copy
from typing import Self

from flyball.client.credentials import credentials_of
from flyball.client.exchange import Options, Session, base_of, with_options
from flyball.client.methods import Methods


class Common(Methods, ABC):
    """A client of the inference API. One for a program: its calls share connections and tokens.

    Args:
        url: the server, such as ``http://127.0.0.1:8000``.
        api_key, token, client_credentials, password: who calls, at most one of them; the last two
            as (name, secret). A token they give is renewed by itself.
        timeout: seconds for a whole call, with all its attempts; the server is told as well. Only
            the look-up of the server's name is not bounded.
        retries: further attempts of a call that failed in passing.
        traceparent: W3C trace context to pass on; None: that of OpenTelemetry's current span.
        connections: kept open at most.
        verify: how certificates are verified; None: by those of the package ``certifi``.

    Raises:
        InvalidRequest: one of these is wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        token: str | None = None,
        client_credentials: tuple[str, str] | None = None,
        password: tuple[str, str] | None = None,
        timeout: float = 2.0,
        retries: int = 3,
        traceparent: str | None = None,
        connections: int = 100,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        self._options = Options(timeout=timeout, retries=retries, traceparent=traceparent)
        self._session = Session(
            base=base_of(url),
            credentials=credentials_of(
                api_key=api_key,
                token=token,
                client_credentials=client_credentials,
                password=password,
            ),
        )
        self._connect(connections, verify)

    @abstractmethod
    def _connect(self, connections: int, verify: ssl.SSLContext | None) -> None:
        """Make what reaches the network."""

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retries: int | None = None,
        traceparent: str | None = None,
    ) -> Self:
        """This client with other options, on the same connections and tokens."""
        other = copy(self)
        other._options = with_options(
            self._options, timeout=timeout, retries=retries, traceparent=traceparent
        )
        return other
