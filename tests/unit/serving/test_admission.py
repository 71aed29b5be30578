"""How many requests a worker lets wait; those who come back at once do not shut out all."""

from __future__ import annotations

from flyball.errors import TooManyRequests
from flyball.serving.edge.admission import Admission


def answered(admission: Admission, path: str = "/v1/recommendations") -> bool:
    """Whether a request gets an answer; then it waits no more."""
    try:
        admission.begin(path)
    except TooManyRequests:
        return False
    finally:
        admission.end()
    return True


def test_callers_who_come_back_at_once_do_not_shut_out_everybody():
    """With 500 of them, 32 are answered after each 371 that are refused."""
    admission = Admission(most_waiting=128)
    admission.requests = range(500)  # whoever was refused waits again
    outcomes = [answered(admission) for _ in range(5_000)]
    assert sum(outcomes[: 371 + 32]) == 32
    assert 350 < sum(outcomes) < 450
    assert admission.refused == outcomes.count(False)


def test_no_more_are_refused_than_are_too_many():
    admission = Admission(most_waiting=10)
    outcomes = []
    for waiting in range(40, 0, -1):  # nobody comes back
        admission.requests = range(waiting)
        outcomes.append(answered(admission))
    assert outcomes == [False] * 29 + [True] * 11


def test_a_crowd_that_left_leaves_nothing_behind():
    """Of the many that were to be refused some went away: the next callers don't pay for that."""
    admission = Admission(most_waiting=10)
    admission.requests = range(1_000)
    assert not answered(admission)
    admission.requests = range(13)
    assert [answered(admission) for _ in range(4)] == [False, False, True, True]
    admission.requests = range(5)
    assert all(answered(admission) for _ in range(100))


def test_probes_are_answered_whatever_waits():
    admission = Admission(most_waiting=1)
    admission.requests = range(1_000)
    for _ in range(100):
        answered(admission, "/v1/search")
        assert answered(admission, "/health/live")
        assert answered(admission, "/health/ready")
