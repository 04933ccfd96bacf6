"""HDF5 files that appear whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import h5py

from trigger_ml.files import appearing, write_text

__all__ = ["appearing", "new_hdf5", "write_text"]


class _Shield:
    """A file for HDF5 that keeps the first failed write to itself.

    HDF5 cannot close a file it failed to write (full disk), and crashes the interpreter at exit.
    It is told that all is well, closes, and the failure is raised after that.
    """

    def __init__(self, raw: FileIO) -> None:
        self._raw = raw
        self.error: OSError | None = None
        for name in ("read", "seek", "tell", "truncate", "flush"):
            setattr(self, name, self._kept(getattr(raw, name)))

    def _kept(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def kept(*arguments: Any) -> Any:
            try:
                return call(*arguments)
            except OSError as error:
                self.error = self.error or error
                return 0

        return kept

    def write(self, content: Any) -> int:
        """All of ``content``, or the appearance of it."""
        rest = memoryview(content).cast("B")
        size = len(rest)
        while self.error is None and len(rest):
            rest = rest[self._kept(self._raw.write)(rest) :]
        return size

    def readinto(self, target: Any) -> int:
        """What is there; zeros where a write was lost."""
        view = memoryview(target).cast("B")
        found = int(self._kept(self._raw.readinto)(view))
        if self.error is not None:
            view[found:] = bytes(len(view) - found)
            return len(view)
        return found

    def check(self) -> None:
        """Raise the failure that was kept, if any."""
        if self.error is not None:
            raise self.error


@contextlib.contextmanager
def new_hdf5(path: Path) -> Iterator[tuple[Any, Callable[[], None]]]:
    """An HDF5 file open for writing that appears at ``path`` when the block ends well.

    Yields the file, and a function to call now and then that ends the block early when a write
    has failed. Raises BuildError as :func:`appearing`.
    """
    with appearing(path) as part, part.open("w+b", buffering=0) as raw:
        shield = _Shield(raw)
        try:
            with h5py.File(shield, "w") as file:
                yield file, shield.check
        finally:
            shield.check()
