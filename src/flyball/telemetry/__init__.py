"""What Flyball says of itself: logs, metrics and windows of traffic."""
