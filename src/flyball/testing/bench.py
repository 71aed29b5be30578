"""A check's context on the toy: packaged models of one dataset, good ones and a poor one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from flyball.checks.latency import CHILD, measure
from flyball.domain.lifecycle import ModelVersion
from flyball.ports import CheckContext, Model
from flyball.settings import Gates
from flyball.steps.manifest import Manifest, write_manifest
from flyball.storage.blobs import FileBlobs
from flyball.testing.builders import a_version
from flyball.testing.fakes import FakeTarget
from flyball.testing.toy import OBJECTIVE, Curve, CurveConfig, Mean, MeanConfig, ToyApplication
from flyball.testing.toy import a_frame as rows

Spoil: TypeAlias = Callable[[Path], None]


@dataclass
class Measures:
    """Measures in this process; remembers what it was asked."""

    application: ToyApplication

    def call(self, function: str, request: Mapping[str, Any], *, timeout_s: float) -> Any:  # noqa: ARG002
        """The measurements. Takes no other function, and keeps no time limit."""
        assert function == CHILD, f"{function} is not the latency check's"
        return measure(self.application, Path(request["directory"]), requests=50)


class Bench:
    """Makes contexts for checks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.application = ToyApplication()
        self.blobs = FileBlobs(root / "artifacts")
        self.target = FakeTarget()
        self.tables = {"points": rows(400)}
        self.prepared = self.application.prepare(self.tables, seed=7)

    def version(self, number: str, model: Model, spoil: Spoil | None = None) -> ModelVersion:
        """A stored version; ``spoil`` changes its files before they are stored."""
        directory = self.root / number
        directory.mkdir()
        self.application.package(model, self.prepared, self.tables, directory)
        write_manifest(
            directory,
            Manifest(
                model="toy",
                family=model.family,
                architecture="toy@1/x@1",
                data_version="0" * 32,
                hyperparameters={},
                split={},
                seeds={},
                threads=1,
                metrics={},
                code="",
                environment="",
            ),
        )
        if spoil is not None:
            spoil(directory)
        artifact = self.blobs.put(directory)
        return a_version(number, model="toy", family=model.family, artifact=artifact)

    def good(self, number: str = "1.0.0", **more: Any) -> ModelVersion:
        """A curve that fits."""
        config = CurveConfig(degree=3, penalty=0.01)
        return self.version(number, Curve.fit(self.prepared.final.train, config), **more)

    def poor(self, number: str = "1.1.0") -> ModelVersion:
        """The baseline itself."""
        return self.version(number, Mean.fit(self.prepared.final.train, MeanConfig()))

    def context(self, candidate: ModelVersion, **fields: Any) -> CheckContext:
        """Everything a check may use, with any field overridden."""
        context = CheckContext(
            application=self.application,
            candidate=candidate,
            champion=None,
            champion_split={},
            tables=self.tables,
            prepared=self.prepared,
            objective=OBJECTIVE,
            limits=Gates(),
            blobs=self.blobs,
            executor=Measures(self.application),
            target=self.target,
        )
        return replace(context, **fields)
