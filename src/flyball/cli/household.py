"""What ``flyball up`` keeps alive: which processes, and what must hold before they start."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.configuration import KEY
from flyball.domain.routing import Route
from flyball.errors import AlreadyRunning, ConfigurationError

if TYPE_CHECKING:
    from flyball.executors.supervisor import Child
    from flyball.verbs import Flyball

SAMPLE = "games"
"""The model of the built-in sample."""

SEED = 7
RATE = 4.0
"""Sessions of players a second: enough to look at, and hardly felt."""

CONTROL_WAITS_S = 3.0
"""Seconds in which workers may start alone: answers first, then what looks after them."""

HANGS_AFTER_S = 30.0
"""Seconds in which a worker's event loop must have come round; it does ten times a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """Everything that one ``flyball up`` runs.

    Attributes:
        home: the installation, an absolute path.
        api, console: where people reach them.
        console_port: where the control process listens.
        socket_fd: the API's listening socket, inherited by every worker.
        workers: how many serving processes.
        sample: whether the sample's first turn is still to be asked for.
        sampled: whether this is the sample's household.
        players: whether simulated players use the API.
        locked: whether the API asks for credentials that this process does not have.
        log_level: the least severe line that workers and players log.
        certificate: file of the API's certificate; empty where it speaks plain HTTP.
    """

    home: Path
    api: str
    console: str
    console_port: int
    socket_fd: int
    workers: int
    sample: bool
    sampled: bool
    players: bool
    log_level: str
    locked: bool = False
    certificate: str = ""

    def children(self) -> list[Child]:
        """The processes to keep alive."""
        from flyball.executors.supervisor import Child
        from flyball.serving.memory import RECYCLED

        python, home = (sys.executable, "-m"), ("--home", str(self.home))
        fd, logs = self.socket_fd, ("--log-level", self.log_level)
        port = ("--port", str(self.console_port))
        control = [*python, "flyball.console", *home, *port]
        found = [Child(name="control", argv=control, waits_s=CONTROL_WAITS_S)]
        found += [
            Child(
                name=f"worker-{number}",
                argv=[*python, "flyball.serving", *home, "--fd", str(fd), *logs],
                pass_fds=(fd,),
                hangs_after_s=HANGS_AFTER_S,
                again_at_once=(RECYCLED,),
            )
            for number in range(1, self.workers + 1)
        ]
        if self.players:
            argv = [*python, "flyball.cli.players", "--url", self.api, *logs]
            argv += ["--seed", str(SEED), "--rate", str(RATE)]
            found.append(Child(name="players", argv=argv))
        return found


def check(flyball: Flyball, *, sample: bool, players: bool = False) -> None:
    """Whether the household may start here.

    Args:
        sample: whether it is the sample's.
        players: whether simulated players will use the API.

    Raises:
        AlreadyRunning: the home is held; says by whom.
        ConfigurationError: there is no model for the sample, the certificate cannot be used, or
            anybody could call, or nobody.
        StorageUnavailable: the home cannot be written.
    """
    from flyball.loop.lock import holder
    from flyball.serving.tls import certificate_of
    from flyball.storage.files import made

    if certificate_of(flyball.settings.server) is not None and players:
        raise ConfigurationError(
            "the simulated players speak plain HTTP only; add --no-simulate, or leave "
            "server.tls_certificate out"
        )
    home = flyball.platform.home
    who = holder(home)
    if who is not None:
        raise AlreadyRunning(
            f"{home} is held by {who}; wait until it is done, stop it, or choose another --home"
        )
    made(home)
    configured = flyball.settings.models.get(SAMPLE)
    if sample and (configured is None or configured.application != SAMPLE):
        raise ConfigurationError(
            f"--sample needs a model called {SAMPLE!r} of the application {SAMPLE!r}; add "
            f"[models.{SAMPLE}] to flyball.toml, or leave --sample out"
        )
    _check_access(flyball, players=players)


def asks_for_credentials(flyball: Flyball) -> bool:
    """Whether callers of the API need credentials.

    Raises:
        ConfigurationError: they would not, and other machines could call.
    """
    from flyball.access import posture
    from flyball.serving.edge.rebinding import is_loopback

    host, setting = flyball.settings.server.host, flyball.settings.access.required
    return posture.required(setting, host=host, loopback=is_loopback(host))


def is_locked(flyball: Flyball) -> bool:
    """Whether they do, and this process has none."""
    return asks_for_credentials(flyball) and not os.environ.get(KEY)


def _check_access(flyball: Flyball, *, players: bool) -> None:
    """Refuse to listen where anybody could call, or nobody."""
    from flyball.access import posture

    if not asks_for_credentials(flyball):
        return
    posture.check_anybody(flyball.platform.records)
    if limits := flyball.settings.access.limits:
        from flyball.access.shared import Shared

        Shared(limits)  # here, and not in each worker again and again
    if players and is_locked(flyball):
        raise ConfigurationError(
            "callers need credentials here, and the simulated players have none; set the variable "
            f"{KEY} to an API key with the scopes read and events, or add --no-simulate"
        )


def needs_sample(flyball: Flyball) -> bool:
    """Whether the sample's model has no version yet."""
    return not flyball.versions(SAMPLE)


def prepare(flyball: Flyball) -> None:
    """Make the tables once, before many processes want them; begin to count metrics anew.

    Raises:
        StorageUnavailable: the database cannot be used.
    """
    from flyball.telemetry import metrics

    flyball.platform.records.find(Route, limit=1)
    directory = flyball.platform.home / "run" / "metrics"
    metrics.share(directory)
    metrics.forget(directory)
