"""Tests that stay valid however often one looks, and the judge of a rollout that is made of them.

Evidence is counted in natural logarithms of e-values: a non-negative process that is 1 on average
or less while nothing is wrong reaches 1 / alpha with a probability of at most alpha, ever (Ville,
1939; Ramdas, Gruenwald, Vovk and Shafer, "Game-theoretic statistics and safe anytime-valid
inference", Statistical Science 38, 2023). So looking every second costs nothing, and stopping at
any moment is fair. Import the module you need.
"""
