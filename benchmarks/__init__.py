"""The numbers that the README and the issues ask for, measured here and now.

``python -m benchmarks`` runs all of them; each module also runs alone. A benchmark prints a table
of what was asked for beside what was measured, and ends with 1 where something falls short.
"""
