"""What somebody may have meant: the known names nearest to a wrong one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from flyball.errors import NotFound


def nearest(name: str, known: Sequence[str], *, count: int = 3) -> tuple[str, ...]:
    """Up to ``count`` known names that look like ``name``, the likest first."""
    return tuple(difflib.get_close_matches(name, known, n=count, cutoff=0.5))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"``, to end a message about a wrong name; empty where none is near."""
    near = nearest(name, list(known), count=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def not_found(kind: type, id: str, known: Sequence[str]) -> NotFound:
    """The error for a record that is not there: names its kind, its id and the nearest ids.

    Args:
        kind: the record's class; ``ModelVersion`` reads "model version".
        known: the ids there are, the first written first; none may be like ``id``.
    """
    noun = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()
    near = nearest(id, known)
    if near:
        hint = f"nearest: {', '.join(near)}"
    elif known:
        hint = f"the last one written: {known[-1]}"
    else:
        hint = "there is none at all yet"
    return NotFound(f"there is no {noun} {id!r}; {hint}")
