"""Who is let in: keys, tokens, passwords, limits and the log of refusals."""
