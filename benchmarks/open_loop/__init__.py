"""A load generator with an open loop: it asks when a request is due, not when a server is free.

A closed loop (wrk) waits for each answer before it asks again. While a server stands still it asks
nothing, so a pause of a second counts as one slow answer instead of a thousand: coordinated
omission (Gil Tene, "How not to measure latency", 2013). Here requests are due at even intervals,
and an answer's latency runs from the moment its request was due, whether or not it could be sent.

``python -m benchmarks.open_loop`` is the generator, in a process of its own; ``load`` starts it.
"""
