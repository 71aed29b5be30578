"""The key of evidence: made once, kept to its owner; its public half stays to check with."""

from __future__ import annotations

import stat
import subprocess
import sys

import pytest

from flyball.domain.bundle import SignedBundle, text_digest
from flyball.errors import ConfigurationError, NotFound, StorageUnavailable
from flyball.storage.signing import KEY_FILE, PUBLIC_KEYS, Checker, Signer

RACER = """
import sys
from pathlib import Path
from flyball.storage.signing import Signer
sys.stdin.read()
print(*Signer(Path(sys.argv[1])).sign("hello"))
"""


def signed(signer: Signer, body: str = "hello") -> SignedBundle:
    key, signature = signer.sign(body)
    return SignedBundle(
        model="games",
        version="1.0.0",
        number=1,
        body=body,
        digest=text_digest(body),
        key=key,
        signature=signature,
    )


def test_the_key_is_made_at_its_first_use_for_its_owner_only(tmp_path):
    signer = Signer(tmp_path / "home")
    assert not (tmp_path / "home").exists()
    key, _ = signer.sign("hello")
    private = tmp_path / "home" / KEY_FILE
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert b"PRIVATE" in private.read_bytes()
    public = tmp_path / "home" / PUBLIC_KEYS / f"{key}.pem"
    assert b"PUBLIC" in public.read_bytes()


def test_the_same_key_signs_ever_after_and_what_it_signed_checks(tmp_path):
    first, second = signed(Signer(tmp_path)), signed(Signer(tmp_path))
    assert first == second, "Ed25519 signs the same text alike"
    assert Checker.of_home(tmp_path)(first) == ""


def test_processes_that_begin_at_once_end_with_one_key(tmp_path):
    command = [sys.executable, "-c", RACER, str(tmp_path)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for racer in racers:  # all are waiting for the end of their standard input
        assert racer.stdin is not None
        racer.stdin.close()
        racer.stdin = None
    answers = {tuple(racer.communicate(timeout=60)[0].split()) for racer in racers}
    assert answers == {Signer(tmp_path).sign("hello")}
    assert {path.name for path in tmp_path.iterdir()} == {KEY_FILE, PUBLIC_KEYS}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"body": "hallo"}, "text was changed"),
        ({"body": "hallo", "digest": text_digest("hallo")}, "signature is not one"),
        ({"signature": "00" * 64}, "signature is not one"),
        ({"signature": "no hex"}, "signature is not one"),
        ({"signature": ""}, "is not signed"),
        ({"key": "ab" * 32}, "signed with the key abababababab"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_whatever_was_changed_does_not_check(tmp_path, change, said):
    one = signed(Signer(tmp_path))
    fields = {name: getattr(one, name) for name in SignedBundle.__slots__}
    assert said in Checker.of_home(tmp_path)(SignedBundle(**(fields | change)))


def test_a_public_key_under_another_name_is_no_key(tmp_path):
    one = signed(Signer(tmp_path / "mine"))
    signed(Signer(tmp_path / "other"))
    [theirs] = (tmp_path / "other" / PUBLIC_KEYS).iterdir()
    mine = tmp_path / "mine" / PUBLIC_KEYS / f"{one.key}.pem"
    mine.write_bytes(theirs.read_bytes())
    assert "which is not in" in Checker.of_home(tmp_path / "mine")(one)


class TestAKeyThatIsGiven:
    def test_signs_instead_of_the_homes(self, tmp_path):
        signed(Signer(tmp_path / "elsewhere"))
        given = tmp_path / "elsewhere" / KEY_FILE
        one = signed(Signer(tmp_path / "home", str(given)))
        assert Checker.of_home(tmp_path / "home")(one) == ""
        assert Checker.of_home(tmp_path / "elsewhere")(one) == ""
        assert not (tmp_path / "home" / KEY_FILE).exists()

    def test_that_is_missing_is_said(self, tmp_path):
        with pytest.raises(NotFound, match=r"gone\.pem.*`evidence\.key`"):
            Signer(tmp_path, str(tmp_path / "gone.pem")).sign("x")

    @pytest.mark.parametrize("kind", ["rsa", "encrypted", "text", "public"])
    def test_of_another_kind_is_said(self, tmp_path, kind):
        (tmp_path / "key.pem").write_bytes(KINDS[kind]())
        with pytest.raises(ConfigurationError, match="no private key of Ed25519"):
            Signer(tmp_path, str(tmp_path / "key.pem")).sign("x")


def test_a_home_that_is_a_file_is_said_so(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(StorageUnavailable, match="key of evidence"):
        Signer(tmp_path / "home").sign("x")


def _rsa() -> bytes:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    made = rsa.generate_private_key(65537, 2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _encrypted() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
    )

    made = Ed25519PrivateKey.generate()
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw"))


def _public() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


KINDS = {"rsa": _rsa, "encrypted": _encrypted, "text": lambda: b"no key", "public": _public}
