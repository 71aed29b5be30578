"""Loading one version: verified bytes, opened by the application, exercised before it serves."""

from __future__ import annotations

from flyball.domain.lifecycle import ModelVersion
from flyball.errors import DeploymentError, FlyballError
from flyball.ports import Application, Blobs, Records
from flyball.serving.slots import Loaded


def load(
    model: str, version: str, *, records: Records, blobs: Blobs, application: Application
) -> Loaded:
    """A version, ready to answer.

    Raises:
        EnvironmentFailed: storage is away; the same call may succeed later.
        FlyballError: the version cannot serve (unknown, damaged, wrong answers); says why.
    """
    try:
        found = records.get(ModelVersion, f"{model}/{version}")
        directory = blobs.get(found.artifact, verify=True)
        servable = application.open(directory)
        answered = servable.smoke()
    except FlyballError:
        raise
    except Exception as error:
        # An application's code, and files of any age: whatever it raises, the old version serves.
        raise DeploymentError(
            f"{model}/{version} cannot be opened: {type(error).__name__}: {error}"
        ) from error
    return Loaded(version=version, servable=servable, answered=answered)
