"""Where versions serve."""
