"""What signed bundles say of a version, compared with the records and files as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from flyball.domain.bundle import Bundle
from flyball.domain.canonical import canonical_json
from flyball.domain.deployment import Deployment
from flyball.domain.facts import Made, Reported, Rolled, reported
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.validation import ValidationReport
from flyball.errors import ArtifactCorrupt, EvidenceBroken, NotFound
from flyball.ports import Blobs, Records
from flyball.steps.bundles import made_of


def check_facts(
    version: ModelVersion, bundles: Sequence[Bundle], records: Records, blobs: Blobs
) -> None:
    """Run, data version, artifact, report and rollouts are what was signed.

    Raises:
        EvidenceBroken: names the first that is not.
        ArtifactCorrupt: a record cannot be read.
    """
    _made(version, bundles, records, blobs)
    _artifact(version.artifact, f"the artifact of {version.id}", blobs)
    _reports(version, bundles, records, blobs)
    _rollouts(version, bundles, records)


def _made(version: ModelVersion, bundles: Sequence[Bundle], records: Records, blobs: Blobs) -> None:
    """Version, run, data version and manifest say what was signed."""
    missing: list[str] = []
    now = made_of(records, version, blobs, missing)
    for bundle in bundles:
        _same(f"bundle {bundle.number} of {version.id}", bundle.facts.made, now, missing)


_OF = {"run_digest": "the run's record", "data_digest": "the data version's record"}


def _same(what: str, signed: Made | None, now: Made, missing: Sequence[str]) -> None:
    if signed is None:
        return
    for one in fields(Made):
        told, found = getattr(signed, one.name), getattr(now, one.name)
        if canonical_json(told) == canonical_json(found) or _unknown(told):
            continue
        name = _OF.get(one.name, one.name.replace("_", " "))
        why = f" ({missing[0]})" if missing and _unknown(found) else ""
        raise EvidenceBroken(
            f"{name} is not what {what} says: {_short(told)} was signed, the records say "
            f"{_short(found)}{why}"
        )


def _unknown(value: Any) -> bool:
    """Whether a fact could not be read: a bundle says nothing of it then."""
    return value in ("", 0, (), {})


def _artifact(digest: str, what: str, blobs: Blobs) -> None:
    try:
        blobs.get(digest, verify=True)
    except (ArtifactCorrupt, NotFound) as error:
        raise EvidenceBroken(f"{what} does not hold: {error}") from None


def _reports(
    version: ModelVersion, bundles: Sequence[Bundle], records: Records, blobs: Blobs
) -> None:
    for told in {b.facts.report.id: b.facts.report for b in bundles if b.facts.report}.values():
        try:
            now = reported(records.get(ValidationReport, told.id))
        except NotFound:
            raise EvidenceBroken(f"report {told.id} on {version.id} is gone") from None
        if canonical_json(now) != canonical_json(told):
            differs = next(f.name for f in fields(Reported) if _differs(f.name, told, now))
            raise EvidenceBroken(
                f"report {told.id} on {version.id} was changed: its {differs} is not what was "
                "signed"
            )
        if told.artifact:
            _artifact(told.artifact, f"report {told.id}", blobs)


def _differs(name: str, one: object, other: object) -> bool:
    return canonical_json(getattr(one, name)) != canonical_json(getattr(other, name))


def _rollouts(version: ModelVersion, bundles: Sequence[Bundle], records: Records) -> None:
    """Deployments go on after a bundle: what was settled when it was signed must still stand."""
    for told in (bundle.facts.rollout for bundle in bundles):
        if told is None:
            continue
        try:
            now = records.get(Deployment, told.deployment)
        except NotFound:
            raise EvidenceBroken(f"deployment {told.deployment} of {version.id} is gone") from None
        for name in _settled_later(told, now):
            raise EvidenceBroken(
                f"deployment {told.deployment} was changed: its {name} is not what was signed"
            )


def _settled_later(told: Rolled, now: Deployment) -> list[str]:
    """What of a deployment differs from what was signed and cannot have changed since."""
    names = ["strategy", "replaces", "steps"]
    names += [name for name in ("approved_by", "promoted_by") if getattr(told, name)]
    wrong = [name for name in names if getattr(told, name) != getattr(now, name)]
    shifts = now.shifts[: len(told.shifts)]
    taken = [(shift.share, shift.at) for shift in told.shifts]
    if taken != [(shift.share, shift.at) for shift in shifts]:
        wrong.append("shifts")
    return wrong


def _short(value: Any) -> str:
    text = canonical_json(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."
