"""Local files as a stream of typed rows, in bounded memory.

``packed`` gives a file's bytes, whatever gzip, zstd or zip made of them; ``kinds`` says what they
are; ``delimited``, ``jsonl`` and ``columnar`` divide them into blocks of cells; ``cells`` makes the
cells fit a schema. None of them holds more than a few blocks at once.
"""
