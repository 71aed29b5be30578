"""Parts of ``benchmarks.rollouts``: made streams, the judge on them, and other judges beside it."""
