"""For those who build on Flyball, and for its own tests.

- ``flyball.testing.builders``: a value of each kind in one call, with any field overridden.
- ``flyball.testing.fakes``: small stand-ins at the edges (clock, records, target).
- ``flyball.testing.records``, ``flyball.testing.events``: the contract of each port as a pytest
  class. Inherit it and give the fixture it names; an implementation that passes may be used.

Nothing in the running product imports this package.
"""
