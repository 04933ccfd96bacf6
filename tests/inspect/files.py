"""Model files that are made of a committed one without Keras."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "data" / "tiny_qkeras.h5"


def changed(
    path: Path,
    *,
    config: Callable[[dict[str, Any]], None] | None = None,
    weights: Callable[[dict[str, NDArray[Any]]], None] | None = None,
    rename: tuple[str, str] | None = None,
    source: Path = TINY,
) -> Path:
    """A copy of a model file. config: changes its architecture. weights: changes the arrays, by
    "<layer>/kernel" and the like. rename: a layer's old and new name."""
    shutil.copy(source, path)
    with h5py.File(path, "r+") as file:
        text = file.attrs["model_config"]
        text = text.decode() if isinstance(text, bytes) else text
        if rename is not None:
            text = text.replace(f'"{rename[0]}"', f'"{rename[1]}"')
            file["model_weights"].move(rename[0], rename[1])
            names = [str(name) for name in file["model_weights"].attrs["layer_names"]]
            names = [rename[1] if name == rename[0] else name for name in names]
            file["model_weights"].attrs["layer_names"] = names
        architecture = json.loads(text)
        if config is not None:
            config(architecture)
        file.attrs["model_config"] = json.dumps(architecture)
        if weights is not None:
            _change_weights(file["model_weights"], weights)
    return path


def layer(architecture: dict[str, Any], name: str) -> dict[str, Any]:
    """One layer's configuration."""
    for item in architecture["config"]["layers"]:
        if item["config"]["name"] == name:
            found: dict[str, Any] = item["config"]
            return found
    raise KeyError(name)


def _change_weights(group: h5py.Group, change: Callable[[dict[str, NDArray[Any]]], None]) -> None:
    found: dict[str, h5py.Dataset] = {}

    def keep(path: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            parts = path.split("/")
            found[f"{parts[0]}/{parts[-1].split(':')[0]}"] = item

    group.visititems(keep)
    values = {name: np.array(item) for name, item in found.items()}
    change(values)
    for name, item in found.items():
        item[...] = values[name]
