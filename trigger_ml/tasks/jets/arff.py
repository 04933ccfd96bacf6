"""The one ARFF file this task reads: OpenML 42468, 16 numeric columns and a nominal class.

Format: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/ (dense rows).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.tasks.jets.names import CLASSES, FEATURES

__all__ = ["read_arff"]

_BLOCK = 50_000
_TARGET = "class"


def read_arff(path: Path, limit: int | None = None) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Features (n, 16) float32 in the order of FEATURES, and labels (n,) int8.

    Columns may stand in any order, with or without the prefix ``j_``; missing values (``?``)
    become NaN. Raises DataError with every blocker found in the header, or in the first block
    of rows that has any.
    """
    try:
        with path.open(encoding="utf-8") as handle:
            columns = _header(handle, path)
            blocks = list(_blocks(handle, path, columns, limit))
    except UnicodeDecodeError as error:
        raise DataError(Blocker(str(path), f"is not a text file: {error}")) from None
    if not blocks:
        return np.zeros((0, len(FEATURES)), np.float32), np.zeros(0, np.int8)
    features, labels = zip(*blocks, strict=True)
    return np.concatenate(features), np.concatenate(labels)


def _bare(token: str) -> str:
    return token.strip().strip("'\"").lower().removeprefix("j_")


def _header(handle: TextIO, path: Path) -> list[str]:
    """Column names down to the line @DATA."""
    columns: list[str] = []
    for line in iter(handle.readline, ""):
        words = line.split(None, 2)
        if not words or words[0].startswith("%"):
            continue
        keyword = words[0].lower()
        if keyword == "@data":
            break
        if keyword == "@attribute" and len(words) == 3:
            columns.append(_bare(words[1]))
    missing = [name for name in (*FEATURES, _TARGET) if name not in columns]
    if missing:
        fix = "give the ARFF file of OpenML 42468 (hls4ml_lhc_jets_hlf)"
        raise DataError([Blocker(str(path), f"has no attribute {name!r}", fix) for name in missing])
    return columns


def _blocks(
    handle: TextIO, path: Path, columns: list[str], limit: int | None
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int8]]]:
    rows = (
        (number, line.split(","))
        for number, line in enumerate(handle, 1)
        if line.strip() and not line.startswith("%")
    )
    chosen = islice(rows, limit)
    target = columns.index(_TARGET)
    order = [columns.index(name) for name in FEATURES]
    while block := list(islice(chosen, _BLOCK)):
        _check_rows(block, len(columns), target, path)
        labels = [CLASSES.index(_bare(row[target])) for _, row in block]
        yield _numbers(block, order, path), np.array(labels, np.int8)


def _check_rows(block: list[tuple[int, list[str]]], width: int, target: int, path: Path) -> None:
    narrow = [number for number, row in block if len(row) != width]
    unknown = {
        row[target].strip()
        for _, row in block
        if len(row) == width and _bare(row[target]) not in CLASSES
    }
    blockers = []
    if narrow:
        what = f"{len(narrow)} data rows have not {width} values, the first is data row {narrow[0]}"
        blockers.append(Blocker(str(path), what, "fetch the file again"))
    if unknown:
        what = f"has the classes {', '.join(sorted(unknown)[:5])}, which are none of {CLASSES}"
        blockers.append(Blocker(str(path), what))
    if blockers:
        raise DataError(blockers)


def _numbers(
    block: list[tuple[int, list[str]]], order: list[int], path: Path
) -> NDArray[np.float32]:
    picked = [[row[column] for column in order] for _, row in block]
    try:
        return np.array(picked, dtype=np.float64).astype(np.float32)
    except ValueError:
        pass
    out = np.empty((len(picked), len(order)), np.float32)
    for index, ((number, _), row) in enumerate(zip(block, picked, strict=True)):
        try:
            out[index] = ["nan" if value.strip() == "?" else value for value in row]
        except ValueError as error:
            raise DataError(Blocker(f"{path}, data row {number}", str(error))) from None
    return out
