"""The doctor's checks of who is let in: access, the key of tokens, shared limits, TLS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from joserfc.errors import JoseError

from flyball.access import keys, posture, shared, tokens
from flyball.doctor.finding import Finding, fail, ok, warn
from flyball.domain.access import ApiKey, Principal, SigningKey
from flyball.domain.text import many
from flyball.errors import ConfigurationError
from flyball.ports import Records
from flyball.serving.edge.rebinding import is_loopback
from flyball.serving.tls import certificate_of
from flyball.settings import Server, Settings

SOON = timedelta(days=14)
"""A certificate that ends within this should be renewed now."""

_PEOPLE = ("client or account", "clients and accounts")
_REFUSES = "`flyball up` refuses to start until that is corrected"
_RENEW = "replace its files; a running server takes the new ones by itself"
_MAKE = "flyball access key create NAME --scope read --scope events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Who can get in now, and who once could.

    Attributes:
        keys, principals: usable API keys; clients and accounts that are not disabled.
        ended: keys, clients and accounts that are not.
        signing: keys that sign tokens, the newest last.
    """

    keys: int = 0
    principals: int = 0
    ended: int = 0
    signing: tuple[SigningKey, ...] = ()


def known(records: Records, now: datetime) -> Known:
    """Who can get in.

    Raises:
        FlyballError: the records cannot be read, or one of them is damaged.
    """
    every, people = records.find(ApiKey), records.find(Principal)
    usable = sum(keys.usable(key, now) for key in every)
    active = sum(one.disabled_at is None for one in people)
    signing = (key for key in records.find(SigningKey) if tokens.good(key, now))
    return Known(
        keys=usable,
        principals=active,
        ended=len(every) + len(people) - usable - active,
        signing=tuple(sorted(signing, key=lambda key: (key.created_at, key.id))),
    )


def access(settings: Settings, who: Known | None) -> Finding:
    """Whether callers are asked who they are, and whether there is anybody to be.

    Args:
        who: None where the database could not be asked.
    """
    host = settings.server.host
    try:
        asked = posture.required(settings.access.required, host=host, loopback=is_loopback(host))
    except ConfigurationError as error:
        return fail("access", str(error), _REFUSES)
    if not asked:
        return ok("access", f"nobody is asked for credentials: only this machine reaches {host}")
    if who is None:
        advice = "repair the database first"
        return warn("access", f"{host} asks for credentials; who has any is not known", advice)
    has = f"{many(who.keys, 'usable key')}, {many(who.principals, *_PEOPLE)}"
    if who.keys or who.principals:
        return ok("access", f"{host} asks for credentials: {has}")
    ended = f"; {who.ended} have ended or are disabled" if who.ended else ""
    return fail(
        "access",
        f"{host} asks for credentials, and nobody has any{ended}",
        f"make a key with `{_MAKE}`",
    )


def signing_key(who: Known) -> Finding:
    """Whether access tokens can be signed, where somebody could get one."""
    name = "signing key"
    if who.signing:
        newest = who.signing[-1]
        try:
            tokens.Tokens(who.signing, issuer="doctor", audience="doctor")
        except (ValueError, TypeError, JoseError) as error:
            advice = "`flyball access rotate-signing-key --at-once` makes another"
            return fail(name, f"{newest.id} cannot be read: {error}", advice)
        return ok(name, f"{newest.id}, made on {newest.created_at:%Y-%m-%d}")
    if who.principals:
        said = f"none, and {many(who.principals, *_PEOPLE)} may want tokens"
        return fail(name, said, "`flyball access rotate-signing-key` makes one")
    return ok(name, "none yet: it is made with the first client or account")


def limits(settings: Settings) -> Finding:
    """Whether the Redis of ``access.limits`` answers."""
    name, url = "limits", settings.access.limits
    if not url:
        return ok(name, "each worker counts by itself (no access.limits)")
    try:
        away = shared.trouble(url)
    except ConfigurationError as error:
        return fail(name, str(error), _REFUSES)
    where = f"Redis at {shared.host_of(url)}"
    if away:
        advice = "until it answers each worker counts by itself; start it, or correct access.limits"
        return warn(name, f"{where}: {away}", advice)
    return ok(name, f"{where} answers")


def certificate(server: Server, now: datetime) -> Finding:
    """Whether the certificate can be used, and for how long."""
    name = "TLS certificate"
    try:
        if certificate_of(server) is None:
            return ok(name, f"none{_beware(server.host)}")
        ends = [*_ends(Path(server.tls_certificate))]
    except ConfigurationError as error:
        return fail(name, str(error), _REFUSES)
    began, ended = max(start for start, _ in ends), min(end for _, end in ends)
    path = server.tls_certificate
    if ended <= now:
        return fail(name, f"{path} expired on {_day(ended)}", _RENEW)
    if began > now:
        return fail(name, f"{path} is good from {_day(began)} on only", "check it, and the clock")
    if ended - now <= SOON:
        return warn(name, f"{path} expires on {_day(ended)}", _RENEW)
    return ok(name, f"{path}, until {_day(ended)}")


def _ends(chain: Path) -> Iterator[tuple[datetime, datetime]]:
    """From and until when each certificate of a chain is good, UTC."""
    from cryptography import x509

    try:
        for each in x509.load_pem_x509_certificates(chain.read_bytes()):
            yield each.not_valid_before_utc, each.not_valid_after_utc
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the TLS certificate {chain} cannot be read: {error}") from error


def _beware(host: str) -> str:
    if is_loopback(host):
        return ": plain HTTP, on this machine only"
    return f": plain HTTP on {host}; a proxy with TLS must stand before it"


def _day(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
