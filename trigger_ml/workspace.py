"""Build directories that appear whole or not at all.

A build is made beside its destination, in a hidden folder, and moved there when it is complete
and its verdicts allow it. One process works on a destination at a time.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from trigger_ml.errors import BuildError, ToolFailedError, TriggerMLError

__all__ = ["Workspace", "open_workspace"]


class Workspace:
    """A build in the making. stage: what will be kept. scratch: what will not."""

    def __init__(self, destination: Path, root: Path) -> None:
        self.destination = destination
        self.stage = root / "stage"
        self.scratch = root / "scratch"
        self.stage.mkdir()
        self.scratch.mkdir()

    @property
    def failed(self) -> Path:
        """Where a build goes whose verdicts do not allow it to replace the last good one."""
        return self.destination.with_name(f"{self.destination.name}.failed")

    def publish(self, passed: bool) -> Path:
        """Move the stage to its destination, or beside it; the place it now has."""
        target = self.destination if passed else self.failed
        old = self.stage.with_name("old")
        if target.exists():
            target.rename(old)
        try:
            self.stage.rename(target)
        except BaseException:
            if old.exists():
                old.rename(target)
            raise
        if passed:
            shutil.rmtree(self.failed, ignore_errors=True)
            _log_beside(self.destination).unlink(missing_ok=True)
        return target


@contextmanager
def open_workspace(
    destination: Path, marker: str = "report.json", what: str = "a build"
) -> Iterator[Workspace]:
    """A workspace for a destination, removed at the end whatever happens.

    marker: file whose presence says that a folder was made here and may be replaced.
    what: what such a folder is, for messages.
    Raises BuildError when the place cannot be written, is full, is something else, or is in use.
    """
    destination = destination.absolute()
    if destination.exists() and not _replaceable(destination, marker):
        raise BuildError(
            f"{destination} exists and is not {what} of trigger-ml; choose another --output"
        )
    parent = destination.parent
    with _disk_errors(destination):
        parent.mkdir(parents=True, exist_ok=True)
        if not os.access(parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        lock = FileLock(parent / f".{destination.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BuildError(
                f"{destination} is being made by another process; wait for it, or choose "
                "another --output"
            ) from None
        try:
            with tempfile.TemporaryDirectory(
                prefix=f".{destination.name}.", dir=parent, ignore_cleanup_errors=True
            ) as root:
                try:
                    yield Workspace(destination, Path(root))
                except ToolFailedError as error:
                    raise _with_log_kept(error, destination) from error
        finally:
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)


def _with_log_kept(error: ToolFailedError, destination: Path) -> ToolFailedError:
    """The same error with its log beside the destination, where it outlives the workspace."""
    kept = _log_beside(destination)
    try:
        if error.log is not None:
            shutil.copyfile(error.log, kept)
            return ToolFailedError(error.what, kept)
    except OSError:
        pass
    return ToolFailedError(error.what)


def _log_beside(destination: Path) -> Path:
    return destination.with_name(f"{destination.name}.failed.log")


def _replaceable(path: Path, marker: str) -> bool:
    return path.is_dir() and ((path / marker).exists() or not any(path.iterdir()))


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except TriggerMLError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BuildError(f"the disk of {path} is full; free some space") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise BuildError(f"{path} cannot be written: {error.strerror}") from error
        raise
