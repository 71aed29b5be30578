"""The small files by which the ``dvc`` command finds its way in a home."""

from __future__ import annotations

import configparser
import io
from pathlib import Path

from flyball.storage.remotes import Remote

_IGNORE = b"# Only data/ is dvc's; it need not look at the rest of this home.\n/*\n!/data\n"
_REMOTE = "'remote \"local\"'"


def dvc_config(home: Path, remote: Remote) -> bytes:
    """What ``.dvc/config`` must hold; what else stands there stays.

    Raises:
        OSError: it cannot be read.
    """
    path = home / ".dvc" / "config"
    config = configparser.RawConfigParser(strict=False)
    config.read_string(path.read_text(encoding="utf-8") if path.exists() else "")
    wanted = {
        "core": {"no_scm": "true", "analytics": "false", "check_update": "false"},
        _REMOTE: {"url": remote.url(home)},
    }
    wanted["core"]["remote"] = "local"
    config.read_dict(wanted)
    text = io.StringIO()
    config.write(text)
    return text.getvalue().encode()


def dvc_ignore(home: Path) -> bytes:
    """What ``.dvcignore`` must hold: what stands there, if anything does."""
    path = home / ".dvcignore"
    return path.read_bytes() if path.exists() else _IGNORE


def dvc_file(model: str, version: str, size: int, count: int) -> bytes:
    """``data/<model>.dvc``: which version (``<md5>.dir``) lies in ``data/<model>``."""
    return (
        "outs:\n"
        f"- md5: {version}\n"
        f"  size: {size}\n"
        f"  nfiles: {count}\n"
        "  hash: md5\n"
        f"  path: {model}\n"
    ).encode()
