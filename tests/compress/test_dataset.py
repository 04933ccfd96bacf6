"""Labelled events on three sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from trigger_ml.compress.dataset import Dataset, read_dataset
from trigger_ml.errors import DataError
from trigger_ml.splits import Split

EVENTS = 2000
RNG = np.random.default_rng(5)
X = RNG.normal(size=(EVENTS, 6)).astype(np.float32)
Y = np.arange(EVENTS) % 3
SPLIT = Split(test=0.3, validation=0.2)


def save(folder: Path, **arrays: Any) -> Path:
    path = folder / "events.npz"
    np.savez(path, allow_pickle=False, **{"x": X, "y": Y, **arrays})
    return path


def read(path: Path, **changes: Any) -> Dataset:
    options = {"input_shape": (6,), "outputs": 3, "split": SPLIT, "seed": 1, **changes}
    return read_dataset(path, **options)


def sides(data: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return data.x_train, data.x_validation, data.x_test


def test_shares_and_nothing_lost(tmp_path: Path) -> None:
    data = read(save(tmp_path, classes=["g", "q", "t"]))
    assert [len(x) for x in sides(data)] == pytest.approx([1000, 400, 600], abs=75)
    together = np.concatenate(sides(data))
    assert together.dtype == np.float32
    assert sorted(map(tuple, together)) == sorted(map(tuple, X))
    labels = dict(zip(map(tuple, X), Y, strict=True))
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert y.dtype == np.int64
        assert [labels[tuple(row)] for row in x] == y.tolist()
    assert data.classes == ("g", "q", "t")
    assert data.source == "events.npz"


def test_the_seed_decides_and_an_event_keeps_its_side(tmp_path: Path) -> None:
    path = save(tmp_path)
    assert read(path).digest == read(path).digest
    assert read(path).digest != read(path, seed=2).digest
    small = save(tmp_path, x=X[:500], y=Y[:500])
    before = {tuple(row) for row in read(small).x_test}
    assert before < {tuple(row) for row in read(save(tmp_path)).x_test}


def test_the_file_may_say_who_is_where(tmp_path: Path) -> None:
    split = np.arange(EVENTS) % 3
    data = read(save(tmp_path, split=split))
    assert np.array_equal(data.x_train, X[::3])
    assert np.array_equal(data.x_validation, X[1::3])
    assert np.array_equal(data.x_test, X[2::3])


def test_rows_of_one_event_stay_together(tmp_path: Path) -> None:
    event = np.arange(EVENTS) // 4
    where = {tuple(row): number for row, number in zip(X, event, strict=True)}
    data = read(save(tmp_path, event=event))
    found = [{where[tuple(row)] for row in side} for side in sides(data)]
    assert not (found[0] & found[1] or found[0] & found[2] or found[1] & found[2])
    assert len(set.union(*found)) == EVENTS // 4


def test_events_take_the_shape_of_the_input(tmp_path: Path) -> None:
    data = read(save(tmp_path), input_shape=(3, 2))
    assert data.input_shape == (3, 2)
    shaped = read(save(tmp_path, x=X.reshape(EVENTS, 2, 3)))
    assert shaped.input_shape == (6,)


def test_one_hot_labels_and_answers_for_every_output(tmp_path: Path) -> None:
    hot = read(save(tmp_path, y=np.eye(3)[Y]))
    assert hot.y_train.ndim == 1
    assert hot.digest == read(save(tmp_path)).digest
    answers = RNG.integers(0, 2, (EVENTS, 3))
    many = read(save(tmp_path, y=answers))
    assert many.y_train.shape == (len(many.x_train), 3)
    assert many.y_train.sum() + many.y_validation.sum() + many.y_test.sum() == answers.sum()


def test_h5_with_names_and_sides(tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    split = np.arange(EVENTS) % 3
    with h5py.File(path, "w") as file:
        file["x"], file["y"], file["split"] = X, Y, split
        file["classes"] = ["g", "q", "t"]
    data = read(path)
    assert data.classes == ("g", "q", "t")
    assert np.array_equal(data.x_test, X[2::3])


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"y": Y + 1}, "class numbers 1..3, expected 0..2"),
        ({"y": np.where(Y == 1, 0.5, Y)}, "class numbers must be whole"),
        ({"y": Y[1:]}, "1999 labels for 2000 events"),
        ({"y": np.full((EVENTS, 3), 0.3)}, "2000 of 2000 rows are neither one-hot nor 0 and 1"),
        ({"y": np.zeros((EVENTS, 4))}, "4 columns, the model has 3 outputs"),
        ({"y": np.full(EVENTS, np.nan)}, "hold NaN"),
        ({"y": np.array(["g"] * EVENTS)}, "class numbers"),
        ({"x": X[:, :5]}, "an event has 5 numbers, the model takes 6"),
        ({"x": np.where(X > 3, np.nan, X)}, "events hold NaN or infinity"),
        ({"x": X.astype(np.float64) * 1e300}, "beyond single precision"),
        ({"x": X[:0], "y": Y[:0]}, "there are no events"),
        ({"split": Y[:9]}, "it must be 2000 whole numbers"),
        ({"split": Y + 0.0}, "it must be 2000 whole numbers"),
        ({"split": Y + 1}, "numbers 1..3; 0 trains"),
        ({"split": np.minimum(Y, 1)}, "the test side has none of the 2000 events"),
        ({"event": X}, "it must be 2000 whole numbers"),
        ({"classes": ["g", "q"]}, "2 names for 3 classes"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arrays: dict[str, Any], what: str) -> None:
    with pytest.raises(DataError) as caught:
        read(save(tmp_path, **arrays))
    assert what in str(caught.value)


def test_labels_are_needed(tmp_path: Path) -> None:
    np.save(tmp_path / "events.npy", X)
    with pytest.raises(DataError, match="there are no labels"):
        read(tmp_path / "events.npy")


def test_all_of_it_at_once(tmp_path: Path) -> None:
    path = save(tmp_path, x=X[:, :5], y=Y + 1, split=Y[:9], classes=["g"])
    with pytest.raises(DataError) as caught:
        read(path)
    assert len(caught.value.blockers) == 4


def test_stored_and_read_back(tmp_path: Path) -> None:
    data = read(save(tmp_path, classes=["g", "q", "t"]), input_shape=(2, 3))
    path = tmp_path / "stored.npz"
    data.save(path)
    back = Dataset.load(path)
    for name in Dataset.__slots__:
        left, right = getattr(data, name), getattr(back, name)
        assert np.array_equal(left, right)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype


def test_some_of_the_features(tmp_path: Path) -> None:
    data = read(save(tmp_path), input_shape=(2, 3))
    less = data.with_features(np.array([2, 0]))
    assert less.input_shape == (2, 2)
    assert np.array_equal(less.x_test, data.x_test[:, :, [2, 0]])
    assert np.array_equal(less.y_train, data.y_train)
    assert less.digest != data.digest
    less.save(tmp_path / "stored.npz")
    assert Dataset.load(tmp_path / "stored.npz").digest == less.digest
    for wrong in ([], [3], [-1], [0, 0]):
        with pytest.raises(DataError, match="not distinct places among 3"):
            data.with_features(wrong)


def test_an_altered_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stored.npz"
    read(save(tmp_path)).save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["y_test"] = arrays["y_test"][::-1]
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="not those of its digest"):
        Dataset.load(path)
    del arrays["x_test"]
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="is not a stored data set"):
        Dataset.load(path)
    path.write_bytes(b"PK")
    with pytest.raises(DataError, match="is not a stored data set"):
        Dataset.load(path)
