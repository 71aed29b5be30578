"""Exported evidence is checked by itself, by anybody who has the public key."""

from __future__ import annotations

import json
import shutil

import pytest

from flyball.errors import ConfigurationError, EvidenceBroken, InvalidRequest, NotFound


@pytest.fixture
def world(proven):
    """A home of the test's own: with a version that serves where ``served`` is asked for."""
    return proven


class TestExportedEvidence:
    @pytest.fixture
    def exported(self, world, served, tmp_path):
        world.flyball.verify("games", served.name, out=tmp_path / "evidence.json")
        [public] = (tmp_path / "home" / "evidence").iterdir()
        shutil.copy(public, tmp_path / "public.pem")
        return tmp_path / "evidence.json"

    def check(self, world, exported):
        return world.flyball.verify_file(exported, key=exported.with_name("public.pem"))

    def test_is_checked_by_itself_with_the_public_key(self, world, served, exported):
        held = self.check(world, exported)
        assert (held.version, len(held.moves)) == (served.name, 6)
        assert all(move.row for move in held.moves)

    def test_can_be_checked_with_no_line_of_flyball(self, exported):
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        document = json.loads(exported.read_text())
        for one in document["bundles"]:
            key = load_pem_public_key(document["keys"][one["key"]].encode())
            key.verify(bytes.fromhex(one["signature"]), one["body"].encode())
            with pytest.raises(InvalidSignature):
                key.verify(bytes.fromhex(one["signature"]), one["body"].encode() + b" ")

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("tests passed", "tests failed", "bundle 4|row 5"),
            ('"number": 2', '"number": 7', "bundle 2 .* is missing"),
            ('"seq": 2,', '"seq": 22,', "row 22 .* in the file was changed"),
        ],
    )
    def test_that_was_changed_is_found(self, world, exported, old, new, said):
        text = exported.read_text()
        assert old in text
        exported.write_text(text.replace(old, new, 1))
        with pytest.raises(EvidenceBroken, match=said):
            self.check(world, exported)

    def test_lacking_a_row_of_the_ledger_is_found(self, world, exported):
        document = json.loads(exported.read_text())
        document["ledger"].pop(1)
        exported.write_text(json.dumps(document))
        with pytest.raises(EvidenceBroken, match="row of the ledger that is not in the file"):
            self.check(world, exported)

    @pytest.mark.parametrize("content", ["", "{}", "[1]", '{"format": 7}', "\xff"])
    def test_that_is_something_else_is_refused(self, world, exported, content):
        exported.write_text(content)
        with pytest.raises(InvalidRequest, match="no exported evidence"):
            self.check(world, exported)

    def test_with_something_that_is_no_key_is_refused(self, world, exported):
        exported.with_name("public.pem").write_text("no key")
        with pytest.raises(ConfigurationError, match="no public key of Ed25519"):
            self.check(world, exported)
        exported.with_name("public.pem").unlink()
        with pytest.raises(NotFound, match=r"public\.pem"):
            self.check(world, exported)
