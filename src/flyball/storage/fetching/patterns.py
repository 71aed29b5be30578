"""Names with wildcards, and what is never meant by them: one rule for folders and for S3."""

from __future__ import annotations

import re
from collections.abc import Callable

from flyball.errors import InvalidRequest

MARKERS = frozenset({"_SUCCESS"})
"""Files that systems leave beside the data they wrote."""

_WILD = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"(?:(?<=/)|^)\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]")


def is_pattern(name: str) -> bool:
    """Whether a name has wildcards: ``*``, ``?``, ``[...]`` or ``**``."""
    return _WILD.search(name) is not None


def literal_prefix(name: str) -> str:
    """What every name that fits begins with."""
    found = _WILD.search(name)
    return name if found is None else name[: found.start()]


def matcher(pattern: str) -> Callable[[str], bool]:
    """Tells whether a name with ``/`` fits: ``*`` stays within a folder, ``**`` does not.

    Hidden names and markers fit only where the pattern spells their beginning out.

    Raises:
        InvalidRequest: a range in brackets runs backwards.
    """
    parts, at = [], 0
    for token in _TOKEN.finditer(pattern):
        parts.append(re.escape(pattern[at : token.start()]))
        parts.append(_regex(token[0]))
        at = token.end()
    parts.append(re.escape(pattern[at:]))
    try:
        fits = re.compile("".join(parts), re.DOTALL)
    except re.error as error:
        raise InvalidRequest(f"the pattern {pattern!r} cannot be read: {error}") from error
    given = literal_prefix(pattern)
    begun = "x" if given and not given.endswith("/") else ""

    def matches(name: str) -> bool:
        if fits.fullmatch(name) is None:
            return False
        return not passed_over(begun + name[len(given) :])

    return matches


def passed_over(name: str) -> bool:
    """Whether a file below a folder is not data: hidden, in a hidden folder, or a marker."""
    parts = name.split("/")
    return any(part.startswith(".") for part in parts) or parts[-1] in MARKERS


_REGEX = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _regex(wild: str) -> str:
    """One wildcard as a regular expression."""
    if wild in _REGEX:
        return _REGEX[wild]
    negated = wild.startswith("[!")
    inner = re.sub(r"([\\^\[\]])", r"\\\1", wild[2 if negated else 1 : -1])
    return f"(?!/)[{'^' if negated else ''}{inner}]"
