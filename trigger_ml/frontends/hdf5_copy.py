"""HDF5 files of unknown origin, taken apart by a process that may fail.

The HDF5 library trusts what it reads: one changed byte can send it into an endless loop or out
of its memory, and with it the process that called it. So it opens a model file in a process of
its own, with a limit on time and memory, which writes what it found into a new file; everything
else reads that copy. The copy holds groups, arrays and plain attributes, and nothing that lies in
another file.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from trigger_ml.errors import ToolFailedError
from trigger_ml.toolrun import Command, run

__all__ = ["copied"]

MOST_CPU_S: Final = 10
MOST_WALL_S: Final = 300.0
MOST_MEMORY: Final = 4 << 30
MOST_BYTES: Final = 1 << 30
"""Of all arrays together; a network for a trigger is a thousandth of it."""
MOST_DEPTH: Final = 16
"""Groups within groups; no layer of Keras lies deeper."""
REFUSED: Final = "refused: "
"""Starts the line in which the process says what is wrong."""


@lru_cache(maxsize=2)
def copied(data: bytes) -> bytes:
    """The content of an HDF5 file, as a file that this process's own library wrote.

    data: the file's bytes; the last results are kept, since a compilation asks twice. Raises
    ValueError where they cannot be read whole, where something lies in another file, is a link
    or is too large, and where the library crashed on it or came to no end.
    """
    with tempfile.TemporaryDirectory(prefix="trigger-ml.") as name:
        folder = Path(name)
        source, target = folder / "source.h5", folder / "copy.h5"
        source.write_bytes(data)
        program = (sys.executable, "-m", __name__, str(source), str(target))
        command = Command(program, folder, "read the HDF5 file", timeout_s=MOST_WALL_S)
        try:
            run(command)
        except ToolFailedError as error:
            raise ValueError(_reason(str(error))) from error
        return target.read_bytes()


def _reason(message: str) -> str:
    lines = [line.strip() for line in message.splitlines()]
    said = [line.removeprefix(REFUSED) for line in lines if line.startswith(REFUSED)]
    if said:
        return said[-1]
    what = lines[0].split(": ", 1)[-1].split("; its last lines")[0]
    return f"the HDF5 library fails on it ({what}), so it is damaged"


def _copy(source: Path, target: Path) -> None:
    with h5py.File(source, "r") as old, h5py.File(target, "w", libver="latest") as new:
        _attributes(old, new)
        left = MOST_BYTES
        for path, item in _items(old, ""):
            if isinstance(item, h5py.Group):
                _attributes(item, new.create_group(path))
                continue
            left -= item.size * item.dtype.itemsize
            if left < 0:
                raise ValueError(f"its arrays are larger than {MOST_BYTES >> 20} MiB")
            _attributes(item, new.create_dataset(path, data=item[()], dtype=item.dtype))


def _items(group: h5py.Group, path: str) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Everything below a group. Raises ValueError at what lies elsewhere or has no end."""
    for key in group:
        name = f"{path}/{key}"
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise ValueError(f"{name} lies elsewhere than in this file")
        item = group[key]
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"{name} lies elsewhere than in this file")
            yield name, item
        elif isinstance(item, h5py.Group):
            # A group that holds itself has no end.
            if path.count("/") > MOST_DEPTH:
                raise ValueError(f"{name} lies deeper than {MOST_DEPTH} groups")
            yield name, item
            yield from _items(item, name)


def _attributes(old: Any, new: Any) -> None:
    """Texts and numbers; references and what has no value say nothing about a network."""
    for key in old.attrs:
        value = old.attrs[key]
        if isinstance(value, str | bytes | np.generic | np.ndarray):
            plain = np.asarray(value)
            texts = plain.dtype.kind in "OU"
            if not texts or all(isinstance(text, str | bytes) for text in plain.flat):
                kind = h5py.string_dtype() if texts else plain.dtype
                new.attrs.create(key, value, dtype=kind)


def _main(source: str, target: str) -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        _copy(Path(source), Path(target))
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"{REFUSED}{reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
