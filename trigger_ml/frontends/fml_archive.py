"""hls4ml's ``.fml``, a tar packed with gzip: its members and arrays, read with care.

Nothing is written to disk, and no name in the archive is a path: a member is looked up by a name
that is known beforehand, or by that of an array, which has letters, digits and underscores only.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.model_file import BROKEN, first_line

__all__ = ["ARCHITECTURE", "CONFIG", "GZIP_START", "STATE", "VERSION", "FmlArchive", "holds_fml"]

GZIP_START: Final = b"\x1f\x8b"
ARCHITECTURE: Final = "model_arch.json"
CONFIG: Final = "config.json"
STATE: Final = "graph_state.json"
VERSION: Final = "version.json"
DOCUMENTS: Final = (ARCHITECTURE, CONFIG, STATE, VERSION)
ARRAY_MARK: Final = "@ndarray:"
"""What hls4ml's ``utils.serialization`` puts before the name of an array's member."""
ARRAY_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,200}\.npy", re.ASCII)
TEST_BENCH: Final = re.compile(r"(input|output)_data_tb(\.[A-Za-z0-9]{1,8})?", re.ASCII)
"""Events for hls4ml's test bench, which are not read."""
MOST_BYTES: Final = 1 << 28
"""An archive that unpacks to more is no network for a trigger, and may be a bomb."""
MOST_PEEK: Final = 1 << 24
MOST_DOCUMENT: Final = 1 << 25
MOST_MEMBERS: Final = 10_000
DAMAGED: Final = (*BROKEN, tarfile.TarError, MemoryError)
FIX: Final = "save it again with hls4ml 1.3: model.save('net.fml')"


def holds_fml(path: Path) -> bool:
    """Whether a file is a gzip of a tar that holds what hls4ml saves. Never raises."""
    try:
        with gzip.open(path) as packed:
            start = packed.read(MOST_PEEK)
        with tarfile.open(fileobj=io.BytesIO(start), mode="r:") as archive:
            return any(_plain(member.name) in DOCUMENTS for member in archive)
    except DAMAGED:
        return False


class FmlArchive:
    """The members of an archive, all in memory."""

    def __init__(self, data: bytes, path: Path) -> None:
        """data: the file's content. path: what the messages call it. Raises ModelError."""
        self.path = path
        self._members = _members(data, path)

    def documents(self) -> dict[str, dict[str, Any]]:
        """The four JSON documents, each an object. Raises ModelError."""
        found: dict[str, dict[str, Any]] = {}
        blockers: list[Blocker] = []
        for name in DOCUMENTS:
            try:
                found[name] = self._document(name)
            except ModelError as error:
                blockers.extend(error.blockers)
        if blockers:
            raise ModelError(blockers)
        return found

    def array(self, mark: Any, where: str) -> NDArray[np.float64]:
        """The finite numbers of a member. mark: what stands for it in the architecture.

        Raises ModelError.
        """
        name = mark.removeprefix(ARRAY_MARK) if isinstance(mark, str) else ""
        if not isinstance(mark, str) or not mark.startswith(ARRAY_MARK):
            raise ModelError(Blocker(where, "has no array", FIX))
        if name not in self._members or ARRAY_NAME.fullmatch(name) is None:
            raise ModelError(Blocker(where, f"its array {name[:80]!r} is not in the file", FIX))
        try:
            values = _numbers(self._members[name])
        except DAMAGED as error:
            what = f"{name} is no array of numbers: {first_line(error)[:120]}"
            raise ModelError(Blocker(where, what, FIX)) from error
        if not np.isfinite(values).all():
            raise ModelError(Blocker(where, f"{name} holds infinities or no numbers", FIX))
        return values

    def _document(self, name: str) -> dict[str, Any]:
        where = f"{self.path} {name}"
        data = self._members.get(name)
        if data is None:
            raise ModelError(Blocker(str(self.path), f"holds no {name}", FIX))
        if len(data) > MOST_DOCUMENT:
            raise ModelError(Blocker(where, f"has {len(data)} bytes, {MOST_DOCUMENT} is the most"))
        try:
            found = json.loads(data, parse_constant=_refuse_constant)
        except BROKEN as error:
            raise ModelError(Blocker(where, f"is not JSON: {first_line(error)}", FIX)) from error
        if not isinstance(found, dict):
            raise ModelError(Blocker(where, "does not hold an object", FIX))
        return found


def _members(data: bytes, path: Path) -> dict[str, bytes]:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            unpacked = packed.read(MOST_BYTES + 1)
        if len(unpacked) > MOST_BYTES:
            what = f"unpacks to more than {MOST_BYTES >> 20} MiB"
            raise ModelError(Blocker(str(path), what, "is it a network for a trigger?"))
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            return _contents(archive, path)
    except DAMAGED as error:
        what = f"cannot be read as a packed tar: {first_line(error)}"
        raise ModelError(Blocker(str(path), what, "is it whole?")) from error


def _contents(archive: tarfile.TarFile, path: Path) -> dict[str, bytes]:
    """Content of the known members; what hls4ml would not have put there is refused."""
    found: dict[str, bytes] = {}
    blockers: list[Blocker] = []
    for count, member in enumerate(archive):
        if count >= MOST_MEMBERS:
            raise ModelError(Blocker(str(path), f"holds more than {MOST_MEMBERS} members"))
        name = _plain(member.name)
        if member.isdir() and name in ("", "."):
            continue
        where = f"{path} {member.name[:80]!r}"
        if not member.isreg() or member.issparse():
            blockers.append(Blocker(where, "is not a plain file", FIX))
        elif name in found:
            blockers.append(Blocker(where, "is there twice", FIX))
        elif name in DOCUMENTS or ARRAY_NAME.fullmatch(name):
            content = archive.extractfile(member)
            found[name] = content.read() if content is not None else b""
        elif TEST_BENCH.fullmatch(name) is None:
            blockers.append(Blocker(where, "is nothing that hls4ml saves", FIX))
    if blockers:
        raise ModelError(blockers)
    return found


def _plain(name: str) -> str:
    """A member's name without the folder that tar writes before it."""
    return name.removeprefix("./")


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _numbers(data: bytes) -> NDArray[np.float64]:
    """An array of NumPy's format 1.0 or 2.0. The header's size must be that of the data."""
    stream = io.BytesIO(data)
    major = np.lib.format.read_magic(stream)
    if major not in ((1, 0), (2, 0)):
        raise ValueError(f"format {major}")
    read = np.lib.format.read_array_header_1_0
    if major == (2, 0):
        read = np.lib.format.read_array_header_2_0
    shape, by_columns, kind = read(stream)
    rest = data[stream.tell() :]
    if kind.hasobject or kind.kind not in "iuf" or kind.itemsize > 8:
        raise ValueError(f"elements of type {kind}")
    fits = min(shape, default=0) >= 0 and prod(shape) * kind.itemsize == len(rest)
    if not fits or not rest:
        raise ValueError(f"{len(rest)} bytes are not {shape} elements of {kind}")
    values = np.frombuffer(rest, kind).reshape(shape, order="F" if by_columns else "C")
    return np.ascontiguousarray(values, dtype=np.float64)
