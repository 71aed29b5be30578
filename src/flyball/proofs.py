"""The verbs about evidence: does it hold, and what is the story that it tells."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import Route
from flyball.domain.traffic import claimed_version
from flyball.errors import EnvironmentFailed, InvalidRequest, NotFound
from flyball.queries import Queries

if TYPE_CHECKING:
    from flyball.steps.story import Chapter
    from flyball.steps.verifying import Holds


class _Meant(NamedTuple):
    """What somebody asked about: a model, perhaps a version, perhaps by one answer of it."""

    model: str
    version: ModelVersion | None = None
    answer: str = ""


class Proofs(Queries):
    """What can be proven, with no process running and no network. Nothing is changed."""

    def verify(
        self,
        asked: str,
        version: str | None = None,
        *,
        key: Path | None = None,
        out: Path | None = None,
    ) -> Holds:
        """Check a version's signed evidence, and that the records and files still say the same.

        Args:
            asked: a model, or a ``recommendation_id`` that the version answered.
            version: its name or number; default the one that serves.
            key: trust this public key alone; default those of the home.
            out: a file to write the bundles to.

        Raises:
            EvidenceBroken, LedgerBroken: name the first thing that does not hold.
            NotFound: no such version, answer or key; or nothing serves.
            EnvironmentFailed: ``out`` cannot be written.
        """
        from flyball.domain.bundle import moves
        from flyball.steps.exported import exported
        from flyball.steps.verifying import verify
        from flyball.storage.signing import Checker

        meant = self._meant(asked, version)
        found = meant.version or self._serving(meant.model)
        check = Checker.of_file(key) if key else Checker.of_home(self.platform.home)
        records = self.platform.records
        held, signed = verify(found, records=records, blobs=self.platform.blobs, check=check)
        if out is not None:
            rows = moves(records.ledger(model=found.model), found.id)
            _written(out, exported(signed, rows, check.pems()))
        return held

    def verify_file(self, file: Path, *, key: Path) -> Holds:
        """Check exported bundles with a public key; no installation is needed for it.

        Raises:
            EvidenceBroken: names the first thing that does not hold.
            InvalidRequest, ConfigurationError: the file holds no bundles, or the other no key.
            NotFound: there is no such file.
        """
        from flyball.steps.exported import verify_exported
        from flyball.storage.signing import Checker

        try:
            content = file.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no file {file}") from None
        except OSError as error:
            raise EnvironmentFailed(f"{file} cannot be read: {error.strerror or error}") from error
        return verify_exported(content, Checker.of_file(key))

    def history(self, asked: str, version: str | None = None) -> Sequence[Chapter]:
        """What happened to a model or to one version: who, when, why, with which evidence.

        Args:
            asked: a model, or a ``recommendation_id``: then its version, and when it answered.
            version: its name or number; default the whole model.

        Raises:
            NotFound: no such version or answer.
        """
        from flyball.steps.story import story

        meant = self._meant(asked, version)
        told = story(self.platform.records, meant.model, meant.version)
        if meant.answer:
            told = sorted([*told, *self._answered(meant)], key=lambda one: one.at)
        return told

    def _answered(self, meant: _Meant) -> list[Chapter]:
        from flyball.steps.story import Chapter

        given = self.platform.answers(meant.model).read(meant.answer)
        if given is None or meant.version is None:
            raise NotFound(
                f"{meant.answer} was not given by this installation: its signature is not one of "
                f"{meant.model}'s. The version that it names has a history of its own: "
                f"`flyball history {meant.model} {claimed_version(meant.answer)}`"
            )
        what = f"{meant.version.name} answered {meant.answer}"
        return [Chapter(at=given.at, who="", what=what, why="", about=meant.answer)]

    def _meant(self, asked: str, version: str | None) -> _Meant:
        """What an id means; a model goes before an answer."""
        if version is not None:
            return _Meant(asked, self._version(asked, version))
        model, slash, rest = asked.partition("/")
        claimed = claimed_version(rest if slash else asked)
        if claimed is None:
            if not slash:
                return _Meant(self._known(asked))
            return _Meant(model, self._version(model, rest))
        answer = rest if slash else asked
        for name in [self._known(model)] if slash else sorted(self.settings.models):
            with suppress(NotFound):
                return _Meant(name, self._version(name, claimed), answer)
        raise NotFound(
            f"{asked} names version {claimed}, which is not recorded here; see "
            "`flyball versions MODEL`"
        )

    def _serving(self, model: str) -> ModelVersion:
        with suppress(NotFound):
            champion = self.platform.records.get(Route, model).champion
            if champion:
                return self.platform.records.get(ModelVersion, f"{model}/{champion}")
        raise InvalidRequest(
            f"nothing serves {model} yet; name a version (see `flyball versions {model}`)"
        )


def _written(file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailed(
            f"{file} cannot be written: {error.strerror or error}; choose another file with --out"
        ) from error
