"""Every store of artifacts keeps the published contract."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from flyball.errors import ArtifactCorrupt, NotFound, StorageUnavailable
from flyball.storage.blobs import FileBlobs
from flyball.testing.blobs import BlobsContract, damage, folder


class TestFileBlobs(BlobsContract):
    """The contract, on a folder."""

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> FileBlobs:
        """Artifacts in a folder of their own."""
        return FileBlobs(tmp_path / "artifacts")
