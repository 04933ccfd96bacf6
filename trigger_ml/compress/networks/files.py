"""Float and quantized networks out of Keras files, without Keras: layers and weights as stored."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.networks.layers import read_float_layer
from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.keras_h5 import Layer, cut_tail, read_keras_h5, read_layers

__all__ = ["Chain", "read_chain"]

WITH_WEIGHTS: Final = ("Dense", "QDense", "BatchNormalization")
MEMBERS: Final = ("config.json", "model.weights.h5")
MOST_CONFIG_BYTES: Final = 64 * 2**20
"""A larger architecture is no network for a trigger, but may be a zip bomb."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What a file holds: layers in order without the tail, and each one's arrays in order."""

    name: str
    layers: tuple[Layer, ...]
    tail: str
    weights: Mapping[str, tuple[NDArray[np.float64], ...]]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return tuple(int(size) for size in self.layers[0].config["batch_input_shape"][1:])


def read_chain(path: Path) -> Chain:
    """Read a Keras 2 ``.h5`` (plain Keras or QKeras) or a Keras 3 ``.keras`` of plain layers.

    Raises ModelError with everything in it that cannot be compressed.
    """
    if path.is_file() and zipfile.is_zipfile(path):
        return _read_zip(path)
    if path.suffix.lower() == ".keras" and path.is_file():
        raise ModelError(Blocker(str(path), "is not a Keras 3 file", "save the model again"))
    file = read_keras_h5(path, read_float_layer)
    with h5py.File(path, "r") as opened:
        weights = {
            layer.name: _keras2_arrays(opened["model_weights"], layer.name)
            for layer in file.layers
            if layer.kind in WITH_WEIGHTS
        }
    return Chain(file.name, file.layers, file.tail, weights)


def _keras2_arrays(group: h5py.Group, layer: str) -> tuple[NDArray[np.float64], ...]:
    if layer not in group:
        return ()
    names = [
        name.decode() if isinstance(name, bytes) else str(name)
        for name in group[layer].attrs.get("weight_names", ())
    ]
    return tuple(
        np.asarray(group[layer][name][()], dtype=np.float64)
        for name in names
        if name in group[layer]
    )


def _read_zip(path: Path) -> Chain:
    try:
        with zipfile.ZipFile(path) as archive:
            missing = [name for name in MEMBERS if name not in archive.namelist()]
            if missing:
                raise ModelError(
                    Blocker(str(path), f"holds no {' and no '.join(missing)}", "save it again")
                )
            if archive.getinfo(MEMBERS[0]).file_size > MOST_CONFIG_BYTES:
                raise ModelError(Blocker(str(path), "its config.json is too large"))
            config = json.loads(archive.read(MEMBERS[0]))
            with h5py.File(io.BytesIO(archive.read(MEMBERS[1])), "r") as file:
                arrays = _keras3_arrays(file)
    except (OSError, RuntimeError, KeyError, ValueError, RecursionError, zipfile.BadZipFile) as e:
        reason = (str(e) or type(e).__name__).splitlines()[0]
        raise ModelError(Blocker(str(path), f"cannot be read: {reason}", "is it whole?")) from e
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise ModelError(Blocker(str(path), "its config.json describes no model"))
    layers, blockers = read_layers(_as_keras2(config), path, read_float_layer)
    blockers = [*_foreign(config), *blockers]
    tail = ""
    if not blockers:
        layers, tail, blockers = cut_tail(layers)
    weights = arrays.by_layer(layers)
    for name, values in weights.items():
        broken = sum(int((~np.isfinite(array)).sum()) for array in values)
        if broken:
            fix = "the training diverged; train it again"
            blockers.append(Blocker(f"layer {name}", f"{broken} weights NaN or infinite", fix))
    if blockers:
        raise ModelError(blockers)
    return Chain(str(config["config"].get("name") or "model"), tuple(layers), tail, weights)


def _foreign(config: Mapping[str, Any]) -> list[Blocker]:
    """A blocker for each layer that is not Keras' own; HGQ2 has layers of the same class names."""
    layers = config["config"].get("layers")
    return [
        Blocker(
            f"layer {item.get('name') or item.get('config', {}).get('name')}",
            f"is of {item.get('module')}, not a plain Keras layer",
            "give the float model, or a QKeras .h5",
        )
        for item in (layers if isinstance(layers, list) else [])
        if isinstance(item, dict) and not str(item.get("module")).startswith("keras.")
    ]


def _as_keras2(config: Mapping[str, Any]) -> dict[str, Any]:
    """The architecture with inputs named as Keras 2 names them."""
    inner = dict(config["config"])
    layers = inner.get("layers")
    if isinstance(layers, list):
        inner["layers"] = [
            {**item, "inbound_nodes": [_inbound(node) for node in item.get("inbound_nodes") or []]}
            if isinstance(item, dict)
            else item
            for item in layers
        ]
    return {"class_name": config.get("class_name"), "config": inner}


def _inbound(node: Any) -> list[list[Any]]:
    """Keras 3 writes ``{"args": [tensor or a list of them], "kwargs": {...}}``."""
    found: list[list[Any]] = []
    todo = list(node.get("args", [])) if isinstance(node, dict) else []
    while todo:
        item = todo.pop(0)
        if isinstance(item, list):
            todo = item + todo
        elif isinstance(item, dict) and item.get("class_name") == "__keras_tensor__":
            history = item.get("config", {}).get("keras_history", [None])
            found.append([str(history[0]), 0, 0, {}])
    return found


@dataclass(frozen=True, slots=True)
class _Arrays:
    """Arrays of a ``model.weights.h5`` by its own keys, and layer names where it has them."""

    groups: Mapping[str, tuple[NDArray[np.float64], ...]]
    names: Mapping[str, str]

    def by_layer(self, layers: list[Layer]) -> dict[str, tuple[NDArray[np.float64], ...]]:
        """Keras 3 keys a layer by its class and a counter, and since 3.6 adds its name."""
        counts: dict[str, int] = {}
        found = {}
        for layer in layers:
            key = _snake_case(layer.kind)
            number = counts.get(key, 0)
            counts[key] = number + 1
            counted = f"{key}_{number}" if number else key
            if layer.kind in WITH_WEIGHTS:
                found[layer.name] = self.groups.get(self.names.get(layer.name, counted), ())
        return found


def _keras3_arrays(file: h5py.File) -> _Arrays:
    groups: dict[str, tuple[NDArray[np.float64], ...]] = {}
    names: dict[str, str] = {}
    for key, group in file.get("layers", {}).items():
        stored = group["vars"]
        numbers = sorted(stored, key=int)
        groups[key] = tuple(np.asarray(stored[n][()], dtype=np.float64) for n in numbers)
        if "name" in stored.attrs:
            names[str(stored.attrs["name"])] = key
    return _Arrays(groups, names)


def _snake_case(name: str) -> str:
    """As keras.src.utils.naming.to_snake_case."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
