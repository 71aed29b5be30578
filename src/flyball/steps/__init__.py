"""One verb a file: what the loop does. Effects happen only through the ports."""
