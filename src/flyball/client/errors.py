"""Every error of the client.

::

    FlyballError
    └── ClientError             a call did not come to a good end
        ├── ApiError            the server said so, as a problem document (RFC 9457)
        │   ├── Unauthenticated 401: no credentials, or bad, expired or revoked ones
        │   ├── Forbidden       403: the credentials do not allow this
        │   ├── NotFound        404: no such game, model or version
        │   ├── InvalidRequest  422: the request cannot be read
        │   ├── TooManyRequests 429: also after further attempts
        │   ├── Unavailable     503: nothing can answer right now, also after further attempts
        │   └── DeadlinePassed  504, or no answer within the timeout of the call
        ├── Unreachable         no connection, also after further attempts; or a bad certificate
        └── UnreadableAnswer    something answered that is no Flyball server, or another version
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from flyball.errors import FlyballError

if TYPE_CHECKING:
    from flyball.client.types import Event, Problem


class ClientError(FlyballError):
    """A call did not come to a good end.

    Attributes:
        unsent: of a call of ``send``, the events of which nobody knows whether they were stored,
            with their ids: send exactly these again. Those before them were stored.
    """

    title: ClassVar[str] = "The call failed"
    unsent: Sequence[Event] = ()


class ApiError(ClientError):
    """What stands in for an answer is a problem: the server's, or of its time being over.

    Attributes:
        problem: the whole document.
        type, title, status, detail, instance: of it.
        retry_after_s: when the server wants to be asked again; None where it did not say.
    """

    def __init__(self, problem: Problem, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem
        self.type, self.detail, self.instance = problem.type, problem.detail, problem.instance
        self.retry_after_s = retry_after_s
        # of this error, not of its class: what the base tells of all its errors alike
        vars(self).update(title=problem.title, status=problem.status)


class Unauthenticated(ApiError):
    """No credentials, or bad, expired or revoked ones."""

    exit_code = 2


class Forbidden(ApiError):
    """The credentials do not allow this."""

    exit_code = 2


class NotFound(ApiError):
    """No such game, model or version."""

    exit_code = 2


class InvalidRequest(ApiError):
    """The server cannot read the request; ``detail`` says what is wrong with it."""

    exit_code = 2


class TooManyRequests(ApiError):
    """The server has more to do than it can, or this caller asks more than they may."""


class Unavailable(ApiError):
    """Nothing can answer or store right now."""


class DeadlinePassed(ApiError):
    """No answer came within the timeout of the call; the server or the client's clock says so."""


class Unreachable(ClientError):
    """There is no connection to the server, or none that is safe: its certificate is not good."""

    status = 503
    title = "The server cannot be reached"


class UnreadableAnswer(ClientError):
    """What answered is no Flyball server, or one of a version that does not fit."""

    status = 502
    title = "The answer cannot be read"


BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    422: InvalidRequest,
    429: TooManyRequests,
    503: Unavailable,
    504: DeadlinePassed,
}
