"""The inference server: workers, their slots, and the HTTP edge."""
