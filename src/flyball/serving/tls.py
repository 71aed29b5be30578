"""The server's certificate: checked before anything starts, and followed when its files change."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import structlog

from flyball.errors import ConfigurationError
from flyball.settings import Server

_Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """A certificate with its key, as their files say; a new one is used without a restart.

    Attributes:
        context: for the server. It hands every new connection over to the newest certificate.

    Args:
        chain, key: the files (PEM).

    Raises:
        ConfigurationError: they cannot be used; says which, and why.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain, self._key = chain, key
        self._stamp = self._stamped()
        self._newest = _context(chain, key)
        self.context = _context(chain, key)
        self.context.sni_callback = self._hand_over

    def refresh(self) -> None:
        """Read the files again if they are others now; what cannot be used is not."""
        stamp = self._stamped()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        log = structlog.get_logger("flyball.tls")
        try:
            self._newest = _context(self._chain, self._key)
        except ConfigurationError as error:
            log.warning("the new TLS certificate is not used; the old one stays", why=str(error))
            return
        log.info("new connections use the new TLS certificate", certificate=str(self._chain))

    def _hand_over(
        self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        connection.context = self._newest

    def _stamped(self) -> _Stamp:
        found = []
        for path in (self._chain, self._key):
            try:
                about = os.stat(path)
            except OSError:
                found.append((0, 0, 0))
            else:
                found.append((about.st_ino, about.st_mtime_ns, about.st_size))
        return tuple(found)


def certificate_of(server: Server) -> Certificate | None:
    """The certificate that the settings name; None where they name none.

    Raises:
        ConfigurationError: it cannot be used; names the file, and says why.
    """
    if not server.tls_certificate and not server.tls_key:
        return None
    if not server.tls_certificate or not server.tls_key:
        given, missing = ("tls_key", "tls_certificate")[:: -1 if server.tls_certificate else 1]
        raise ConfigurationError(f"server.{given} is set and server.{missing} is not; set both")
    return Certificate(Path(server.tls_certificate), Path(server.tls_key))


def pinned(chain: Path) -> ssl.SSLContext:
    """For a client on this machine: it takes this very certificate, whatever name it is for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the name is the public one, and the address is loopback
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(chain)
    return context


def _context(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])

    def encrypted() -> str:
        raise ConfigurationError(f"the TLS key {key} is encrypted; store it without a passphrase")

    _check_readable(chain, "certificate")
    _check_readable(key, "key")
    _check_chain(chain)
    try:
        context.load_cert_chain(chain, key, password=encrypted)
    except ssl.SSLError as error:
        if error.reason and "MISMATCH" in error.reason:
            why = f"the TLS key {key} does not belong to the certificate {chain}"
        else:
            why = f"the TLS key {key} is no private key in PEM format"
        raise ConfigurationError(f"{why}; correct server.tls_key") from error
    return context


def _check_readable(path: Path, what: str) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise ConfigurationError(
            f"the TLS {what} {path} cannot be read: {error.strerror}; correct server.tls_{what}"
        ) from error


def _check_chain(chain: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(chain)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"the TLS certificate {chain} is no certificate in PEM format; correct "
            "server.tls_certificate"
        ) from error
