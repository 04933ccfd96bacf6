"""Read jets: our own files, and the public files with the same content, so that users bring
their own.

* ours: HDF5 made by ``trigger-ml data jets`` (:mod:`trigger_ml.tasks.jets.store`);
* the hls4ml LHC jet data sets (Zenodo 3601436, 3601443, 3602254, 3602260), HDF5: ``jets``
  (n, 59) with ``jetFeatureNames`` (``j_zlogz`` ..., one-hot ``j_g j_q j_w j_z j_t``), and
  ``jetConstituentList`` (n, N, 16) with ``particleFeatureNames`` (``j1_pt`` ...);
* the CERNBox file of the hls4ml tutorial, HDF5: the compound data set ``t_allpar_new``;
* OpenML 42468 ``hls4ml_lhc_jets_hlf``, ARFF: the 16 columns and ``class``.

A directory means all HDF5 files in it, in the order of their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ConfigError, DataError
from trigger_ml.tasks.jets.arff import read_arff
from trigger_ml.tasks.jets.card import ContentDigest, DataCard
from trigger_ml.tasks.jets.names import CLASSES, CONSTITUENT_COLUMNS, CONSTITUENTS, FEATURES
from trigger_ml.tasks.jets.sample import JetSample, checked, joined
from trigger_ml.tasks.jets.store import FORMAT

__all__ = ["CLASSES", "FEATURES", "JetSample", "load_jets"]

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_TUTORIAL_TREE = "t_allpar_new"
_SLAB = 2000
_KNOWN = (
    "give a file made by `trigger-ml data jets`, an hls4ml LHC jet HDF5 file or a directory of "
    "them, or the ARFF file of OpenML 42468"
)


def load_jets(path: Path, *, limit: int | None = None, constituents: bool = True) -> JetSample:
    """Read the jets of a file or directory, whichever of the known formats it has.

    limit: the first so many jets only; all by default. constituents: False reads the 16
    features alone (a file of 500,000 jets holds 400 MB of constituents).

    Raises DataError, listing everything that is wrong: a missing or unknown file, missing
    columns, no jets, numbers that are not finite, labels that are not one of the five classes,
    and, for a whole file of ours, content that differs from its data card.
    """
    if limit is not None and limit < 1:
        raise ConfigError(Blocker("limit", f"must be 1 or more, found {limit}"))
    path = Path(path)
    if not path.is_dir():
        return _load_file(path, limit, constituents)
    files = sorted(file for file in path.iterdir() if file.suffix in (".h5", ".hdf5"))
    if not files:
        raise DataError(Blocker(str(path), "holds no .h5 or .hdf5 file", _KNOWN))
    samples: list[JetSample] = []
    for file in files:
        left = None if limit is None else limit - sum(map(len, samples))
        if left is None or left > 0:
            samples.append(_load_file(file, left, constituents))
    return joined(samples, f"{len(samples)} files of {path}")


def _load_file(path: Path, limit: int | None, constituents: bool) -> JetSample:
    try:
        with path.open("rb") as handle:
            head = handle.read(len(_HDF5_MAGIC))
    except OSError as error:
        raise DataError(Blocker(str(path), f"cannot be read: {error.strerror}", _KNOWN)) from None
    if head == _HDF5_MAGIC:
        sample = _load_hdf5(path, limit, constituents)
    elif path.suffix.lower() == ".arff" or head[:1] in (b"%", b"@"):
        features, labels = read_arff(path, limit)
        sample = JetSample(features, labels, None, f"{path.name} (ARFF)")
    else:
        raise DataError(Blocker(str(path), "is neither HDF5 nor ARFF", _KNOWN))
    return checked(sample, str(path))


def _load_hdf5(path: Path, limit: int | None, constituents: bool) -> JetSample:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") == FORMAT:
                return _ours(file, path, limit, constituents)
            if "jets" in file and "jetFeatureNames" in file:
                return _public(file, path, limit, constituents)
            if _TUTORIAL_TREE in file:
                return _tutorial(file, path, limit)
            found = ", ".join(sorted(file)[:8]) or "nothing"
    except (OSError, RuntimeError, KeyError) as error:
        raise DataError(
            Blocker(str(path), f"is damaged: {error}", "fetch or make it again")
        ) from None
    raise DataError(Blocker(str(path), f"is HDF5 of another kind, with {found}", _KNOWN))


def _ours(file: Any, path: Path, limit: int | None, constituents: bool) -> JetSample:
    names = ["features", "labels", "constituents", "event"]
    rows = {
        name: file[name][:limit]
        for name in names
        if name in file and (constituents or name != "constituents")
    }
    card = DataCard.from_json(str(file.attrs["card"]), str(path))
    if limit is None or limit >= card.jets:
        _compare_digests(rows, card, path)
    return JetSample(
        rows["features"],
        rows["labels"],
        rows.get("constituents"),
        f"{path.name} ({card.generator})",
        rows.get("event"),
        card,
    )


def _compare_digests(rows: dict[str, NDArray[Any]], card: DataCard, path: Path) -> None:
    digest = ContentDigest()
    for name, values in rows.items():
        digest.update(name, values)
    altered = [name for name, value in digest.digests().items() if value != card.digests.get(name)]
    if altered:
        fix = "fetch or make the file again"
        raise DataError(
            [Blocker(f"{path}, {name}", "differs from the data card", fix) for name in altered]
        )


def _column_numbers(have: Sequence[str], want: Sequence[str], where: str) -> list[int]:
    missing = [name for name in want if name not in have]
    if missing:
        what = f"has no column {', '.join(missing)}"
        raise DataError(Blocker(where, what, f"its columns are {', '.join(have[:8])}, ..."))
    return [have.index(name) for name in want]


def _text(names: Any) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _labels(one_hot: NDArray[Any], where: str) -> NDArray[np.int8]:
    """(n, 5) flags to class numbers; every jet must have exactly one flag."""
    flags = one_hot == 1
    wrong = flags.sum(axis=1) != 1
    if wrong.any():
        what = f"{wrong.sum()} of {len(flags)} jets are not flagged as exactly one of {CLASSES}"
        raise DataError(Blocker(where, what, "remove those jets"))
    labels: NDArray[np.int8] = flags.argmax(axis=1).astype(np.int8)
    return labels


def _public(file: Any, path: Path, limit: int | None, constituents: bool) -> JetSample:
    where = f"{path}, jets"
    names, rows = _text(file["jetFeatureNames"][:]), file["jets"][:limit]
    if rows.ndim != 2 or rows.shape[1] != len(names):
        what = (
            f"must be 2-dimensional with {len(names)} columns (jetFeatureNames), found {rows.shape}"
        )
        raise DataError(Blocker(where, what, "fetch the file again"))
    wanted = [f"j_{name}" for name in (*FEATURES, *CLASSES)]
    table = rows[:, _column_numbers(names, wanted, where)]
    features = table[:, : len(FEATURES)].astype(np.float32)
    labels = _labels(table[:, len(FEATURES) :], where)
    particles = None
    if constituents and "jetConstituentList" in file and "particleFeatureNames" in file:
        particles = _public_constituents(file, path, len(features))
    return JetSample(features, labels, particles, f"{path.name} (hls4ml LHC jets)")


def _public_constituents(file: Any, path: Path, jets: int) -> NDArray[np.float32]:
    """The 64 hardest constituents of the public (n, N, 16) list, read slab by slab."""
    names, stored = _text(file["particleFeatureNames"][:]), file["jetConstituentList"]
    where = f"{path}, jetConstituentList"
    columns = _column_numbers(names, [f"j1_{name}" for name in CONSTITUENT_COLUMNS], where)
    if stored.ndim != 3 or stored.shape[0] < jets or stored.shape[2] <= max(columns):
        what = f"must have the shape ({jets}, N, {len(names) - 1}), found {stored.shape}"
        raise DataError(Blocker(where, what, "fetch the file again"))
    out = np.zeros((jets, CONSTITUENTS, len(columns)), np.float32)
    for start in range(0, jets, _SLAB):
        slab = stored[start : min(start + _SLAB, jets)][:, :, columns]
        order = np.argsort(-slab[:, :, 0], axis=1, kind="stable")[:, :CONSTITUENTS]
        leading = np.take_along_axis(slab, order[:, :, None], axis=1)
        out[start : start + len(slab), : leading.shape[1]] = leading
    return out


def _tutorial(file: Any, path: Path, limit: int | None) -> JetSample:
    where, rows = f"{path}, {_TUTORIAL_TREE}", file[_TUTORIAL_TREE][:limit]
    wanted = [f"j_{name}" for name in (*FEATURES, *CLASSES)]
    _column_numbers(rows.dtype.names or (), wanted, where)
    table = np.stack([rows[name].astype(np.float32) for name in wanted], axis=1)
    labels = _labels(table[:, len(FEATURES) :], where)
    features = np.ascontiguousarray(table[:, : len(FEATURES)])
    return JetSample(features, labels, None, f"{path.name} (hls4ml tutorial)")
