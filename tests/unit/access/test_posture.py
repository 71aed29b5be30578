"""Whether a server asks for credentials, and where it refuses to listen."""

from __future__ import annotations

import pytest

from flyball.access.posture import check_anybody, required
from flyball.access.verbs import Access
from flyball.domain.access import Scope
from flyball.errors import ConfigurationError
from flyball.testing.fakes import ManualClock, MemoryRecords


@pytest.mark.parametrize(
    ("setting", "loopback", "expected"),
    [("auto", True, False), ("auto", False, True), (True, True, True), (True, False, True)],
)
def test_credentials_are_asked_for_wherever_others_can_call(setting, loopback, expected):
    assert required(setting, host="h", loopback=loopback) is expected


def test_it_is_off_on_this_machine_alone():
    assert required(False, host="127.0.0.1", loopback=True) is False
    with pytest.raises(ConfigurationError, match=r"0\.0\.0\.0.*flyball access key create"):
        required(False, host="0.0.0.0", loopback=False)


def test_a_server_that_nobody_could_use_does_not_start():
    records = MemoryRecords()
    with pytest.raises(ConfigurationError, match="flyball access key create"):
        check_anybody(records)
    Access(records, ManualClock(), "operator:test").create_key("shop", [Scope.READ])
    check_anybody(records)


def test_an_account_is_enough():
    records = MemoryRecords()
    Access(records, ManualClock(), "operator:test").create_client("shop", [Scope.READ])
    check_anybody(records)
