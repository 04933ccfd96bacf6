"""HDF5 files of unknown origin, read by a process that may crash or never end."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from trigger_ml.errors import ModelError
from trigger_ml.frontends.hdf5_copy import copied
from trigger_ml.frontends.keras_files import read_keras

TINY = Path(__file__).parents[1] / "data" / "tiny_qkeras.h5"


def opened(source: Path, tmp_path: Path) -> h5py.File:
    copy = tmp_path / "copy.h5"
    copy.write_bytes(copied(source.read_bytes()))
    return h5py.File(copy, "r")


def test_everything_of_a_model_is_in_the_copy(tmp_path: Path) -> None:
    names: list[str] = []
    with h5py.File(TINY, "r") as source, opened(TINY, tmp_path) as copy:
        assert copy.attrs["model_config"] == source.attrs["model_config"]
        source.visit(names.append)
        assert names
        for name in names:
            assert list(copy[name].attrs) == list(source[name].attrs)
            for key, value in source[name].attrs.items():
                np.testing.assert_array_equal(copy[name].attrs[key], value)
            if isinstance(source[name], h5py.Dataset):
                assert copy[name].dtype == source[name].dtype
                np.testing.assert_array_equal(copy[name][()], source[name][()])


@pytest.mark.parametrize(("position", "value"), [(1009, 255), (11793, 255), (9521, 2)])
def test_a_byte_that_the_library_does_not_survive(
    tmp_path: Path, position: int, value: int
) -> None:
    """The first two crash HDF5 1.14 and 2.0, the third sends it into an endless loop."""
    data = bytearray(TINY.read_bytes())
    data[position] = value
    path = tmp_path / "net.h5"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"cannot be read as HDF5: the HDF5 library fails on it"):
        read_keras(path)


def test_what_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:
        file["a/b"] = h5py.SoftLink("/c")
    with pytest.raises(ValueError, match=r"^/a/b lies elsewhere than in this file$"):
        copied(path.read_bytes())


def test_a_group_that_holds_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("a")
        group["b"] = group
    with pytest.raises(ValueError, match=r"lies deeper than 16 groups$"):
        copied(path.read_bytes())


def test_arrays_that_are_mostly_promise_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (1 << 40,), np.float32, chunks=(1 << 10,))
    assert path.stat().st_size < 10_000
    with pytest.raises(ValueError, match=r"^its arrays are larger than 1024 MiB$"):
        copied(path.read_bytes())


def test_what_is_no_hdf5_is_told_in_the_librarys_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"file signature not found"):
        copied(b"nothing of the kind")


def test_references_and_empty_attributes_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:
        file["a"] = np.arange(3.0)
        file["a"].attrs["refers"] = file["a"].ref
        file["a"].attrs["empty"] = h5py.Empty("f")
        file["a"].attrs["kept"] = ["x", "é"]
    with opened(path, tmp_path) as copy:
        assert list(copy["a"].attrs) == ["kept"]
        assert list(copy["a"].attrs["kept"]) == ["x", "é"]
