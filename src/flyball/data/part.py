"""What the topics of ``flyball data`` share."""

from __future__ import annotations

from flyball.domain.data import EMPTY, DataBatch, DatasetVersion
from flyball.domain.nearest import did_you_mean
from flyball.errors import NotFound
from flyball.steps.newest import newest
from flyball.wiring import Platform


class Part:
    """One topic's verbs on one installation.

    Args:
        platform: the installation's adapters.
        actor: who decides, for the ledger.
    """

    def __init__(self, platform: Platform, actor: str) -> None:
        self.platform = platform
        self.actor = actor

    def _known(self, model: str) -> str:
        self.platform.model(model)
        return model

    def _newest(self, model: str) -> DatasetVersion:
        """The newest version of a model's dataset.

        Raises:
            NotFound: nothing was ingested yet.
        """
        return newest(self.platform.records, self._known(model))

    def _version(self, model: str, version: str | None) -> DatasetVersion:
        """A dataset version by its hash or the beginning of it; the newest for None.

        Raises:
            NotFound: there is none, or several begin so.
        """
        if version is None:
            return self._newest(model)
        known = self.platform.records.find(DatasetVersion, model=self._known(model))
        found = [v for v in known if v.version.startswith(version) and v.version != EMPTY]
        if len(found) == 1:
            return found[0]
        if found:
            raise NotFound(
                f"{len(found)} dataset versions of {model} begin with {version!r}; give more digits"
            )
        raise NotFound(
            f"{model} has no dataset version {version!r}"
            f"{did_you_mean(version, [v.version for v in known])}; see `flyball data log {model}`"
        )

    def _batch(self, model: str, batch_id: str) -> DataBatch:
        """A batch by its id.

        Raises:
            NotFound: there is none; names the nearest.
        """
        return self.platform.records.get(DataBatch, f"{self._known(model)}/{batch_id}")
