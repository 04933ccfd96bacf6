"""Columns of a CSV file, each in a type of its own: numbers above 2**53 stay exact."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError

__all__ = ["Table", "read_table"]

Table = dict[str, NDArray[Any]]
"""Columns by name, equally long."""


def read_table(path: Path, columns: Mapping[str, str]) -> Table:
    """Named columns of a file whose first line names them all.

    columns: name and NumPy type of those that are wanted; others are passed over.

    Raises DataError listing every column that is missing, or what cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            names = [name.strip() for name in next(csv.reader(file), [])]
        if missing := [name for name in columns if name not in names]:
            has = ", ".join(names) or "nothing"
            what = f"there is no such column; the file has {has}"
            raise DataError([Blocker(f"{path}: {name}", what) for name in missing])
        return _rows(path, names, columns)
    except OSError as error:
        raise DataError(Blocker(str(path), f"cannot be read: {error.strerror}")) from error
    except (UnicodeDecodeError, ValueError, OverflowError) as error:
        raise DataError(Blocker(str(path), f"is not a table of numbers: {error}")) from error


def _rows(path: Path, names: list[str], columns: Mapping[str, str]) -> Table:
    with path.open(encoding="utf-8") as file:
        file.readline()
        begin = file.tell()
        if not file.readline().strip():
            return {name: np.zeros(0, kind) for name, kind in columns.items()}
        file.seek(begin)
        rows = np.loadtxt(
            file,
            dtype=list(columns.items()),
            delimiter=",",
            usecols=[names.index(name) for name in columns],
            ndmin=1,
        )
    return {name: rows[name].copy() for name in columns}
