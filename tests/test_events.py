"""The user's event files."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from trigger_ml.errors import DataError
from trigger_ml.events import read_events

X = np.arange(12.0).reshape(3, 4)


def save(tmp_path: Path, **arrays: Any) -> Path:
    path = tmp_path / "events.npz"
    np.savez(path, allow_pickle=False, **arrays)
    return path


def test_npz_with_one_hot_labels(tmp_path: Path) -> None:
    events = read_events(save(tmp_path, x=X, y=np.eye(3)), 4, 3, 2)
    assert np.array_equal(events.inputs, X[:2])
    assert events.labels is not None
    assert events.labels.tolist() == [0, 1]


def test_other_formats_hold_inputs(tmp_path: Path) -> None:
    np.save(tmp_path / "e.npy", X)
    np.savetxt(tmp_path / "e.csv", X, delimiter=",")
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file["features"] = X
    for name in ("e.npy", "e.csv", "e.h5"):
        assert np.array_equal(read_events(tmp_path / name, 4, 3, 9).inputs, X)


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"x": X[:, :3]}, "an event has 3 numbers, the model takes 4"),
        ({"x": X[:0]}, "there are no events"),
        ({"x": np.full((2, 4), np.nan)}, "2 of 2 events hold NaN or infinity"),
        ({"x": X.astype(str)}, "the type is <U"),
        ({"jets": X}, "holds jets"),
        ({"x": X, "y": [0, 1]}, "2 labels for 3 events"),
        ({"x": X, "y": [0, 1, 7]}, "class numbers 0..7, expected 0..2"),
        ({"x": X, "y": np.eye(3, 4)}, "4 columns, the model has 3 outputs"),
        ({"x": X, "float_scores": X}, "expected (3, 3)"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arrays: dict[str, Any], what: str) -> None:
    with pytest.raises(DataError) as caught:
        read_events(save(tmp_path, **arrays), 4, 3, 100)
    assert what in str(caught.value)


def test_all_of_it_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_events(save(tmp_path, x=np.full((2, 3), np.inf), y=[1]), 4, 3, 100)
    assert len(caught.value.blockers) == 3


@pytest.mark.parametrize("name", ["none.npz", "broken.npz", "broken.h5", "events.root"])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    if name.startswith("broken"):
        (tmp_path / name).write_bytes(b"not an archive")
    with pytest.raises(DataError, match=name):
        read_events(tmp_path / name, 4, 3, 100)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "events.npz"
    np.savez(path, x=np.array([object()]))
    with pytest.raises(DataError, match="cannot be read"):
        read_events(path, 4, 3, 100)


def test_class_names_in_h5_are_text(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file["x"], file["y"], file["classes"] = X, [0, 1, 2], ["g", "q", "t"]
    assert read_events(tmp_path / "e.h5", 4, 3, 9).classes == ("g", "q", "t")
