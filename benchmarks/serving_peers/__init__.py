"""Servers made for models, each with the same scoring function.

``python -m benchmarks.serving_peers`` installs, runs and measures them. A module ``on_<name>`` is
what a user of that server would write, after its own guide. They run in environments of their own
and import nothing of Flyball but ``benchmarks.serving.scoring``.
"""
