"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from trigger_ml.errors import BuildError

__all__ = ["appearing", "write_text"]


@contextlib.contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A temporary name that becomes ``path`` when the block ends well, and vanishes if not.

    Raises BuildError when the folder is read-only, the disk is full, and the like.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise BuildError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically. Raises BuildError as :func:`appearing`."""
    with appearing(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def _sync_folder(folder: Path) -> None:
    """The new name itself must survive a power cut too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
