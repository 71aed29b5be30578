"""Validation checks that suit any application. Each comes in by its entry point."""
