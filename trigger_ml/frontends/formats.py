"""Which format a model file has, by its content, and which files belong to it."""

from __future__ import annotations

import json
import zipfile
from enum import Enum
from pathlib import Path
from typing import Final

from trigger_ml.frontends.fml_archive import GZIP_START, holds_fml
from trigger_ml.frontends.keras_files import (
    HDF5_START,
    JSON_STARTS,
    ZIP_START,
    weights_beside,
)
from trigger_ml.frontends.model_file import BROKEN

__all__ = ["Format", "detect", "model_files"]

ONNX_START: Final = b"\x08"
"""The first field of ONNX's protobuf, its version. It has no other mark."""
MOST_PEEK: Final = 64 * 2**20
"""Bytes of an architecture that is looked into."""


class Format(Enum):
    """A kind of model file. The value says it in words."""

    QKERAS_H5 = "QKeras .h5"
    KERAS_JSON = "Keras .json with .h5 weights"
    KERAS_ZIP = "Keras 3 .keras"
    HGQ = "HGQ2 .keras (Keras 3)"
    ONNX = "ONNX"
    FML = "hls4ml .fml"

    @property
    def reader(self) -> str:
        """The library that reads it."""
        other = {Format.HGQ: "HGQ2", Format.ONNX: "ONNX", Format.FML: "hls4ml"}
        return other.get(self, "QKeras")


def detect(path: Path) -> Format:
    """The format of a file, from its first bytes, whatever its name is. Never raises.

    A file that cannot be read has the format that its name says.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(HDF5_START))
    except OSError:
        start = b""
    if start.startswith(HDF5_START):
        return Format.QKERAS_H5
    if start.startswith(ZIP_START):
        return _in_zip(path)
    if start.startswith(JSON_STARTS):
        return Format.KERAS_JSON
    if path.suffix.lower() == ".fml" or (start.startswith(GZIP_START) and holds_fml(path)):
        return Format.FML
    if path.suffix.lower() == ".onnx" or start.startswith(ONNX_START):
        return Format.ONNX
    return Format.HGQ if path.suffix.lower() == ".keras" else Format.QKERAS_H5


def model_files(path: Path) -> tuple[Path, ...]:
    """The file, and what has to lie beside it. Raises ModelError where that is missing."""
    if detect(path) is Format.KERAS_JSON:
        return path, weights_beside(path)
    return (path,)


def _in_zip(path: Path) -> Format:
    """HGQ2 writes its own layers into the zip of Keras 3."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > MOST_PEEK:
                return Format.HGQ
            config = json.loads(archive.read("config.json"))
        modules = [str(layer["module"]) for layer in config["config"]["layers"]]
    except BROKEN:
        return Format.HGQ
    return Format.HGQ if any(name.startswith("hgq.") for name in modules) else Format.KERAS_ZIP
