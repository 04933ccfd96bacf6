"""Read the public top-tagging reference data set (A. Butter et al., arXiv:1902.09914; Zenodo
2603256): ``train.h5``, ``val.h5`` and ``test.h5``, tables that pandas wrote.

What is known of the layout, and from where:

* By its data card: each row holds E, PX, PY, PZ of up to 200 particles, hardest first and padded
  with zeros, then the true top quark's four-momentum, ``ttv``, and ``is_signal_new`` (1 top,
  0 QCD); anti-kT jets of radius 0.8 with 550 to 650 GeV.
* By programs of others that read the files with h5py: the group ``table`` holds the compound
  data set ``table`` with ``index``, ``values_block_0`` (804 floats, in the order above) and
  ``values_block_1`` (``ttv``, ``is_signal_new``). A frame of these columns that pandas wrote
  (``to_hdf(key="table", format="table")``) has that very layout, and is read here as written.
* Not verified here: the files themselves (1.7 GB), how they are compressed, and the code of
  ``ttv``. So the side of a jet comes from the name of its file, which the data card says is the
  same, and ``ttv`` is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ConfigError, DataError
from trigger_ml.splits import SIDES

__all__ = ["TOP_CLASSES", "TopJets", "is_top_tagging", "load_top_tagging"]

TOP_CLASSES: Final = ("qcd", "top")
"""Labels 0 and 1, as in ``is_signal_new``."""

MOST_PARTICLES: Final = 200
MOMENTUM: Final = 4
"""E, PX, PY, PZ in GeV."""
LABEL: Final = 1
"""Place of ``is_signal_new`` in ``values_block_1``."""
NAMES: Final = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
"""Side of a file by the stem of its name."""
HDF5_START: Final = b"\x89HDF\r\n\x1a\n"
SLAB: Final = 20_000
FIX: Final = "fetch train.h5, val.h5 and test.h5 of Zenodo record 2603256 again"


@dataclass(frozen=True, slots=True)
class TopJets:
    """Jets of the reference set.

    particles: float32, shape (jets, particles, 3): pT in GeV, pseudorapidity and azimuth
    (radians) relative to the jet axis; hardest first, zero where there is none. labels: places
    in TOP_CLASSES. side: places in ``trigger_ml.splits.SIDES``. source: for reports.
    """

    particles: NDArray[np.float32]
    labels: NDArray[np.int8]
    side: NDArray[np.int8]
    source: str


def is_top_tagging(path: Path) -> bool:
    """Whether this is a file of the set, or a folder with one. Never raises."""
    import h5py

    files = sorted(path.glob("*.h5")) if path.is_dir() else [path]
    for file in files:
        try:
            with file.open("rb") as handle:
                if handle.read(len(HDF5_START)) != HDF5_START:
                    continue
            with h5py.File(file, "r") as opened:
                table = opened.get("table/table")
                if table is not None and "values_block_0" in (table.dtype.names or ()):
                    return True
        except (OSError, RuntimeError, AttributeError):
            continue
    return False


def load_top_tagging(path: Path, particles: int, *, limit: int | None = None) -> TopJets:
    """Read a file of the set, or all that a folder holds.

    particles: the so many hardest of each jet, 1 to 200. limit: jets of each file at most.

    Raises DataError with everything that is wrong: no file of a known name, another layout,
    numbers that are not finite, labels that are not 0 and 1, jets without particles; ConfigError
    for a number of particles or a limit out of range.
    """
    if not 1 <= particles <= MOST_PARTICLES or (limit is not None and limit < 1):
        what = f"must be 1 to {MOST_PARTICLES} and 1 or more, found {particles} and {limit}"
        raise ConfigError(Blocker("particles, limit", what))
    files = sorted(path.glob("*.h5")) if path.is_dir() else [path]
    chosen = {file: NAMES.get(file.stem.lower()) for file in files}
    strange = [file for file, side in chosen.items() if side is None]
    if strange or not chosen:
        names = ", ".join(file.name for file in strange) or "no .h5 file"
        what = f"{names}: the name of a file says which side its jets are on"
        raise DataError(Blocker(str(path), what, "name them train.h5, val.h5, test.h5"))
    parts = []
    for file, name in chosen.items():
        assert name is not None
        values, labels = _read(file, particles, limit)
        parts.append((values, labels, np.full(len(labels), SIDES.index(name), np.int8)))
    values, labels, sides = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    source = f"{path.name} (top-tagging reference, arXiv:1902.09914)"
    return TopJets(values, labels, sides, source)


def _read(
    path: Path, particles: int, limit: int | None
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            table = file["table/table"]
            _require_layout(table, path)
            jets = len(table) if limit is None else min(limit, len(table))
            parts = [
                _slab(table[start : min(start + SLAB, jets)], particles, path)
                for start in range(0, jets, SLAB)
            ]
    except (OSError, RuntimeError, KeyError) as error:
        raise DataError(Blocker(str(path), f"cannot be read: {error}", FIX)) from None
    if not parts:
        raise DataError(Blocker(str(path), "holds no jets", FIX))
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _require_layout(table: Any, path: Path) -> None:
    import h5py

    stored = table.id.get_create_plist()
    filters = [stored.get_filter(number)[0] for number in range(stored.get_nfilters())]
    missing = [str(code) for code in filters if not h5py.h5z.filter_avail(code)]
    if missing:
        what = f"is compressed by HDF5 filter {', '.join(missing)}, which h5py does not have"
        fix = "write it again with zlib: ptrepack --complib=zlib --complevel=4"
        raise DataError(Blocker(f"{path}, table", what, fix))
    fields = table.dtype.fields or {}
    widths = {name: int(np.prod(entry[0].shape)) for name, entry in fields.items()}
    width, flags = widths.get("values_block_0", 0), widths.get("values_block_1", 0)
    if width < MOST_PARTICLES * MOMENTUM or flags < LABEL + 1:
        what = (
            f"its rows hold {widths or 'no fields'}; values_block_0 must have "
            f"{MOST_PARTICLES * MOMENTUM} numbers or more, values_block_1 two"
        )
        raise DataError(Blocker(f"{path}, table", what, FIX))


def _slab(
    rows: NDArray[Any], particles: int, path: Path
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    momenta = rows["values_block_0"][:, : MOST_PARTICLES * MOMENTUM].astype(np.float64)
    momenta = momenta.reshape(len(rows), MOST_PARTICLES, MOMENTUM)
    labels = rows["values_block_1"][:, LABEL]
    broken = int((~np.isfinite(momenta)).any(axis=(1, 2)).sum())
    foreign = int((~np.isin(labels, (0, 1))).sum())
    empty = int((momenta[:, :, 1:3] == 0).all(axis=(1, 2)).sum())
    blockers = [
        Blocker(f"{path}, table", f"{count} of {len(rows)} jets {what}", FIX)
        for count, what in (
            (broken, "hold numbers that are not finite"),
            (foreign, "have an is_signal_new that is neither 0 nor 1"),
            (empty, "have no particle with transverse momentum"),
        )
        if count
    ]
    if blockers:
        raise DataError(blockers)
    return _relative(momenta, particles), labels.astype(np.int8)


def _relative(momenta: NDArray[np.float64], particles: int) -> NDArray[np.float32]:
    """Hardest particles as pT, eta and phi relative to the axis of all; (jets, particles, 3)."""
    pt = np.hypot(momenta[..., 1], momenta[..., 2])
    order = np.argsort(-pt, axis=1, kind="stable")[:, :particles]
    kept = np.take_along_axis(momenta, order[:, :, None], axis=1)
    pt = np.take_along_axis(pt, order, axis=1)
    axis = momenta.sum(axis=1)[:, None, :]
    eta = _pseudorapidity(kept) - _pseudorapidity(axis)
    phi = np.arctan2(kept[..., 2], kept[..., 1]) - np.arctan2(axis[..., 2], axis[..., 1])
    phi = (phi + np.pi) % (2 * np.pi) - np.pi
    there = pt > 0
    found = np.stack([pt, np.where(there, eta, 0), np.where(there, phi, 0)], axis=-1)
    return found.astype(np.float32)


def _pseudorapidity(momenta: NDArray[np.float64]) -> NDArray[np.float64]:
    """asinh(pz / pT), 0 without pT."""
    pt = np.hypot(momenta[..., 1], momenta[..., 2])
    ratio = np.divide(momenta[..., 3], pt, out=np.zeros_like(pt), where=pt > 0)
    return np.arcsinh(ratio)
