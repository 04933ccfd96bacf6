"""Hit graphs in the layout of HEP.TrkX: ``.npz`` files, one for each graph.

As its ``prepare.py`` and ``datasets/graph.py`` have it [github.com/HEPTrkX/heptrkx-gnn-tracking]:
``X`` (hits, 3) has radius, azimuth and z, each divided by a scale; ``y`` (edges,) is 1 for a true
segment. ``Ri`` and ``Ro`` (hits, edges) are 1 where an edge ends and begins: ``Ri`` marks the
outer hit, whose incoming edge it is, ``Ro`` the inner one. The sparse form has the rows and
columns of their ones instead: ``Ri_rows``, ``Ri_cols``, ``Ro_rows``, ``Ro_cols``.

The scale is 1000 mm, pi / sections and 1000 mm, where sections is how many parts the azimuth was
cut into: 8 for the big graphs, 4 for the others. Azimuth is from the middle of the part.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.files import appearing
from trigger_ml.tasks.tracks.detector import BARREL, layer_at
from trigger_ml.tasks.tracks.graphs import HitGraph

__all__ = ["SCALE", "read_hep_trkx", "write_hep_trkx"]

SCALE: Final = (1000.0, float(np.pi) / 8, 1000.0)
"""What radius, azimuth and z were divided by, in mm, rad and mm."""
_DENSE: Final = ("Ri", "Ro")
_SPARSE: Final = ("Ri_rows", "Ri_cols", "Ro_rows", "Ro_cols")
_SWAPPED: Final = "Ri marks the outer hit and Ro the inner one; are they swapped, or the scale?"

Arrays = Mapping[str, NDArray[Any]]
Indices = NDArray[np.int64]


def read_hep_trkx(path: Path, scale: tuple[float, float, float] = SCALE) -> HitGraph:
    """Read one graph, dense or sparse.

    The file does not say which layer a hit is in (the nearest barrel layer is taken), and not
    which particle made it: hits that true edges connect are taken as one particle's. ``pt`` and
    ``eta`` are NaN, and ``lost`` is empty.

    Raises DataError listing all that is wrong: no .npz file, arrays that are missing or of
    another shape, edges without exactly two ends, labels other than 0 and 1, hits far from every
    barrel layer, edges that do not lead outwards.
    """
    arrays = _arrays(path)
    if blockers := list(_layout_blockers(path, arrays)):
        raise DataError(blockers)
    blockers, ends = [], []
    for name in _DENSE:
        try:
            ends.append(_ends(path, arrays, name))
        except DataError as error:
            blockers += error.blockers
    r, phi, z = (arrays["X"].astype(np.float64) * scale).T
    blockers += _content_blockers(path, arrays, r)
    if not blockers and (r[ends[0]] <= r[ends[1]]).any():
        wrong = int((r[ends[0]] <= r[ends[1]]).sum())
        blockers.append(Blocker(str(path), f"{wrong} edges do not lead outwards", _SWAPPED))
    if blockers:
        raise DataError(blockers)
    receivers, senders = ends
    truth = arrays["y"] != 0
    unknown = np.full(len(r), np.nan, np.float32)
    return HitGraph(
        r.astype(np.float32),
        phi.astype(np.float32),
        z.astype(np.float32),
        layer_at(r).astype(np.uint8),
        _connected(len(r), senders[truth], receivers[truth]),
        unknown,
        unknown,
        senders,
        receivers,
        truth,
        np.zeros((0, 2), np.int64),
    )


def _arrays(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(Blocker(str(path), f"is not an .npz file: {error}")) from error


def _layout_blockers(path: Path, arrays: Arrays) -> Iterator[Blocker]:
    sparse = any(name in arrays for name in _SPARSE)
    wanted = ("X", *(_SPARSE if sparse else _DENSE), "y")
    for name in wanted:
        if name not in arrays:
            yield Blocker(f"{path}: {name}", f"there is no such array; the file has {[*arrays]}")
        elif arrays[name].dtype.kind not in "biuf":
            yield Blocker(f"{path}: {name}", f"must hold numbers, found {arrays[name].dtype}")
    if any(name not in arrays for name in wanted):
        return
    hits, edges = len(arrays["X"]), arrays["y"].size
    shapes: dict[str, tuple[int, ...]] = {"X": (hits, 3), "y": (edges,)}
    shapes |= {name: (edges,) if sparse else (hits, edges) for name in wanted[1:-1]}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            what = f"must have the shape {shape}, found {arrays[name].shape}"
            yield Blocker(f"{path}: {name}", what)


def _ends(path: Path, arrays: Arrays, name: str) -> Indices:
    """The hit at the end ``name`` of each edge, (edges,)."""
    hits, edges = len(arrays["X"]), len(arrays["y"])
    if name in arrays:
        if not np.isin(arrays[name], (0, 1)).all():
            raise DataError(Blocker(f"{path}: {name}", "must hold only 0 and 1"))
        rows, columns = np.nonzero(arrays[name])
    else:
        rows, columns = arrays[f"{name}_rows"], arrays[f"{name}_cols"]
        limits = ((f"{name}_rows", rows, hits), (f"{name}_cols", columns, edges))
        outside = [
            Blocker(f"{path}: {label}", f"must be whole numbers from 0 to {limit - 1}")
            for label, numbers, limit in limits
            if (numbers < 0).any() or (numbers >= limit).any() or (numbers % 1 != 0).any()
        ]
        if outside:
            raise DataError(outside)
    columns = columns.astype(np.int64)
    if not np.array_equal(np.sort(columns), np.arange(edges)):
        raise DataError(Blocker(f"{path}: {name}", "must have exactly one hit for each edge"))
    ends = np.zeros(edges, np.int64)
    ends[columns] = rows
    return ends


def _content_blockers(path: Path, arrays: Arrays, r: NDArray[np.float64]) -> list[Blocker]:
    blockers = []
    if not np.isin(arrays["y"], (0, 1)).all():
        blockers.append(Blocker(f"{path}: y", "must hold only 0 and 1"))
    if not np.isfinite(arrays["X"]).all():
        return [*blockers, Blocker(f"{path}: X", "must hold finite numbers")]
    layer = layer_at(r)
    nominal, stagger = (
        np.array([getattr(at, name) for at in BARREL])[layer]
        for name in ("radius_mm", "stagger_mm")
    )
    far = np.abs(r - nominal) > stagger
    if far.any():
        what = f"{far.sum()} hits lie in no barrel layer, the first at r = {r[far][0]:.1f} mm"
        blockers.append(Blocker(f"{path}: X", what, "give the scale that the file was made with"))
    return blockers


def _connected(hits: int, senders: Indices, receivers: Indices) -> NDArray[np.int32]:
    """A number for each hit, equal where edges connect them."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(senders), np.int8)
    found = connected_components(coo_array((ones, (senders, receivers)), (hits, hits)), False)
    return np.asarray(found[1], np.int32)


def write_hep_trkx(
    path: Path,
    graph: HitGraph,
    scale: tuple[float, float, float] = SCALE,
    *,
    sparse: bool = True,
) -> None:
    """Write one graph; the file appears whole or not at all.

    Particles, momenta and lost segments have no place in it. Raises BuildError when it cannot be
    written.
    """
    X = (np.stack([graph.r, graph.phi, graph.z], axis=1) / scale).astype(np.float32)
    number = np.arange(graph.edges)
    arrays: dict[str, NDArray[Any]] = {"X": X, "y": graph.truth.astype(np.float32)}
    for name, ends in (("Ri", graph.receivers), ("Ro", graph.senders)):
        if sparse:
            order = np.lexsort((number, ends))
            arrays |= {f"{name}_rows": ends[order], f"{name}_cols": number[order]}
        else:
            arrays[name] = np.zeros((graph.nodes, graph.edges), np.uint8)
            arrays[name][ends, number] = 1
    with appearing(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
