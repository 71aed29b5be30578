"""Objects in S3: one, those that match a pattern, or all under a prefix."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from flyball.domain.nearest import did_you_mean
from flyball.errors import DataQualityError, InvalidRequest, NotFound
from flyball.storage import s3_client
from flyball.storage.fetching.landing import Landing, fetched_as_demanded, place
from flyball.storage.fetching.patterns import is_pattern, literal_prefix, matcher, passed_over
from flyball.storage.fetching.retrying import Interruption, Patience, persistently

_PIECE = 1 << 18
_MD5 = re.compile(r"[0-9a-f]{32}")
_LOOKED_AT = 1000  # keys, to find what a wrong one was meant to be
_CHECKSUMS = {"ChecksumSHA256": "sha256", "ChecksumSHA1": "sha1", "ChecksumCRC32": "crc32"}


@dataclass(frozen=True, slots=True)
class S3:
    """Fetches from S3.

    Attributes:
        patience: with a server that fails, is slow or breaks off.
    """

    patience: Patience
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        # one attempt: `persistently` is what tries again, and says how often
        client = s3_client.client(attempts=1, read_timeout_s=self.patience.silence_s)
        object.__setattr__(self, "client", client)

    def fetch(self, url: str, into: Path, sha256: str | None) -> list[tuple[Path, str]]:
        """Fetch ``s3://bucket/key``; the key may be a pattern, or a prefix that ends in ``/``.

        Returns:
            each file with its URL, sorted by key.

        Raises:
            NotFound: no such bucket, object, or nothing that matches.
            DataQualityError: nothing but empty folders under the prefix.
            EnvironmentFailed: refused, unreachable or damaged, also after more attempts.
        """
        bucket, key = _parted(url)
        found = []
        for number, each in enumerate(self._keys(bucket, key), 1):
            path, shown = place(into, number, PurePosixPath(each).name), f"s3://{bucket}/{each}"
            self._object(bucket, each, path, shown, sha256)
            found.append((path, shown))
        return found

    def _keys(self, bucket: str, key: str) -> list[str]:
        if not is_pattern(key) and key and not key.endswith("/"):
            return [key]
        listed = self._listed(bucket, literal_prefix(key))
        if key in listed and not key.endswith("/"):
            return [key]
        if not is_pattern(key):
            found = [each for each in listed if not passed_over(each[len(key) :])]
            if not found:
                raise DataQualityError(
                    f"there is no object under s3://{bucket}/{key}; check the prefix"
                )
            return found
        fits = matcher(key)
        if not (found := [each for each in listed if fits(each)]):
            raise NotFound(
                f"nothing matches s3://{bucket}/{key}{did_you_mean(key, listed[:_LOOKED_AT])}"
            )
        return found

    def _listed(self, bucket: str, prefix: str) -> list[str]:
        """All keys that begin so, sorted; what stands for a folder is left out."""
        what = f"s3://{bucket}/{prefix}"

        def attempt() -> list[str]:
            with _passing_again(lambda: 0):
                pages = self.client.get_paginator("list_objects_v2")
                pages = pages.paginate(Bucket=bucket, Prefix=prefix)
                return [item["Key"] for page in pages for item in page.get("Contents", ())]

        with s3_client.translated(what):
            keys = persistently(what, attempt, self.patience)
        return sorted(key for key in keys if not key.endswith("/"))

    def _object(self, bucket: str, key: str, path: Path, shown: str, sha256: str | None) -> None:
        with Landing(path, shown, self.patience) as landing, s3_client.translated(shown):
            transfer = _Transfer(self.client, bucket, key, landing)

            def fetch() -> None:
                landing.restart()
                persistently(shown, transfer.attempt, self.patience)

            try:
                fetched_as_demanded(fetch, path, sha256, shown)
            except self.client.exceptions.ClientError as error:
                if s3_client.code_of(error) in ("404", "NoSuchKey"):
                    raise self._missing(bucket, key) from error
                raise

    def _missing(self, bucket: str, key: str) -> NotFound:
        """The error for a key that is not there; also says so where its bucket is not."""
        folder = key.rpartition("/")[0]
        known = self._listed(bucket, f"{folder}/" if folder else "")
        return NotFound(f"there is no s3://{bucket}/{key}{did_you_mean(key, known[:_LOOKED_AT])}")


@dataclass(slots=True)
class _Transfer:
    """One object on its way, over several attempts.

    Attributes:
        etag: of the content whose beginning has landed.
    """

    client: Any
    bucket: str
    key: str
    landing: Landing
    etag: str = ""

    def attempt(self) -> None:
        """Fetch what is not there yet, and check the whole."""
        furthest = self.landing.furthest
        with _passing_again(lambda: self.landing.furthest - furthest):
            about = self.client.head_object(
                Bucket=self.bucket, Key=self.key, ChecksumMode="ENABLED"
            )
            if not self.etag or about.get("ETag", "") != self.etag:
                self.landing.restart()
                self.etag = about.get("ETag", "")
            size = int(about["ContentLength"])
            self.landing.expect(size - self.landing.size)
            if self.landing.size < size:
                self._rest()
            if self.landing.size != size:
                raise Interruption(f"{self.landing.size} of {size} bytes came")
            self.landing.check(_digests(about))

    def _rest(self) -> None:
        """Append what is missing, of this very content."""
        had = self.landing.size
        asked = {"Range": f"bytes={had}-"} if had else {}
        if self.etag:
            asked["IfMatch"] = self.etag
        answer = self.client.get_object(Bucket=self.bucket, Key=self.key, **asked)
        with answer["Body"] as raw:
            if answer.get("ETag", "") != self.etag:  # not every server heeds If-Match
                raise Interruption("the object was replaced meanwhile")
            if had and not answer.get("ContentRange", "").startswith(f"bytes {had}-"):
                self.landing.restart()
            # as much as there is, not as much as was asked: a trickle is noticed
            self.landing.take(iter(lambda: raw.read1(_PIECE), b""))


@contextmanager
def _passing_again(gained: Callable[[], int]) -> Iterator[None]:
    """Make what may be better in a moment an ``Interruption``; anything else goes through."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (BotoCoreError, ClientError, HTTPError, ResponseParserError) as error:
        replaced = isinstance(error, ClientError) and s3_client.code_of(error) in (
            "412",
            "416",
            "InvalidRange",
            "PreconditionFailed",
        )
        if replaced:
            raise Interruption("the object was replaced meanwhile") from error
        if s3_client.passing(error):
            raise Interruption(" ".join(str(error).split()), gained=gained()) from error
        raise


def _digests(about: dict[str, Any]) -> dict[str, str]:
    """Hex by algorithm of the whole object, as far as S3 says it in a form that can be checked."""
    found = {}
    if about.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        for name, algorithm in _CHECKSUMS.items():
            if "-" not in (value := about.get(name, "-")):  # of parts: "<checksum>-<parts>"
                found[algorithm] = base64.b64decode(value).hex()
    etag = about.get("ETag", "").strip('"')
    encrypted = "SSECustomerAlgorithm" in about or "kms" in about.get("ServerSideEncryption", "")
    if _MD5.fullmatch(etag) and not encrypted:
        found["md5"] = etag
    return found


def _parted(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not bucket or "@" in bucket or is_pattern(bucket):
        raise InvalidRequest(
            "an S3 location is s3://bucket/key, s3://bucket/prefix/ or s3://bucket/pattern*; "
            "credentials belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return bucket, key
