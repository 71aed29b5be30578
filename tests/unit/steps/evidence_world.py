"""A real home in which a version is trained, examined and rolled out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa
from rollout_world import World

from flyball import Flyball
from flyball.configuration import load
from flyball.domain.bundle import ChainTip, SignedBundle, text_digest, tip_of
from flyball.domain.canonical import digest
from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.ledger import Entry, chained
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.training import RunPhase
from flyball.domain.validation import Decision, ValidationReport
from flyball.ports import Change
from flyball.steps.decisions import abort
from flyball.steps.manifest import Manifest, write_manifest
from flyball.steps.register import moved, register
from flyball.steps.rollback import restore
from flyball.storage.database import open_database
from flyball.storage.encoding import encoded
from flyball.storage.signing import Signer
from flyball.storage.tables import LEDGER, LEDGER_HEAD
from flyball.testing.builders import (
    a_batch,
    a_check,
    a_dataset,
    a_recipe,
    a_report,
    a_result,
    a_run,
    an_entry,
)

GAP = {"against": "the baseline", "difference": 0.3, "low": 0.2, "high": 0.4}


class EvidenceWorld(World):
    """``rollout_world.World`` on the records of a home, with what comes before a rollout."""

    def __init__(self, root: Path, **rollout) -> None:
        super().__init__(**rollout)
        self.root = root
        settings = load(root / "home", environ={})
        self.flyball = Flyball(config=settings, actor="operator:ada")
        self.records = self.flyball.platform.records
        self.blobs = self.flyball.platform.blobs
        self.desk = replace(self.desk, records=self.records)

    def copied(self, root: Path) -> EvidenceWorld:
        """The same home and the same moment in another place, to go on from."""
        self.flyball.close()
        shutil.copytree(self.root / "home", root / "home")
        other = EvidenceWorld(root)
        other.clock.time = self.clock.time
        other.target.running = list(self.target.running)
        return other

    def trained(self, number: int = 1) -> ModelVersion:
        """A version in validation, as training leaves it. Each number makes another artifact."""
        records, data, run = self.records, a_dataset(), a_run(run_id=f"{number:016x}")
        begun = replace(run, phase=RunPhase.SEARCHING, result=None)
        result = a_result(artifact=self._artifact(number))
        ingested = an_entry(action="ingest", subject=a_batch().id, reason="10 rows")
        records.commit([Change(value=a_batch())], [ingested])
        records.commit([Change(value=data), Change(value=begun)])
        self.clock.advance(60)
        done = replace(run, result=result)
        made = register(
            done,
            a_recipe(),
            replacing=begun,
            data=data,
            records=records,
            at=self.clock.now(),
            actor="control",
        )
        return made.version

    def _artifact(self, number: int) -> str:
        folder = self.root / f"artifact-{number}"
        folder.mkdir()
        (folder / "weights.npy").write_bytes(bytes([number]) * 100)
        recipe = a_recipe()
        write_manifest(
            folder,
            Manifest(
                model="games",
                family="ease",
                architecture=recipe.architecture,
                data_version=recipe.data_version,
                hyperparameters=recipe.hyperparameters,
                split={"kind": "random"},
                seeds={"fit": 7},
                threads=2,
                metrics={"ndcg@10": 0.515},
                code="c0de" * 16,
                environment="e0" * 32,
            ),
        )
        return self.blobs.put(folder)

    def examined(self, version: ModelVersion) -> ModelVersion:
        """The version in staging, with its report."""
        folder = self.root / f"report-{version.name}"
        folder.mkdir()
        (folder / "report.html").write_text(f"{version.id} passed")
        report = a_report(
            version=version.name,
            report_id=digest(version.name)[:16],
            results=(a_check(details={"intervals": [GAP]}),),
            artifact=self.blobs.put(folder),
            decision=Decision.PROMOTE,
            created_at=self.clock.now(),
        )
        evidence = Evidence(kind=EvidenceKind.REPORT, id=report.id, digest=digest(report))
        now = self.clock.advance(60)
        after, entry = moved(version, State.STAGING, evidence, at=now, actor="control")
        self.records.commit([Change(value=report), Change(value=after, replacing=version)], [entry])
        return after

    def staged(self, number: str) -> ModelVersion:
        """As ``World`` does it, but by training and examination; ``number`` counts alone."""
        return self.examined(self.trained(int(number)))

    def now(self, version: ModelVersion) -> ModelVersion:
        """The version as it is recorded now."""
        return self.records.get(ModelVersion, version.id)

    def report(self) -> ValidationReport:
        """The newest report."""
        return self.records.find(ValidationReport)[-1]

    @contextmanager
    def tampering(self):
        """The database, past everything that guards it."""
        engine = open_database(self.flyball.settings.database_url)
        with engine.begin() as connection:
            yield connection
        engine.dispose()

    def edit(self, table: str, old: str, new: str, *, where: str = "1 = 1") -> None:
        """Replace a text in the bodies of a table; fails where there is none."""
        with self.tampering() as database:
            changed = database.execute(
                sa.text(
                    f"UPDATE {table} SET body = replace(body, :old, :new) "
                    f"WHERE {where} AND instr(body, :old) > 0"
                ),
                {"old": old, "new": new},
            )
            assert changed.rowcount >= 1, f"nothing in {table} says {old}"

    def run(self, statement: str) -> None:
        """Tamper with one SQL statement; fails where it changes nothing."""
        with self.tampering() as database:
            assert database.execute(sa.text(statement)).rowcount >= 1

    def signed(self, version: ModelVersion, number: int) -> SignedBundle:
        """A bundle as it is stored."""
        return self.records.get(SignedBundle, f"{version.id}/{number}")

    def forge(self, version: ModelVersion, forger: Signer) -> None:
        """The last bundle says something else, signed with a key of the forger's."""
        tip = self.records.get(ChainTip, version.id)
        old = self.signed(version, tip.number)
        body = old.body.replace("applied by", "approved by")
        key, signature = forger.sign(body)
        new = replace(old, body=body, digest=text_digest(body), key=key, signature=signature)
        self.records.commit(
            [Change(value=new, replacing=old), Change(value=tip_of(new), replacing=tip)]
        )

    def rewrite_ledger(self, change: Callable[[Entry], Entry], *, of: str) -> None:
        """Change the last row of an action, and every digest that hangs on it."""
        rows = self.records.ledger()
        at = max(row.seq for row in rows if row.entry.action == of)
        previous = rows[at - 1].previous
        with self.tampering() as database:
            for row in rows[at - 1 :]:
                entry = change(row.entry) if row.seq == at else row.entry
                new = chained(entry, seq=row.seq, previous=previous)
                values = {"body": encoded(entry), "previous": previous, "digest": new.digest}
                database.execute(sa.update(LEDGER).where(LEDGER.c.seq == row.seq).values(values))
                previous = new.digest
            database.execute(sa.update(LEDGER_HEAD).values(digest=previous))

    def overwrite(self, digest: str, name: str, content: bytes) -> None:
        """Other bytes in a file of the store."""
        file = self.blobs.get(digest) / name
        file.chmod(0o644)
        file.write_bytes(content)

    def reopened(self) -> None:
        """As by a new process."""
        self.flyball.close()
        self.records = self.flyball.platform.records
        self.desk = replace(self.desk, records=self.records)

    def spoil_key(self) -> None:
        """The private key's file is damaged, and a new process comes upon it."""
        (self.root / "home" / "evidence.key").write_text("damaged")
        self.reopened()

    def abort(self, version: ModelVersion) -> None:
        """An operator withdraws the version's rollout."""
        abort(self.desk, version.model, version.name, reason="complaints")

    def restored(self) -> None:
        """Every worker has left the version that was withdrawn."""
        self.workers_follow()
        assert restore(self.desk, "games")
