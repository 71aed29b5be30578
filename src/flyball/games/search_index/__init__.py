"""Free-text search over a catalogue: typos, accents, unfinished words, initials, numerals.

A query goes three steps. ``spelling`` makes it comparable. ``ngrams`` (letters in common),
``short_forms`` (initials), ``near_words`` (short words with a typo) and ``content`` (genres, tags,
developers) name a few hundred candidates in time that hardly grows with the catalogue. ``titles``
compares only these closely.
"""

from flyball.games.search_index.index import Match, SearchIndex

__all__ = ["Match", "SearchIndex"]
