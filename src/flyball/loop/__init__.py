"""The durable workflows: the pipeline (finite) and the controller (a tick)."""
