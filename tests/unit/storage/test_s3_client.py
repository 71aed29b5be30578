"""S3's client says in words what is missing or wrong, before and after it is asked."""

from __future__ import annotations

import sys

import pytest

from flyball.errors import ConfigurationError, EnvironmentFailed, NotFound, StorageUnavailable
from flyball.storage.s3_client import client, passing, translated

boto = pytest.importorskip("botocore.exceptions", reason="S3 needs the package boto3")


def answer(code: str, status: int) -> Exception:
    body = {"Error": {"Code": code, "Message": "words"}}
    return boto.ClientError({**body, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")


def test_its_absence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(EnvironmentFailed, match=r"pip install 'flyball\[s3\]'"):
        client()


def test_a_profile_that_is_not_there_is_a_wrong_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigurationError, match="nobody"):
        client()


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (answer("NoSuchKey", 404), NotFound, "there is no s3://b/k"),
        (answer("NoSuchBucket", 404), NotFound, "check bucket and key"),
        (answer("AccessDenied", 403), StorageUnavailable, "what they may do"),
        (answer("ExpiredToken", 400), StorageUnavailable, "log in again"),
        (answer("SlowDown", 503), StorageUnavailable, "try again later"),
        (boto.NoCredentialsError(), StorageUnavailable, "AWS_ACCESS_KEY_ID"),
    ],
)
def test_each_answer_says_what_to_do(error: Exception, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words), translated("s3://b/k"):
        raise error


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (answer("SlowDown", 503), True),
        (answer("InternalError", 500), True),
        (answer("", 502), True),
        (answer("RequestTimeout", 400), True),
        (boto.EndpointConnectionError(endpoint_url="http://h"), True),
        (boto.ReadTimeoutError(endpoint_url="http://h"), True),
        (boto.SSLError(endpoint_url="https://h", error="certificate"), False),
        (answer("AccessDenied", 403), False),
        (answer("NoSuchKey", 404), False),
        (boto.NoCredentialsError(), False),
    ],
)
def test_only_what_passes_is_asked_for_again(error: Exception, again: bool) -> None:
    assert passing(error) is again
