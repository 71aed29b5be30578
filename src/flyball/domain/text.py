"""Text made comparable."""

from __future__ import annotations

import re
import unicodedata

_TRADE_MARKS = re.compile("[™℠]")  # NFKD would spell them out as "TM" and "SM"
_NOT_ALPHANUMERIC = re.compile(r"[^0-9a-z]+")


def slug(text: str) -> str:
    """Lower case, ASCII, words joined by "-"; "Ratchet & Clank" gives "ratchet-and-clank".

    Equal for texts that differ in case, accents or punctuation only; empty where nothing is left
    (only emoji, only Chinese).
    """
    decomposed = unicodedata.normalize("NFKD", _TRADE_MARKS.sub("", text))
    ascii_only = decomposed.encode("ascii", "ignore").decode("ascii").casefold()
    spelled = ascii_only.replace("+", "plus").replace("&", "and")
    return _NOT_ALPHANUMERIC.sub("-", spelled).strip("-")


def folded(text: str) -> str:
    """The text without case and accents, for comparing; letters of all scripts stay."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).strip()


def many(count: int, what: str, plural: str = "") -> str:
    """``count`` things: "1 row", "2,000 rows", "2 batches"; ``plural`` where it is another."""
    several = plural or what + ("es" if what.endswith("ch") else "s")
    return f"{count:,} {what if count == 1 else several}"
