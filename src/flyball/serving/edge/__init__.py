"""What stands between the socket and an endpoint: names, load, callers, limits, errors, packing."""
