"""Labels that are masks: the shapes they come in, and what is wrong with others."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from trigger_ml.errors import DataError
from trigger_ml.events import Events, read_events

GRID = (2, 4)
X = np.arange(3 * 16).reshape(3, 2, 4, 2) % 2
Y = np.zeros((3, *GRID), np.uint8)
Y[:2, 1, 2] = 1


def read(tmp_path: Path, limit: int = 100, **arrays: Any) -> Events:
    path = tmp_path / "events.npz"
    np.savez(path, allow_pickle=False, **arrays)
    return read_events(path, 16, 8, limit, GRID)


@pytest.mark.parametrize("labels", [Y, Y[..., None], Y.reshape(3, 8), Y != 0, Y.astype(float)])
def test_shapes_of_a_mask(tmp_path: Path, labels: np.ndarray) -> None:
    scores = np.arange(24.0).reshape(labels.shape)
    events = read(tmp_path, 2, x=X, y=labels, float_scores=scores)
    assert events.labels is None
    assert events.masks is not None
    assert events.masks.true.dtype == np.bool_
    assert np.array_equal(events.masks.true, Y[:2] != 0)
    assert events.masks.muons is events.masks.pt is events.masks.float_threshold is None
    assert events.float_scores is not None
    assert np.array_equal(events.float_scores, np.arange(16.0).reshape(2, 8))


def test_conditions_of_each_image(tmp_path: Path) -> None:
    path = tmp_path / "e.h5"
    with h5py.File(path, "w") as file:
        file["x"], file["y"] = X, Y
        file["muons"], file["background"] = [1, 2, 0], np.array([1, 5, 5], np.float32)
        file["pt"] = np.array([[9, np.nan], [4, 6], [np.nan, np.nan]])
        file["eta"], file["float_threshold"] = [2.5, 2.1, np.nan], 0.75
    masks = read_events(path, 16, 8, 2, GRID).masks
    assert masks is not None
    assert masks.muons is not None and masks.muons.tolist() == [1, 2]
    assert masks.pt is not None and masks.pt.shape == (2, 2)
    assert masks.eta is not None and masks.eta.tolist() == [[2.5], [2.1]]
    assert masks.background is not None and masks.background.tolist() == [1, 5]
    assert masks.float_threshold == 0.75


def test_without_labels_there_is_no_mask(tmp_path: Path) -> None:
    assert read(tmp_path, x=X, muons=[1, 1, 1]).masks is None


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"y": [0, 1, 0]}, "labels: shape (3,), type int64, expected (3, 2, 4)"),
        ({"y": Y[:2]}, "labels: shape (2, 2, 4)"),
        ({"y": Y.astype(str)}, "type <U"),
        ({"y": Y * 32}, "values 0..32, a cell of a mask is 0 or 1"),
        ({"y": np.where(Y, np.nan, 0.0)}, "a cell of a mask is 0 or 1"),
        ({"y": Y * 0}, "no image has a true cell"),
        ({"y": Y, "muons": [1, 0, 0]}, "muons: 1 images without a muon have true cells"),
        ({"y": Y, "muons": [1, 1.5, 0]}, "must be whole and not below 0"),
        ({"y": Y, "muons": [1, 1]}, "expected one row for each image, 3"),
        ({"y": Y, "muons": np.ones((3, 2))}, "muons: shape (3, 2)"),
        ({"y": Y, "pt": [1, np.inf, 0]}, "pt: holds infinity"),
        ({"y": Y, "background": [1, np.nan, 0]}, "background: holds infinity, or no number"),
        ({"y": Y, "float_threshold": [1, 2]}, "must be one number, found shape (2,)"),
        ({"y": Y, "float_scores": np.zeros((3, 4, 2))}, "float_scores: shape (3, 4, 2)"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arrays: dict[str, Any], what: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, x=X, **arrays)
    assert what in str(caught.value)
    assert len(caught.value.blockers) == 1


def test_all_of_it_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, x=X[:, :1], y=Y * 2, muons=[-1, 1, 1], pt=["a"] * 3, float_scores=X)
    assert len(caught.value.blockers) == 5
