"""Validation checks of recommenders of games. Each comes in by its entry point."""
