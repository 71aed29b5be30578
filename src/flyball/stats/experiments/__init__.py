"""Statistics of experiments on users: A/B tests, interleaving, evidence from logs."""
