"""The verbs of ``flyball drill``: rehearsed faults on the live system, with measured outcomes."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.configuration import KEY
from flyball.domain.notices import Notice, Urgency
from flyball.errors import ConfigurationError, FlyballError, InvalidRequest

if TYPE_CHECKING:
    from flyball.steps.drill import Drill
    from flyball.wiring import Platform

ASK_WITHIN_S = 1.0
ROUNDS = 3
"""How often as many connections as there are workers are made, to get to all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Whether one notifier took the test notice; ``problem`` is empty where it did."""

    notifier: str
    whom: str
    problem: str


class Drills:
    """What can be rehearsed on one installation.

    Args:
        platform: the installation.
        actor: who rehearses, for the ledger.
    """

    def __init__(self, platform: Platform, actor: str) -> None:
        self._platform, self._actor = platform, actor

    def rollback(self, model: str, *, within_s: float = 1.0) -> Drill:
        """Rehearse a rollback there and back, on live traffic, and record what was measured.

        Args:
            within_s: how long it may take until the last worker has acknowledged a switch.

        Raises:
            DeploymentError: it cannot be rehearsed now, or something real cut it short.
            InvalidRequest: ``within_s`` is not above 0.
        """
        from flyball.loop.tasks import desk
        from flyball.steps.drill import rehearse

        if not within_s > 0:
            raise InvalidRequest(f"{within_s:g} s is no time for a switch; give more than 0")
        pause = threading.Event()

        def asked(url: str, workers: Collection[str]) -> Mapping[str, str]:
            return serving(url, model, workers, self._platform.settings.server.tls_certificate)

        return rehearse(
            desk(self._platform, model, self._actor),
            model,
            within_s=within_s,
            asked=asked,
            wait=pause.wait,
        )

    def notify(self) -> list[Noticed]:
        """Send a test notice to everybody who is told of rollbacks.

        Raises:
            ConfigurationError: nobody is, or the settings are wrong.
        """
        now = self._platform.clock.now()
        notifiers = self._platform.notifiers
        if not notifiers:
            raise ConfigurationError(
                "nobody is told of anything: set notify.webhook, or notify.smtp, notify.mail_from "
                "and notify.mail_to, in flyball.toml"
            )
        notice = Notice(
            id=f"drill {now.isoformat()}",
            at=now,
            model=", ".join(sorted(self._platform.settings.models)),
            title="This is a test: notices of Flyball arrive here",
            text=f"Nothing has happened. {self._actor} called `flyball drill notify`.",
            urgency=Urgency.INFO,
        )
        found = []
        for one in notifiers:
            problem = ""
            try:
                one.tell(notice)
            except FlyballError as error:
                problem = str(error)
            found.append(Noticed(notifier=one.name, whom=one.whom, problem=problem))
        return found


def serving(
    url: str, model: str, workers: Collection[str], certificate: str = ""
) -> Mapping[str, str]:
    """The version that each worker at a URL says it serves; one that is never reached is left out.

    The kernel gives each connection to some worker, so that several are made at once, again until
    all were reached.

    Args:
        certificate: file of the one that the server must show, if it is HTTPS.
    """
    from concurrent.futures import ThreadPoolExecutor

    found: dict[str, str] = {}
    with ThreadPoolExecutor(min(16, max(1, len(workers)))) as pool:
        for _ in range(ROUNDS):
            asked = [pool.submit(_health, url, model, certificate) for _ in workers]
            found |= dict(answer for each in asked if (answer := each.result()) is not None)
            if set(workers) <= set(found):
                break
    return {worker: version for worker, version in found.items() if worker in workers}


def _health(url: str, model: str, certificate: str) -> tuple[str, str] | None:
    """(worker, version) by a health page; None where it does not answer with one."""
    import httpx

    from flyball.serving.tls import pinned

    verify = pinned(Path(certificate)) if certificate else True
    key = os.environ.get(KEY)
    try:
        answer = httpx.get(
            f"{url}/health",
            headers={"X-API-Key": key} if key else {},
            timeout=ASK_WITHIN_S,
            verify=verify,
            trust_env=False,
        )
        page = answer.raise_for_status().json()
        return str(page["worker"]), str(page["models"][model]["serving"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
