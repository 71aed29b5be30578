"""The verbs of ``flyball data``: one file a topic."""
