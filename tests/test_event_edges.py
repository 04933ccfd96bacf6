"""Labels that are edges of graphs: the shapes they come in, and what is wrong with others."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from trigger_ml.errors import DataError
from trigger_ml.event_edges import FLAG_EDGES, FLAG_NODES
from trigger_ml.events import Events, read_events

GRID = (2, 4)
X = np.zeros((3, *GRID, 2))
CANDIDATES = np.zeros((3, *GRID), bool)
CANDIDATES[:, 0, :3] = True
Y = np.zeros((3, *GRID), np.uint8)
Y[:2, 0, 1:3] = 1
PT = np.where(Y, 7.5, np.nan)


def read(path: Path, limit: int = 100, **arrays: Any) -> Events:
    np.savez(path / "e.npz", allow_pickle=False, **{"x": X, **arrays})
    return read_events(path / "e.npz", 16, 8, limit, GRID)


@pytest.mark.parametrize("shape", [(3, *GRID), (3, *GRID, 1), (3, 8)])
def test_shapes_of_edges(tmp_path: Path, shape: tuple[int, ...]) -> None:
    arrays = {"y": Y, "candidates": CANDIDATES, "pt": PT, "eta": PT - 7, "float_scores": Y * 2.0}
    events = read(tmp_path, 2, **{name: array.reshape(shape) for name, array in arrays.items()},
                  flags=[[2], [0], [3]], float_threshold=0.5)  # fmt: skip
    assert events.masks is events.labels is None
    edges = events.edges
    assert edges is not None and edges.pt is not None and edges.eta is not None
    assert np.array_equal(edges.true, Y[:2] != 0)
    assert np.array_equal(edges.candidates, CANDIDATES[:2])
    np.testing.assert_array_equal(edges.pt, PT[:2].astype(np.float32))
    np.testing.assert_array_equal(edges.eta, (PT[:2] - 7).astype(np.float32))
    assert edges.flags is not None and edges.flags.tolist() == [FLAG_EDGES, 0]
    assert edges.float_threshold == 0.5
    assert events.float_scores is not None and events.float_scores.shape == (2, 8)


def test_hdf5_and_what_may_be_left_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file["x"], file["y"], file["candidates"] = X, Y, CANDIDATES.astype(np.uint8)
        file["flags"] = np.array([FLAG_NODES, 0, 0], np.uint8)
    edges = read_events(tmp_path / "e.h5", 16, 8, 100, GRID).edges
    assert edges is not None and edges.flags is not None
    assert edges.flags.tolist() == [1, 0, 0]
    assert edges.candidates.dtype == np.bool_
    assert edges.pt is edges.eta is edges.float_threshold is None


def test_without_candidates_the_labels_are_a_mask(tmp_path: Path) -> None:
    events = read(tmp_path, y=Y)
    assert events.edges is None and events.masks is not None


STRAY = CANDIDATES.copy()
STRAY[1, 0, 2] = False


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"candidates": CANDIDATES[0]}, "candidates: shape (2, 4), type bool, expected (3, 2, 4)"),
        ({"candidates": CANDIDATES.astype(str)}, "candidates: shape (3, 2, 4), type <U"),
        (
            {"candidates": CANDIDATES * 2},
            "candidates: 9 values are neither 0 nor 1, such as 2\n    -> give 1 for each slot",
        ),
        ({"candidates": CANDIDATES & False}, "no slot of any image holds an edge"),
        ({"candidates": STRAY}, "labels: 1 slots are true and hold no candidate edge"),
        ({"y": Y[:2]}, "labels: shape (2, 2, 4)"),
        ({"y": Y * 3}, "labels: 4 values are neither 0 nor 1, such as 3"),
        ({"y": np.where(Y, np.nan, 0.0)}, "labels: 4 values are neither 0 nor 1, such as nan"),
        ({"y": Y * 0}, "labels: no edge is true"),
        ({"pt": [1, 2, 3]}, "pt: shape (3,), type int64, expected (3, 2, 4)"),
        ({"eta": np.where(Y, np.inf, 0)}, "eta: holds infinity"),
        ({"flags": [1, 2]}, "flags: shape (2,), type int64, expected one for each image, 3"),
        ({"flags": [0, 1.5, 0]}, "flags: 1 are no words of 8 bits, such as 1.5"),
        ({"flags": [0, 256, -1]}, "flags: 2 are no words of 8 bits, such as 256"),
        ({"float_threshold": [1, 2]}, "must be one number, found shape (2,)"),
        ({"float_scores": np.zeros((3, 4))}, "float_scores: shape (3, 4)"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arrays: dict[str, Any], what: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, **{"y": Y, "candidates": CANDIDATES, **arrays})
    assert what in str(caught.value)
    assert len(caught.value.blockers) == 1


def test_candidates_without_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="are missing, and there are candidates"):
        read(tmp_path, candidates=CANDIDATES)


def test_all_of_it_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, x=X[:, :1], y=Y * 2, candidates=CANDIDATES[:2], pt=["a"] * 3, eta=Y - np.inf,
             flags=[300] * 3, float_threshold="x", float_scores=X)  # fmt: skip
    assert len(caught.value.blockers) == 8
