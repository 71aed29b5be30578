"""Certificates for tests: real ones, that nobody outside a test trusts."""

from __future__ import annotations

import ipaddress
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def a_certificate(
    directory: Path,
    name: str = "server",
    *,
    passphrase: bytes = b"",
    days: float = 1.0,
    host: str = "localhost",
) -> tuple[Path, Path]:
    """A self-signed certificate for this machine, and its key; both written at once.

    Good from an hour ago for so many days from now; under 0: it has expired.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    here: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        here.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(here), critical=False)
        .sign(key, hashes.SHA256())
    )
    protection = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )
    directory.mkdir(parents=True, exist_ok=True)
    chain, private = directory / f"{name}.pem", directory / f"{name}.key"
    _write(chain, made.public_bytes(serialization.Encoding.PEM))
    _write(private, secret)
    return chain, private


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".fresh")
    fresh.write_bytes(content)
    os.replace(fresh, path)


def trusting(*chains: Path, **options: ssl.TLSVersion) -> ssl.SSLContext:
    """A client's context that knows these certificates and no others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for chain in chains:
        context.load_verify_locations(chain)
    for name, value in options.items():
        setattr(context, name, value)
    return context
