"""What is wrong where a server and its client do not come to terms on TLS, and what to do."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping

_NOT_YET, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 62, 64
"""Of OpenSSL: ``X509_V_ERR_...``."""

_BY_CODE: Mapping[int, str] = {
    _NOT_YET: "set the clock of this machine, or see when the certificate begins",
    _EXPIRED: "renew it on the server; if it is good, set the clock of this machine",
    _OTHER_NAME: "call the server by a name that stands in its certificate, or have this one put "
    "into it",
    _OTHER_ADDRESS: "call the server by a name or address that stands in its certificate, or have "
    "this one put into it",
}
_UNKNOWN = (
    "its certificate is signed by nobody whom this client trusts: give "
    'verify=ssl.create_default_context(cafile="chain.pem") with the certificate of who signed it'
)
_NO_TLS = "what listens there speaks no TLS: check the port, or call it with http://"
_NO_VERSION = "it speaks no version of TLS that this client takes: renew its software"
_BY_REASON: Mapping[str, str] = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "UNSUPPORTED_PROTOCOL": _NO_VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NO_VERSION,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _NO_VERSION,
}


def advice(error: BaseException) -> str:
    """What to do about an error that comes again however often one asks.

    Empty where it is no such error: then another attempt may help.
    """
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _BY_CODE.get(cause.verify_code, _UNKNOWN)
        if isinstance(cause, ssl.SSLError):
            return _BY_REASON.get(cause.reason or "", "")
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and those it came from."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
