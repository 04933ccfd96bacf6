"""Files that models are kept in and that are not read here: what they are, and the way out."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from trigger_ml.errors import Blocker

__all__ = ["foreign_file", "foreign_folder"]

_PYTORCH: Final = (
    "is saved by PyTorch with pickle, which would run what it names",
    "export it as ONNX: docs/pytorch.md",
)
_PICKLE: Final = (
    "is a pickle, which would run what it names",
    "save the model in the format of its library: model.h5, model.keras or model.onnx",
)
_LITE: Final = (
    "is of TensorFlow Lite, whose scales are no powers of two",
    "compile the Keras model that it was made of",
)
_FROZEN: Final = (
    "looks like a frozen graph of TensorFlow",
    "give the Keras model it was made of, or export it with tf2onnx",
)
_BOOSTED: Final = (
    "holds decision trees of XGBoost, not a network",
    "use conifer for those",
)
_ARRAYS: Final = (
    "is an archive of NumPy arrays, not a model",
    "give it as --data, and the model file first",
)


def foreign_file(data: bytes, path: Path) -> Blocker | None:
    """What a file is, by its first bytes, where it is of no format that is read here."""
    for told, (what, fix) in _SIGNS:
        if told(data):
            return Blocker(str(path), what, fix)
    return None


def foreign_folder(path: Path) -> Blocker:
    """What a folder is that was given as a model."""
    if (path / "saved_model.pb").is_file():
        fix = "load it in the Keras that wrote it, and model.save('model.h5')"
        return Blocker(str(path), "is a SavedModel of TensorFlow", fix)
    if (path / "hls4ml_config.yml").is_file():
        fix = "compile the model it was made of, or what hls4ml saved as .fml"
        return Blocker(str(path), "is a project of hls4ml", fix)
    if (path / "trigger-ml.lock.json").is_file():
        fix = "trigger-ml check and trigger-ml report take it, with the model file in it"
        return Blocker(str(path), "is a build, not a model file", fix)
    return Blocker(str(path), "is a folder, not a model file", "give the file in it")


def _zipped(ending: str) -> Callable[[bytes], bool]:
    """Whether the data are a zip with a member of such a name."""

    def told(data: bytes) -> bool:
        if not data.startswith(b"PK\x03\x04"):
            return False
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return any(name.endswith(ending) for name in archive.namelist())
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            return False

    return told


_SIGNS: Final[tuple[tuple[Callable[[bytes], bool], tuple[str, str]], ...]] = (
    (lambda data: data[4:8] == b"TFL3", _LITE),
    (_zipped("data.pkl"), _PYTORCH),
    (_zipped(".npy"), _ARRAYS),
    (lambda data: data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05", _PICKLE),
    (lambda data: b"Placeholder" in data[:256] and data[:1] == b"\n", _FROZEN),
    (lambda data: data[:1] == b"{" and b'"gradient_booster"' in data, _BOOSTED),
)
"""How to tell each kind: TensorFlow Lite's file identifier, members of zips, pickle's protocol."""
