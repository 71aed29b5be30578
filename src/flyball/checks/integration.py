"""Integration: a real inference server on the candidate answers its API rightly."""

from __future__ import annotations

from typing import ClassVar

from flyball.domain.validation import CheckResult, Verdict
from flyball.ports import CheckContext


class ServesItsApi:
    """Everything the application tries on a server that serves only the candidate must hold."""

    name: ClassVar[str] = "integration"

    def run(self, context: CheckContext) -> CheckResult:
        """Judge.

        Raises:
            DeploymentError: the server did not become ready.
        """
        with context.target.candidate(context.candidate) as url:
            tried = [
                {"tried": what, "held": held, "detail": detail}
                for what, held, detail in context.application.exercise(url)
            ]
        broken = [item for item in tried if not item["held"]]
        if not tried:
            verdict, recommendation = (
                Verdict.INCONCLUSIVE,
                f"let {context.application.name} exercise its API: nothing was tried",
            )
        elif broken:
            verdict, recommendation = (
                Verdict.FAIL,
                f"fix {broken[0]['tried']} before this version may serve",
            )
        else:
            verdict, recommendation = Verdict.PASS, ""
        shown = "; ".join(f"{item['tried']}: {item['detail']}" for item in broken[:3])
        return CheckResult(
            check=self.name,
            verdict=verdict,
            summary=(
                f"{len(tried) - len(broken)} of {len(tried)} calls to a real server succeeded"
                + (f"; {shown}" if shown else "")
            ),
            recommendation=recommendation,
            details={"calls": tried},
        )
