"""Whatever is changed behind Flyball's back is found, and named."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from flyball.errors import EvidenceBroken, LedgerBroken
from flyball.storage.signing import Signer


@pytest.fixture
def world(proven):
    """A home of the test's own: with a version that serves where ``served`` is asked for."""
    return proven


TAMPERED = {
    "a bundle's text": (
        lambda w, v: w.edit("flyball_bundles", r"tests passed", r"tests failed"),
        "bundle 4 .* text was changed",
    ),
    "a signature": (
        lambda w, v: w.edit(
            "flyball_bundles",
            '"signature":"' + w.signed(v, 2).signature[:8],
            '"signature":"' + "00000000",
        ),
        "bundle 2 .* signature is not one of the key",
    ),
    "a bundle that is removed": (
        lambda w, v: w.run(f"DELETE FROM flyball_bundles WHERE id = '{v.id}/2'"),
        "bundle 2 .* is missing",
    ),
    "the last bundle that is removed": (
        lambda w, v: w.run(f"DELETE FROM flyball_bundles WHERE id = '{v.id}/6'"),
        "removed or added at the end",
    ),
    "the end of the chain that is removed": (
        lambda w, v: w.run("DELETE FROM flyball_chain_tips"),
        "where .* bundles end is gone",
    ),
    "the version's state": (
        lambda w, v: w.edit("flyball_versions", '"monitoring"', '"production"'),
        "is in production, and its evidence ends in monitoring",
    ),
    "the version's artifact": (
        lambda w, v: w.edit("flyball_versions", v.artifact, w.report().artifact),
        "artifact is not what bundle 1",
    ),
    "the version's metrics": (
        lambda w, v: w.edit("flyball_versions", "0.515", "0.915"),
        "metrics is not what bundle 1",
    ),
    "the run": (
        lambda w, v: w.edit("flyball_runs", '"seed":7', '"seed":8'),
        "the run's record is not what bundle 1",
    ),
    "a run that is removed": (
        lambda w, v: w.run("DELETE FROM flyball_runs"),
        r"the run's record .* \(there is no run",
    ),
    "the data version": (
        lambda w, v: w.edit("flyball_datasets", '"rows":10', '"rows":11'),
        "data version's record is not what bundle 1",
    ),
    "the report": (
        lambda w, v: w.edit("flyball_reports", "against 0.140", "against 0.540"),
        "report .* was changed: its digest",
    ),
    "a report that is removed": (
        lambda w, v: w.run("DELETE FROM flyball_reports"),
        "report .* is gone",
    ),
    "the deployment": (
        lambda w, v: w.edit("flyball_deployments", '"blue-green"', '"canary"'),
        "deployment games/1 was changed: its strategy",
    ),
    "a deployment that is removed": (
        lambda w, v: w.run("DELETE FROM flyball_deployments"),
        "deployment games/1 .* is gone",
    ),
    "a record that cannot be read": (
        lambda w, v: w.run("UPDATE flyball_runs SET body = '{'"),
        "the stored Run .* is damaged",
    ),
}


class TestWhatWasTamperedWith:
    """Each is found, and named."""

    @pytest.mark.parametrize("what", TAMPERED)
    def test_is_found_and_named(self, world, served, what):
        tamper, said = TAMPERED[what]
        tamper(world, served)
        with pytest.raises(EvidenceBroken, match=said):
            world.flyball.verify("games", served.name)

    def test_a_row_of_the_ledger(self, world, served):
        world.edit("flyball_ledger", "tests passed", "tests failed")
        with pytest.raises(LedgerBroken, match="row 5 was changed"):
            world.flyball.verify("games", served.name)

    def test_a_ledger_that_was_written_anew_with_sound_digests(self, world, served):
        """Somebody who can compute digests, and lacks the key."""
        world.rewrite_ledger(lambda entry: replace(entry, actor="mallory"), of="ingest")
        world.records.verify_ledger()
        with pytest.raises(EvidenceBroken, match="the ledger was written anew"):
            world.flyball.verify("games", served.name)

    def test_the_last_row_of_all_written_anew(self, world, served):
        world.rewrite_ledger(lambda e: replace(e, reason="all is well"), of="transition")
        with pytest.raises(EvidenceBroken, match=r"is not of row"):
            world.flyball.verify("games", served.name)

    def test_a_bundle_signed_with_another_key_by_who_has_the_database(
        self, world, served, tmp_path
    ):
        forger = Signer(tmp_path / "forger")
        world.forge(served, forger)
        with pytest.raises(EvidenceBroken, match=r"bundle 6 .* which is not in"):
            world.flyball.verify("games", served.name)

    @pytest.mark.parametrize("name", ["weights.npy", "manifest.json"])
    def test_a_file_of_the_artifact(self, world, served, name):
        world.overwrite(served.artifact, name, b"{}")
        with pytest.raises(EvidenceBroken, match=name):
            world.flyball.verify("games", served.name)

    def test_an_artifact_that_is_gone(self, world, served):
        folder = world.blobs.get(served.artifact)
        folder.chmod(0o755)
        shutil.rmtree(folder)
        with pytest.raises(EvidenceBroken, match="no artifact"):
            world.flyball.verify("games", served.name)

    def test_a_page_of_the_report(self, world, served):
        world.overwrite(world.report().artifact, "report.html", b"it failed")
        with pytest.raises(EvidenceBroken, match=r"report .* report\.html was changed"):
            world.flyball.verify("games", served.name)

    def test_one_version_does_not_bring_down_another(self, world, rolled):
        world.edit("flyball_bundles", "registered", "invented", where=f"id = '{rolled.id}/1'")
        assert world.flyball.verify("games", "1.0.0").moves
        with pytest.raises(EvidenceBroken, match="bundle 1"):
            world.flyball.verify("games", rolled.name)
