"""A bucket of S3 as the second place for objects, in the layout that ``dvc`` with dvc-s3 reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import md5
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flyball.errors import ArtifactCorrupt, ConfigurationError, NotFound, StorageUnavailable
from flyball.storage import s3_client
from flyball.storage.objects import LISTING, key_of, md5_of
from flyball.storage.remotes import OBJECTS

PART = 16 << 20

ATTEMPTS = 3
"""How often an object is copied whose bytes arrive changed. Requests have attempts of their own."""


@dataclass(frozen=True)
class S3Remote:
    """A bucket, or a prefix in one. Thread-safe.

    What is uploaded is compared with what S3 says it has: size, and the MD5 that its ETag is made
    of (unless the bucket encrypts with keys of its own, which hides it).

    Attributes:
        bucket: its name.
        prefix: of all keys; without ``/`` at its ends, or empty.
        connect: makes the client, on first use.
        part: bytes of a part of an object that is larger than one part; S3 takes 5 MiB and more.
    """

    bucket: str
    prefix: str = ""
    connect: Callable[[], Any] = s3_client.client
    part: int = PART

    @classmethod
    def at(cls, location: str) -> S3Remote:
        """The remote at ``s3://bucket/prefix``.

        Raises:
            ConfigurationError: it names no bucket.
        """
        parts = urlsplit(location)
        if not parts.netloc:
            raise ConfigurationError(
                f"the setting datasets.remote, {location!r}, names no bucket; write "
                "s3://bucket/prefix"
            )
        return cls(parts.netloc, parts.path.strip("/"))

    def url(self, home: Path) -> str:
        """The URL that it was given by."""
        del home
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def upload(self, source: Path, oid: str) -> bool:
        """See ``Remote.upload``."""
        if self._has(source, oid):
            return False
        for left in reversed(range(ATTEMPTS)):
            try:
                with self._talking(oid), source.open("rb") as content:
                    self._client.upload_fileobj(
                        content, self.bucket, self._key(oid), Config=self._transfer()
                    )
            except StorageUnavailable as error:
                if not left or not _answered_badly(error):
                    raise
            if self._has(source, oid):  # also after an answer that was lost on its way
                return True
        raise StorageUnavailable(
            f"{self._name(oid)} was uploaded {ATTEMPTS} times, and each time S3 had other bytes "
            "than were sent; check the network and the server, then push again"
        )

    def download(self, oid: str, target: Path) -> None:
        """See ``Remote.download``."""
        for _ in range(ATTEMPTS):
            with self._talking(oid), target.open("wb") as content:
                self._client.download_fileobj(
                    self.bucket, self._key(oid), content, Config=self._transfer()
                )
            if md5_of(target) == oid.removesuffix(LISTING):
                return
        raise ArtifactCorrupt(
            f"{self._name(oid)} was read {ATTEMPTS} times, and its bytes never had the MD5 that "
            "names it; nothing was stored; push it again from where it is sound"
        )

    @cached_property
    def _client(self) -> Any:
        return self.connect()

    def _key(self, oid: str) -> str:
        return f"{self.prefix}/{OBJECTS}/{key_of(oid)}".lstrip("/")

    def _name(self, oid: str) -> str:
        return f"s3://{self.bucket}/{self._key(oid)}"

    def _has(self, source: Path, oid: str) -> bool:
        """Whether S3 has the object, as far as it says."""
        try:
            with self._talking(oid):
                found = self._client.head_object(Bucket=self.bucket, Key=self._key(oid))
        except NotFound:
            return False
        if found["ContentLength"] != source.stat().st_size:
            return False
        if "kms" in found.get("ServerSideEncryption", "") or found.get("SSECustomerAlgorithm"):
            return True
        tag = found["ETag"].strip('"')
        return bool(
            tag == (_tag_of_parts(source, self.part) if "-" in tag else oid.removesuffix(LISTING))
        )

    def _transfer(self) -> Any:
        from boto3.s3.transfer import TransferConfig

        return TransferConfig(
            multipart_threshold=self.part + 1,
            multipart_chunksize=self.part,
            io_chunksize=self.part,
            max_concurrency=4,
        )

    @contextmanager
    def _talking(self, oid: str) -> Iterator[None]:
        from boto3.s3.transfer import S3TransferRetriesExceededError

        with s3_client.translated(self._name(oid)):
            try:
                yield
            except S3TransferRetriesExceededError as error:
                raise error.last_exception from error


def _answered_badly(error: StorageUnavailable) -> bool:
    """Whether S3 did answer, and another attempt may do better: no use where it is silent."""
    from botocore.exceptions import ClientError

    cause = error.__cause__
    return isinstance(cause, ClientError) and s3_client.passing(cause)


def _tag_of_parts(path: Path, size: int) -> str:
    """The ETag that S3 gives to what is uploaded in parts: the MD5 of the parts' MD5s, a count."""
    hashes = []
    with path.open("rb") as content:
        while part := content.read(size):
            hashes.append(md5(part, usedforsecurity=False).digest())
    return f"{md5(b''.join(hashes), usedforsecurity=False).hexdigest()}-{len(hashes)}"
