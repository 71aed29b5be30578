"""The one place that makes an S3 client, and that says in words what S3 answered.

Everything comes from the standard AWS configuration: ``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_PROFILE``, the files in ``~/.aws``, and
``AWS_ENDPOINT_URL`` (or ``AWS_ENDPOINT_URL_S3``) for a server that is not Amazon's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flyball.errors import ConfigurationError, EnvironmentFailed, NotFound, StorageUnavailable

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGION = "us-east-1"  # what Amazon takes where none is set, and other servers ignore

_MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NotFound", "NoSuchVersion"}
_REFUSED = {
    "401": "check the credentials",
    "403": "check the credentials and what they may do",
    "AccessDenied": "check the credentials and what they may do",
    "AllAccessDisabled": "check the credentials and what they may do",
    "ExpiredToken": "the credentials are too old; log in again",
    "InvalidAccessKeyId": "check AWS_ACCESS_KEY_ID",
    "InvalidToken": "the credentials are not valid; log in again",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it",
    "SignatureDoesNotMatch": "check AWS_SECRET_ACCESS_KEY",
}
_PASSING = {
    "408",
    "429",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
}


def client(*, attempts: int = 5, read_timeout_s: float = READ_TIMEOUT_S) -> Any:
    """A boto3 client for S3. Thread-safe.

    Args:
        attempts: in all for one request that fails in passing (errors 5xx, throttling, a broken
            connection); with growing, random pauses between. A body that breaks while it is read
            is the caller's to fetch again.
        read_timeout_s: how long it may be silent.

    Raises:
        EnvironmentFailed: boto3 is not installed; names the extra.
        ConfigurationError: a profile or an endpoint is set wrongly.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise EnvironmentFailed(
            "S3 needs a package that is not installed; run `pip install 'flyball[s3]'`"
        ) from None
    elsewhere = any(os.environ.get(name) for name in _ENDPOINTS)
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # a bucket is no host name on other servers
        s3={"addressing_style": "path"} if elsewhere else None,
    )
    try:
        session = boto3.Session()
        return session.client("s3", region_name=session.region_name or _REGION, config=config)
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            f"the AWS configuration cannot be used: {error}; check the variables AWS_* and ~/.aws"
        ) from error


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what boto3 raises inside into our errors.

    Args:
        what: was used, for example ``"s3://bucket/key"``.

    Raises:
        NotFound: no such bucket or object.
        StorageUnavailable: no or wrong credentials, no permission, no answer; says what to do.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code in _MISSING:
            raise NotFound(f"there is no {what} ({code}); check bucket and key") from error
        advice = _REFUSED.get(code, "try again later")
        words = error.response.get("Error", {}).get("Message") or "no words"
        raise StorageUnavailable(f"{what}: S3 answered {code} ({words}); {advice}") from error
    except (BotoCoreError, HTTPError, ResponseParserError) as error:
        raise StorageUnavailable(
            f"{what} cannot be reached: {error}; check the network, AWS_ENDPOINT_URL and the "
            "credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or a profile)"
        ) from error


def passing(error: Exception) -> bool:
    """Whether the same request may succeed a moment later: throttled, 5xx, a broken connection."""
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    if isinstance(error, boto.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return code_of(error) in _PASSING or status >= 500
    broken = (
        HTTPError,
        ResponseParserError,
        boto.ConnectionError,
        boto.HTTPClientError,
        boto.IncompleteReadError,
        boto.FlexibleChecksumError,
    )
    return isinstance(error, broken) and not isinstance(error, boto.SSLError)


def code_of(error: Any) -> str:
    """S3's own code of an error (``"NoSuchKey"``; the status where there is no body)."""
    return str(error.response.get("Error", {}).get("Code", ""))
