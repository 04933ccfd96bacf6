"""Files of other libraries are told from broken ones, and none of them is opened by those."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from trigger_ml.errors import ModelError
from trigger_ml.frontends.model_file import read_bytes

DATA = Path(__file__).parents[1] / "data"


def torch_file() -> bytes:
    """The members that torch.save writes since version 1.6."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps({}))
        archive.writestr("net/version", "3\n")
    return buffer.getvalue()


def arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.zeros((2, 3)))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("net.pt", torch_file(), "PyTorch"),
        ("net.pkl", pickle.dumps([1], protocol=4), "a pickle"),
        ("net.tflite", b"\x1c\0\0\0TFL3" + bytes(8), "TensorFlow Lite"),
        ("net.pb", b"\n\x10\n\x05input\x12\x0bPlaceholder", "frozen graph"),
        ("net.json", b'{"learner":{"gradient_booster":{}}}', "XGBoost"),
        ("events.npz", arrays(), "an archive of NumPy arrays"),
    ],
)
def test_a_file_of_another_library(tmp_path: Path, name: str, data: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ModelError, match=what) as caught:
        read_bytes(path)
    assert all(blocker.fix for blocker in caught.value.blockers)


@pytest.mark.parametrize(
    ("member", "what"),
    [
        ("saved_model.pb", "SavedModel"),
        ("hls4ml_config.yml", "project of hls4ml"),
        ("trigger-ml.lock.json", "a build"),
        ("model.h5", "a folder"),
    ],
)
def test_a_folder(tmp_path: Path, member: str, what: str) -> None:
    (tmp_path / member).touch()
    with pytest.raises(ModelError, match=what):
        read_bytes(tmp_path)


@pytest.mark.parametrize(
    "path",
    sorted(path for path in DATA.iterdir() if path.suffix in (".h5", ".keras", ".onnx", ".fml")),
)
def test_files_that_are_read_are_not_foreign(path: Path) -> None:
    assert read_bytes(path) == path.read_bytes()
