"""Titles and queries in one comparable spelling, for searching."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LONGEST = 200
"""Characters of a title or a query that count; what follows is not looked at."""

_SPELLED_OUT = {"&": " and ", "+": " plus ", "æ": "ae", "œ": "oe"}
_DROPPED = frozenset("'’‘`´.®©™℠ـ")
_PLAIN = dict(zip("øłđħŧı", "oldhti", strict=True))
_MARKS = (
    (0x0300, 0x036F),  # accents of Latin, Greek and Cyrillic
    (0x0483, 0x0489),
    (0x0591, 0x05C7),  # Hebrew points
    (0x0610, 0x061A),
    (0x064B, 0x065F),  # Arabic vowels and hamza
    (0x0670, 0x0670),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F),  # how an emoji is drawn
)
"""Marks that people leave out. Those of Indic scripts are letters, and stay."""

_DROP, _SPACE, _NEWLINE = 0, 32, 10
_Codes = NDArray[np.uint32]


def searchable(texts: Sequence[str]) -> list[str]:
    """Each text in lower case, without accents and punctuation; words parted by one space.

    Letters of all scripts, digits and emoji stay; apostrophes and dots go without a trace
    ("S.T.A.L.K.E.R." gives "stalker"), "&" becomes "and", numbers stand alone ("gta5" gives
    "gta 5"). A text of nothing but punctuation keeps it; a blank one gives "".
    At most ``LONGEST`` characters each are read and given. All texts are worked on as one.
    """
    if not texts:
        return []
    short = [text if len(text) <= LONGEST else text[:LONGEST] for text in texts]
    joined = "\n".join(short)
    if joined.count("\n") != len(short) - 1:
        short = [text.replace("\n", " ") for text in short]
        joined = "\n".join(short)
    lines = _plain(joined).split("\n")
    if all(lines) and max(map(len, lines)) <= LONGEST:
        return lines
    return [
        line if 0 < len(line) <= LONGEST else _unusual(line, text)
        for line, text in zip(lines, short, strict=True)
    ]


def codes_of(text: str) -> _Codes:
    """The code point of each character; also of lone surrogates, which broken JSON may hold."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _plain(text: str) -> str:
    for mark in "™℠":  # NFKD would spell them out
        text = text.replace(mark, "")
    text = unicodedata.normalize("NFKD", text.casefold())
    for sign, spelled in _SPELLED_OUT.items():
        text = text.replace(sign, spelled)
    codes = _single_spaced(_numbers_apart(_mapped(codes_of(text))))
    return codes.astype("<u4").tobytes().decode("utf-32-le")


def _mapped(codes: _Codes) -> _Codes:
    """Each character as ``_becomes`` says, those dropped left out."""
    if not codes.size:
        return codes
    present = np.zeros(int(codes.max()) + 1, dtype=np.bool_)
    present[codes] = True
    distinct = np.flatnonzero(present)
    table = np.empty(present.size, dtype=np.uint32)
    table[distinct] = [_becomes(chr(code)) for code in distinct.tolist()]
    mapped: _Codes = table[codes]
    kept: _Codes = mapped[mapped != _DROP]
    return kept


def _becomes(character: str) -> int:
    code, category = ord(character), unicodedata.category(character)
    if code == _NEWLINE:
        return code
    if character in _DROPPED or category == "Cf" or any(a <= code <= b for a, b in _MARKS):
        return _DROP
    if category[0] in "ZP" or category in {"Cc", "Cs", "Sm", "Sc", "Sk"}:
        return _SPACE
    if category == "Nd":
        return ord(str(unicodedata.decimal(character)))
    lower = character.lower()  # NFKD turns "ℌ" into a capital
    return ord(_PLAIN.get(lower, lower)) if len(lower) == 1 else code


def _numbers_apart(codes: _Codes) -> _Codes:
    digit = (codes >= ord("0")) & (codes <= ord("9"))
    letter = ~digit & (codes != _SPACE) & (codes != _NEWLINE)
    meet = (digit[:-1] & letter[1:]) | (letter[:-1] & digit[1:])
    return np.insert(codes, np.flatnonzero(meet) + 1, _SPACE)


def _single_spaced(codes: _Codes) -> _Codes:
    """No space beside another space or at either end of a line."""
    bounded = np.concatenate([[_NEWLINE], codes, [_NEWLINE]]).astype(np.uint32)
    after = bounded[1:]
    last = (bounded[:-1] == _SPACE) & ((after == _SPACE) | (after == _NEWLINE))
    kept = np.concatenate([bounded[:-1][~last], bounded[-1:]])
    leads = (kept[1:] == _SPACE) & (kept[:-1] == _NEWLINE)
    spaced: _Codes = kept[1:][~leads]
    return spaced[:-1]


def _unusual(line: str, text: str) -> str:
    """A line too long, or with nothing left: then what it is made of is all there is."""
    return (line[:LONGEST] or "".join(text.casefold().split())[:LONGEST]).strip()
