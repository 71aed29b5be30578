"""Every error Flyball raises on purpose.

::

    FlyballError
    ├── ConfigurationError      the call or the configuration is wrong
    │   ├── InvalidRequest      a request, argument or cursor cannot be read
    │   └── NotFound            no such model, version, batch, run, deployment
    ├── AccessError             the caller may not do this
    │   ├── Unauthenticated     nobody knows who the caller is
    │   └── Forbidden           the caller is known, and is not allowed
    ├── TooManyRequests         more than is served now; try again later
    ├── DeadlinePassed          the caller's time for an answer is over
    ├── DataQualityError        the data was read and refused
    │   ├── BatchConflict       a batch id was used before for other content
    │   └── SchemaChanged       the declared schema breaks with the data's
    ├── TrainingError           a fit or a search could not produce a model
    ├── ValidationError         a candidate could not be validated
    ├── DeploymentError         a rollout or rollback could not be carried out
    ├── IllegalTransition       the lifecycle does not allow this move
    ├── StaleWrite              somebody else changed the record first
    ├── ArtifactCorrupt         stored bytes are not what was recorded
    ├── LedgerBroken            the ledger's chain does not hold
    ├── EvidenceBroken          a version's signed evidence does not hold
    └── EnvironmentFailed       disk, database, port, network or permission
        ├── AlreadyRunning      another control process holds this home
        └── StorageUnavailable  the database or the disk cannot be used

Each message says what happened, to which object, and what to do next.
``exit_code`` is what the command line answers with (CONTRACT: 1 the answer is no, 2 the call or
configuration is wrong, 3 the environment failed); ``status`` is what the HTTP APIs answer with.
"""

from __future__ import annotations

from typing import ClassVar


class FlyballError(Exception):
    """The root: catching it catches everything Flyball raises on purpose."""

    exit_code: ClassVar[int] = 3
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Flyball could not do this"


class ConfigurationError(FlyballError):
    """The call or the configuration is wrong; nothing was done."""

    exit_code = 2
    status = 400
    title = "The configuration or the call is wrong"


class InvalidRequest(ConfigurationError, ValueError):
    """A request, an argument or a cursor cannot be read."""

    status = 422
    title = "The request cannot be read"


class NotFound(ConfigurationError, LookupError):
    """No such model, version, batch, run or deployment."""

    status = 404
    title = "Not found"


class AccessError(FlyballError):
    """The caller may not do this; nothing was done.

    Args:
        reason: a word for metrics and the audit log; the message does not tell a guesser as much.
        subject: who it was, where that is known.
    """

    exit_code = 2
    status = 403
    title = "Not allowed"

    def __init__(self, message: str, *, reason: str = "", subject: str = "nobody") -> None:
        super().__init__(message)
        self.reason, self.subject = reason, subject


class Unauthenticated(AccessError):
    """Nobody knows who the caller is: no credentials, or bad, expired or revoked ones."""

    status = 401
    title = "Credentials are needed"


class Forbidden(AccessError):
    """The caller is known, and is not allowed to do this."""


class TooManyRequests(FlyballError):
    """More requests than are served now, of this caller or of all; try again later.

    Args:
        retry_after_s: when.
        reason: a word for metrics, where a caller's own limit was reached; else empty.
        subject: who it was, where that is known.
    """

    exit_code = 3
    status = 429
    title = "Too many requests"

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float = 1.0,
        reason: str = "",
        subject: str = "nobody",
    ) -> None:
        super().__init__(message)
        self.retry_after_s, self.reason, self.subject = retry_after_s, reason, subject


class DeadlinePassed(FlyballError):
    """The time in which the caller wanted an answer is over."""

    exit_code = 3
    status = 504
    title = "The deadline has passed"


class DataQualityError(FlyballError):
    """The data was read and refused; nothing of it was stored."""

    exit_code = 1
    status = 422
    title = "The data was rejected"


class BatchConflict(DataQualityError):
    """A batch id was used before for other content; the first content stays."""

    status = 409
    title = "The batch id is taken"


class SchemaChanged(DataQualityError):
    """The declared schema breaks with the one the data was stored under; shows the difference."""

    status = 409
    title = "The schema changed"


class TrainingError(FlyballError):
    """A fit or a search could not produce a model."""

    exit_code = 1
    title = "Training failed"


class ValidationError(FlyballError):
    """A candidate could not be validated (which is not the same as failing)."""

    exit_code = 3
    title = "Validation could not be carried out"


class DeploymentError(FlyballError):
    """A rollout or a rollback could not be carried out; the old version goes on serving."""

    exit_code = 1
    status = 409
    title = "The deployment failed"


class IllegalTransition(FlyballError):
    """The lifecycle does not allow this move from here."""

    exit_code = 2
    status = 409
    title = "This move is not allowed"


class StaleWrite(FlyballError):
    """Somebody else changed the record first; reload it and try again."""

    exit_code = 1
    status = 409
    title = "The record was changed in the meantime"


class ArtifactCorrupt(FlyballError):
    """Stored bytes are not what was recorded; they were not used."""

    title = "A stored artifact is damaged"


class LedgerBroken(FlyballError):
    """The ledger's chain does not hold: a row was changed, removed or reordered."""

    exit_code = 1
    title = "The ledger does not verify"


class EvidenceBroken(FlyballError):
    """A version's signed evidence does not hold: names the first part that does not."""

    exit_code = 1
    status = 409
    title = "The evidence does not hold"


class EnvironmentFailed(FlyballError):
    """Disk, database, port, network or permission: the surroundings failed."""

    status = 503
    title = "The environment failed"


class AlreadyRunning(EnvironmentFailed):
    """Another control process holds this home; the message says which."""

    status = 409
    title = "Flyball is already running on this home"


class StorageUnavailable(EnvironmentFailed):
    """The database or the disk cannot be used right now."""

    title = "The storage cannot be used"
