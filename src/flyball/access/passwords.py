"""Passwords and clients' secrets as argon2id hashes (RFC 9106), in PHC form.

Parameters: the RFC's second recommended option (64 MiB, 3 passes), on one lane instead of four.
Lanes do not change what a guess costs in memory times work, only how many cores one check takes at
once: measured here, a check costs 0.17 s of CPU with either, and with four lanes it would take all
cores from the requests that are being served.
"""

from __future__ import annotations

import re
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import (
    HashingError,
    InvalidHashError,
    VerificationError,
    VerifyMismatchError,
)

from flyball.errors import EnvironmentFailed, InvalidRequest

SHORTEST = 12
LONGEST = 1024
_FEWEST_KINDS = 5
_FEWEST_DIGITS = 8
_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)

NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=1$bm9ib2R5J3Mgc2FsdCAuLg"
    "$MJHkBOoNOQLyNs0P4rgWOVPDp4vpnIEPbdeRZ6bdMgY"
)
"""A hash of nothing that is known, by the same parameters: to check the password of no account."""

_WORDS = re.compile(
    "(?:password|passwort|passw0rd|qwerty|qwertz|asdfgh|letmein|welcome|iloveyou|changeme|change"
    "|admin|administrator|secret|default|flyball|monkey|dragon|football|login|user|test|root"
    "|the|this|is|my|me|it)+"
)
_RUNS = ("0123456789" * 3, "abcdefghijklmnopqrstuvwxyz" * 2, "qwertyuiopasdfghjklzxcvbnm" * 2)


def hashed(text: str) -> str:
    """The argon2id hash of a password, in PHC form, with a salt of its own. Takes about 0.2 s.

    Raises:
        InvalidRequest: empty, longer than ``LONGEST`` characters, or not Unicode.
        EnvironmentFailed: there is no memory for it.
    """
    if not 0 < len(text) <= LONGEST:
        raise InvalidRequest(f"a password has 1 to {LONGEST:,} characters; this one {len(text):,}")
    try:
        return _HASHER.hash(_spelled(text).encode())
    except UnicodeEncodeError:
        raise InvalidRequest("the password is not Unicode text; give it as UTF-8") from None
    except HashingError as error:
        raise _failed(error) from error


def verified(stored: str | None, text: str) -> bool:
    """Whether ``text`` is the password that was hashed. Never raises for a wrong one.

    Args:
        stored: what ``hashed`` gave. None (there is no such account) costs the same time as a
            wrong password, so that nobody learns by it which accounts there are.

    Raises:
        EnvironmentFailed: there is no memory for it, or the hash was cut off.
    """
    known = stored is not None and 0 < len(text) <= LONGEST
    asked = _spelled(text[: LONGEST + 1]).encode("utf-8", "surrogatepass")
    try:
        return _HASHER.verify(stored if stored is not None and known else NOBODY, asked) and known
    except (VerifyMismatchError, InvalidHashError):
        return False
    except VerificationError as error:
        raise _failed(error) from error


def refuse_weak(text: str, *, name: str = "") -> None:
    """Refuse a password that would be among the first to be guessed (NIST SP 800-63B, 3.1.1.2).

    Args:
        name: the account's, which must not be most of it.

    Raises:
        InvalidRequest: too short, too long, or too easy; says what to do.
    """
    if len(text) < SHORTEST:
        raise InvalidRequest(f"the password is too short; take {SHORTEST} characters or more")
    if len(text) > LONGEST:
        raise InvalidRequest(f"the password is too long; take {LONGEST:,} characters at most")
    plain = _spelled(text).casefold()
    kinds = len(set(plain))
    own = plain.replace(name.casefold(), "") if name else plain
    told, digits = re.sub(r"[\W_]+", "", plain), re.sub(r"\D+", "", own)
    words_only = _WORDS.sub("", re.sub(r"[\W\d_]+", "", own)) == ""
    few_digits = len(digits) < _FEWEST_DIGITS or _is_run(digits)
    if kinds < _FEWEST_KINDS or _is_run(told) or (words_only and few_digits):
        raise InvalidRequest(
            "the password is among the first that anybody would guess; take several words that "
            "have nothing to do with each other, or what a password manager makes"
        )


def _is_run(text: str) -> bool:
    return any(text in run or text in run[::-1] for run in _RUNS)


def _failed(error: Exception) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"a password cannot be checked: {error}; free some memory (it takes 64 MiB), or give the "
        "account another password where its hash is damaged"
    )


def _spelled(text: str) -> str:
    """One spelling for what looks alike, whatever keyboard it comes from (RFC 8265)."""
    return unicodedata.normalize("NFC", text)
