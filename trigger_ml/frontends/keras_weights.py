"""Weights in Keras' HDF5 files, by layer, read without Keras."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from trigger_ml.errors import Blocker
from trigger_ml.frontends.keras_folding import FOLDED, PARTS
from trigger_ml.frontends.keras_network import Weights
from trigger_ml.frontends.keras_origins import group_of_origin, names_of_origin, origin_of
from trigger_ml.frontends.model_file import Layer

__all__ = [
    "broken_weights",
    "keras2_weights",
    "keras3_weights",
    "snake_case",
]


def keras2_weights(group: h5py.Group, layers: Sequence[Layer]) -> Weights:
    """Arrays of the layers below ``model_weights``, or of a file of weights alone.

    Every layer has a group of its name, whose attribute ``weight_names`` orders its arrays.
    Raises KeyError for an array that is named and not there.
    """
    found = {}
    for layer in layers:
        origin = origin_of(layer.config)
        own = group.get(origin.steps[0].name if origin else layer.name)
        names = [_text(name) for name in own.attrs.get("weight_names", ())] if own else []
        names = names_of_origin(layer, names)
        if FOLDED in layer.config:
            names = _in_parts(names)
        if names:
            found[layer.name] = tuple(np.asarray(own[name][()], np.float32) for name in names)
    return found


def keras3_weights(file: h5py.File, layers: Sequence[Layer]) -> Weights:
    """Arrays of the layers of a ``model.weights.h5``.

    Keras 3 keys a layer by its class and a counter, and since 3.6 adds its name.
    """
    groups: dict[str, tuple[Any, ...]] = {}
    normal: dict[str, tuple[Any, ...]] = {}
    names: dict[str, str] = {}
    for key, group in file.get("layers", {}).items():
        stored = group.get("vars", {})
        groups[key] = _arrays(stored) + _arrays(group.get("cell/vars", {}))
        normal[key] = _arrays(group.get("batchnorm/vars", {}))
        if len(stored) and "name" in stored.attrs:
            names[_text(stored.attrs["name"])] = key
    counts: dict[str, int] = {}
    found = {}
    for layer in layers:
        folding = layer.config.get(FOLDED)
        if (origin := origin_of(layer.config)) is not None:
            own = group_of_origin(file, origin)
            parts = ("vars", "cell/vars", *(("batchnorm/vars",) if folding else ()))
            arrays = tuple(array for part in parts for array in _arrays(own.get(part, {})))
            if arrays:
                found[layer.name] = arrays
            continue
        key = snake_case(folding["class"] if folding else layer.kind)
        number = counts.get(key, 0)
        counts[key] = number + 1
        key = names.get(layer.name, f"{key}_{number}" if number else key)
        arrays = groups.get(key, ())
        if folding:
            arrays += normal.get(key, ())
        if arrays:
            found[layer.name] = arrays
    return found


def _arrays(stored: Any) -> tuple[Any, ...]:
    """Those with a number for a name; others have a name of their own, and count steps."""
    numbers = sorted((key for key in stored if key.isdecimal()), key=int)
    return tuple(np.asarray(stored[key][()], np.float32) for key in numbers)


def _in_parts(names: Sequence[str]) -> list[str]:
    """Names of the arrays of a layer that holds a normalization, in the order of PARTS."""
    parts = {name.rsplit("/", 1)[-1].split(":")[0]: name for name in names}
    parts.setdefault("kernel", parts.pop("depthwise_kernel", ""))
    return [parts[part] for part in PARTS if parts.get(part)]


def broken_weights(weights: Weights) -> list[Blocker]:
    """A blocker for each layer with NaN or infinity among its weights."""
    blockers = []
    for name, arrays in weights.items():
        size = sum(values.size for values in arrays)
        broken = sum(int((~np.isfinite(values)).sum()) for values in arrays)
        if broken:
            what = f"{broken} of {size} weights are NaN or infinite"
            blockers.append(Blocker(f"layer {name}", what, "the training diverged; train it again"))
    return blockers


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def snake_case(name: str) -> str:
    """A class as Keras 3 names its groups (keras.src.utils.naming.to_snake_case)."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
