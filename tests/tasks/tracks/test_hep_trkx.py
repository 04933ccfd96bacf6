"""HEP.TrkX graphs: written by hand, read back from our own writing, and wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trigger_ml.errors import DataError
from trigger_ml.tasks.tracks.graphs import HitGraph, build, phi_slope
from trigger_ml.tasks.tracks.hep_trkx import SCALE, read_hep_trkx, write_hep_trkx
from trigger_ml.tasks.tracks.hits import EventHits
from trigger_ml.tasks.tracks.recipe import Cuts

Arrays = dict[str, np.ndarray]


def by_hand(sparse: bool = False) -> Arrays:
    """Two tracks of three hits, as ``construct_graph`` of HEP.TrkX would fill its matrices."""
    X = np.array(
        [[0.032, 0.4, 0.01], [0.072, 0.4, 0.02], [0.116, 0.4, 0.03],
         [0.032, -0.4, 0.01], [0.072, -0.4, 0.02], [0.116, -0.4, 0.03]],
        np.float32,
    )  # fmt: skip
    start, end = np.array([3, 0, 1, 4, 0]), np.array([4, 1, 2, 5, 4])
    Ri, Ro = np.zeros((2, 6, 5), np.uint8)
    Ri[end, np.arange(5)] = 1
    Ro[start, np.arange(5)] = 1
    y = np.array([1, 1, 1, 1, 0], np.float32)
    if not sparse:
        return {"X": X, "Ri": Ri, "Ro": Ro, "y": y}
    (Ri_rows, Ri_cols), (Ro_rows, Ro_cols) = Ri.nonzero(), Ro.nonzero()
    return dict(X=X, Ri_rows=Ri_rows, Ri_cols=Ri_cols, Ro_rows=Ro_rows, Ro_cols=Ro_cols, y=y)


def saved(folder: Path, arrays: Arrays) -> Path:
    np.savez(folder / "graph.npz", **arrays)
    return folder / "graph.npz"


def faults(folder: Path, arrays: Arrays) -> list[str]:
    with pytest.raises(DataError) as caught:
        read_hep_trkx(saved(folder, arrays))
    return [
        f"{blocker.where.partition(': ')[2]}: {blocker.what}" for blocker in caught.value.blockers
    ]


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_by_hand(tmp_path: Path, sparse: bool) -> None:
    graph = read_hep_trkx(saved(tmp_path, by_hand(sparse)))
    assert graph.senders.tolist() == [3, 0, 1, 4, 0]
    assert graph.receivers.tolist() == [4, 1, 2, 5, 4]
    assert graph.truth.tolist() == [True, True, True, True, False]
    assert graph.r.tolist() == pytest.approx([32, 72, 116] * 2)
    assert graph.phi[0] == pytest.approx(0.4 * np.pi / 8) and graph.z[2] == pytest.approx(30)
    assert graph.layer.tolist() == [0, 1, 2] * 2
    assert graph.particle.tolist() == [0, 0, 0, 1, 1, 1]
    assert np.isnan(graph.pt).all() and graph.lost.shape == (0, 2)
    assert phi_slope(graph)[-1] == pytest.approx(-0.8 * np.pi / 8 / 40, rel=1e-5)
    quarters = read_hep_trkx(tmp_path / "graph.npz", (1000, np.pi / 4, 1000))
    assert quarters.phi[0] == pytest.approx(0.4 * np.pi / 4)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_there_and_back(tmp_path: Path, helices: Callable[..., EventHits], sparse: bool) -> None:
    event = helices(np.linspace(1, 5, 40), phi=np.linspace(-0.3, 0.3, 40))
    graph = build(event, Cuts())
    assert not graph.truth.all()
    write_hep_trkx(tmp_path / "g.npz", graph, sparse=sparse)
    found: HitGraph = read_hep_trkx(tmp_path / "g.npz")
    for name in ("senders", "receivers", "truth", "layer"):
        assert np.array_equal(getattr(found, name), getattr(graph, name)), name
    for name in ("r", "phi", "z"):
        assert getattr(found, name) == pytest.approx(getattr(graph, name), rel=1e-6)
    one_to_one = set(zip(found.particle.tolist(), graph.particle.tolist(), strict=True))
    assert len(one_to_one) == 40
    with np.load(tmp_path / "g.npz") as file:
        assert set(file) == set(by_hand(sparse))
    assert SCALE[1] == pytest.approx(np.pi / 8)


def test_arrays_that_are_missing(tmp_path: Path) -> None:
    assert faults(tmp_path, {"X": np.zeros((2, 3))}) == [
        f"{name}: there is no such array; the file has ['X']" for name in ("Ri", "Ro", "y")
    ]
    early = {name: array for name, array in by_hand(True).items() if not name.startswith("Ro")}
    assert [fault.split(":")[0] for fault in faults(tmp_path, early)] == ["Ro_rows", "Ro_cols"]


def test_shapes(tmp_path: Path) -> None:
    wrong = by_hand() | {"X": np.zeros((6, 4)), "Ri": np.zeros((5, 6))}
    assert faults(tmp_path, wrong) == [
        "X: must have the shape (6, 3), found (6, 4)",
        "Ri: must have the shape (6, 5), found (5, 6)",
    ]
    assert faults(tmp_path, by_hand() | {"y": np.array(["a"] * 5)}) == [
        "y: must hold numbers, found <U1"
    ]


def test_edges_that_are_none(tmp_path: Path) -> None:
    arrays = by_hand()
    arrays["Ri"][2, 2] = 0
    arrays["Ro"][0, 0] = 1
    arrays["y"][0] = 0.5
    arrays["X"][3] = (0.5, 0, 0)
    arrays["X"][0] = (0.8, 0, 0)
    assert faults(tmp_path, arrays) == [
        "Ri: must have exactly one hit for each edge",
        "Ro: must have exactly one hit for each edge",
        "y: must hold only 0 and 1",
        "X: 1 hits lie in no barrel layer, the first at r = 800.0 mm",
    ]
    sparse = by_hand(True)
    sparse["Ri_rows"][0] = 6
    sparse["Ro_cols"][0] = -1
    assert faults(tmp_path, sparse) == [
        "Ri_rows: must be whole numbers from 0 to 5",
        "Ro_cols: must be whole numbers from 0 to 4",
    ]
    assert faults(tmp_path, by_hand() | {"Ri": by_hand()["Ri"] * 2}) == [
        "Ri: must hold only 0 and 1"
    ]


def test_ends_that_are_swapped(tmp_path: Path) -> None:
    arrays = by_hand()
    swapped = arrays | {"Ri": arrays["Ro"], "Ro": arrays["Ri"]}
    with pytest.raises(DataError, match=r"5 edges do not lead outwards\n.*are they swapped"):
        read_hep_trkx(saved(tmp_path, swapped))


def test_no_graph_at_all(tmp_path: Path) -> None:
    (tmp_path / "graph.npz").write_text("nothing")
    with pytest.raises(DataError, match=r"is not an \.npz file"):
        read_hep_trkx(tmp_path / "graph.npz")
    arrays = {"X": np.zeros((0, 3)), "Ri": np.zeros((0, 0)), "Ro": np.zeros((0, 0))}
    empty = read_hep_trkx(saved(tmp_path, arrays | {"y": np.zeros(0)}))
    assert empty.nodes == empty.edges == 0
