"""Homes with signed evidence; each is made once, and every test gets a copy."""

from __future__ import annotations

import pytest
from evidence_world import EvidenceWorld
from rollout_world import LITTLE

from flyball.domain.deployment import Phase
from flyball.domain.lifecycle import ModelVersion
from flyball.steps.decisions import approve
from flyball.steps.rolling import roll


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """A home with nothing but its tables."""
    world = EvidenceWorld(tmp_path_factory.mktemp("fresh"))
    assert world.records.ledger() == []
    return world


@pytest.fixture(scope="session")
def serving(tmp_path_factory, fresh):
    """A home in which a version serves, by training, a report and a blue-green deployment."""
    world = fresh.copied(tmp_path_factory.mktemp("serving"))
    world.deploy("1")
    return world


@pytest.fixture
def proven(request, tmp_path, fresh, serving):
    world = (serving if "served" in request.fixturenames else fresh).copied(tmp_path)
    yield world
    world.flyball.close()


@pytest.fixture
def served(proven):
    """The version that serves there."""
    [version] = proven.records.find(ModelVersion)
    return version


@pytest.fixture
def rolled(proven, served):
    """A second one, which took its first share as a canary and was approved beforehand."""
    version, deployment = proven.roll_out("2")
    approve(proven.desk, "games", version.name, reason="looks right")
    deployment = proven.records.get(type(deployment), deployment.id)
    proven.clock.advance(3600)
    after = roll(proven.desk, deployment, LITTLE)
    assert after.phase is Phase.ROLLING
    return version
