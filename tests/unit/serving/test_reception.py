"""What a worker's settings of access come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flyball.access.gate import AccessGate
from flyball.access.verbs import Access
from flyball.domain.access import ANYONE, Caller, Scope
from flyball.errors import ConfigurationError, TooManyRequests, Unauthenticated
from flyball.serving.edge.gate import OpenGate
from flyball.serving.reception import Reception
from flyball.settings import Access as AccessSettings
from flyball.settings import Settings
from flyball.telemetry.metrics import Metrics
from flyball.testing.fakes import ManualClock, MemoryRecords

SHOP = Caller("key:shop", frozenset({Scope.READ}))


@dataclass
class Adapters:
    settings: Settings
    records: MemoryRecords = field(default_factory=MemoryRecords)
    clock: ManualClock = field(default_factory=ManualClock)


def reception(home: Path, *, required: bool = True, **settings: object) -> Reception:
    access = AccessSettings.model_validate(settings)
    adapters = Adapters(Settings(home=home, access=access))
    return Reception(adapters, Metrics(), required=required)


def test_everybody_may_do_everything_where_no_credentials_are_needed(tmp_path):
    made = reception(tmp_path, required=False)
    assert isinstance(made.gate, OpenGate)
    assert made.limit_user is None
    assert made.gate.admit({}, "127.0.0.1", Scope.ADMIN) is ANYONE


def test_a_key_is_needed_where_they_are(tmp_path):
    made = reception(tmp_path)
    records = MemoryRecords()
    key = Access(records, ManualClock(), "operator:test").create_key("shop", [Scope.READ]).text
    made.directory.follow(records)
    assert isinstance(made.gate, AccessGate)
    with pytest.raises(Unauthenticated):
        made.gate.admit({}, "192.0.2.7", Scope.READ)
    assert made.gate.admit({b"x-api-key": key.encode()}, "192.0.2.7", Scope.READ)


def test_each_user_has_a_limit_of_their_own(tmp_path):
    limit = reception(tmp_path, user_rate=2).limit_user
    for user in ("ada", "ada", "bob"):
        limit(SHOP, user)
    with pytest.raises(TooManyRequests) as refused:
        limit(SHOP, "ada")
    assert (refused.value.reason, refused.value.subject) == ("user_rate", "key:shop")
    assert reception(tmp_path, user_rate=0).limit_user is None


def test_a_redis_that_cannot_be_used_is_told_at_the_start(tmp_path):
    pytest.importorskip("redis", reason="the extra flyball[redis] is not installed")
    with pytest.raises(ConfigurationError, match=r"access\.limits"):
        reception(tmp_path, limits="redis://127.0.0.1:no-port")


def test_its_log_lies_in_the_home_and_stops_with_it(tmp_path):
    made = reception(tmp_path)
    made.open()
    made.gate.refused("GET", "/", "192.0.2.7", Unauthenticated("who?", reason="no_credentials"))
    made.close()
    [file] = (tmp_path / "audit").iterdir()
    assert "no_credentials" in file.read_text()
