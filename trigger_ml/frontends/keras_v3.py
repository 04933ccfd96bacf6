"""Read an HGQ2 model in Keras 3's ``.keras`` format without Keras: what is in it, what blocks it.

A ``.keras`` file is a zip of ``config.json``, ``metadata.json`` and ``model.weights.h5``. What is
loaded afterwards is never that file but a copy of it (:meth:`HgqFile.write_copy`), whose
configuration is written here from known parameters alone: no Lambda, no custom object, no loss
or optimizer, nothing that would run because the file names it. All blockers are found in one pass.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.hdf5_copy import copied
from trigger_ml.frontends.keras_v3_graph import read_network
from trigger_ml.frontends.keras_v3_layers import RULES
from trigger_ml.frontends.keras_v3_shapes import shape_problems
from trigger_ml.frontends.keras_zip import zip_members
from trigger_ml.frontends.model_file import (
    BROKEN,
    TAIL,
    Layer,
    first_line,
    read_bytes,
)

__all__ = ["FORMAT", "HgqFile", "read_keras_v3"]

FORMAT: Final = "HGQ2 .keras (Keras 3)"

MEMBERS: Final = ("config.json", "metadata.json", "model.weights.h5")


@dataclass(frozen=True, slots=True)
class HgqFile:
    """A readable model file.

    layers: in evaluation order, the tail left out. inputs, outputs: names of layers, in the model's
    order. tail: the activation function after the only output ("softmax", "sigmoid") or "".
    parameters, nonzero: kernels and biases as stored, before their quantizers. weights: a copy of
    ``model.weights.h5``. notes: what reading changed, which is nothing.
    """

    path: Path
    sha256: str
    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tail: str
    parameters: int
    nonzero: int
    weights: bytes
    notes: tuple[str, ...] = ()

    def write_copy(self, path: Path) -> None:
        """Write the ``.keras`` file to load: reduced configuration, a copy of the weights."""
        inputs, outputs = ([[name, 0, 0] for name in ends] for ends in (self.inputs, self.outputs))
        network = {
            "name": self.name,
            "layers": [_copied_layer(layer) for layer in self.layers],
            "input_layers": inputs if len(inputs) > 1 else inputs[0],
            "output_layers": outputs if len(outputs) > 1 else outputs[0],
        }
        config = {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "config": network,
            "registered_name": None,
        }
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(config))
            archive.writestr("metadata.json", json.dumps({"keras_version": "3"}))
            archive.writestr("model.weights.h5", self.weights)


def read_keras_v3(path: Path) -> HgqFile:
    """Read and check a model file.

    Raises ModelError with everything in it that cannot become firmware.
    """
    data = read_bytes(path)
    members = _members(data, path)
    config = _model_config(members, path)
    try:
        weights = copied(members["model.weights.h5"])
        parameters, nonzero, blockers = _weights(weights)
    except BROKEN as error:
        raise ModelError(
            Blocker(
                f"{path} model.weights.h5",
                f"cannot be read as HDF5: {first_line(error)}",
                "is the file whole?",
            )
        ) from error
    try:
        network = read_network(config, path)
    except BlockedError as error:
        raise ModelError([*blockers, *error.blockers]) from error
    layers, outputs, tail = _cut_tail(network.layers, network.outputs)
    blockers += shape_problems(layers, outputs)
    if blockers:
        raise ModelError(blockers)
    return HgqFile(
        path,
        hashlib.sha256(data).hexdigest(),
        str(config["config"].get("name") or "model"),
        layers,
        network.inputs,
        outputs,
        tail,
        parameters,
        nonzero,
        weights,
    )


def _members(data: bytes, path: Path) -> dict[str, bytes]:
    if data.startswith(b"\x89HDF"):
        raise ModelError(
            Blocker(str(path), "is HDF5, not a .keras file of Keras 3", "name a Keras 2 file .h5")
        )
    return zip_members(data, path, MEMBERS)


def _model_config(members: Mapping[str, bytes], path: Path) -> dict[str, Any]:
    parsed = {}
    for name in ("metadata.json", "config.json"):
        try:
            parsed[name] = json.loads(members[name])
        except (ValueError, RecursionError) as error:
            raise ModelError(Blocker(f"{path} {name}", "is not JSON", "save it again")) from error
    metadata, config = parsed["metadata.json"], parsed["config.json"]
    version = str(metadata.get("keras_version")) if isinstance(metadata, dict) else "?"
    if not version.startswith("3"):
        raise ModelError(
            Blocker(
                str(path),
                f"was written by Keras {version}; .keras files are read from Keras 3",
                "save a QKeras model of Keras 2 as .h5",
            )
        )
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise ModelError(Blocker(str(path), "its config.json describes no model"))
    return config


def _weights(data: bytes) -> tuple[int, int, list[Blocker]]:
    """Kernels and biases, those not zero, and a blocker for each array with NaN or infinity."""
    size = nonzero = 0
    blockers: list[Blocker] = []
    with h5py.File(io.BytesIO(data), "r") as file:
        if "layers" not in file:
            raise ValueError("it has no group layers")
        for name, array in _arrays(file["layers"], "layers"):
            if array.dtype.kind != "f":
                continue
            values = array[()]
            of_quantizer = "/quantizer/" in name
            # The speed at which a quantizer's range shrinks in training may be infinite.
            broken = int((~np.isfinite(values)).sum()) if values.shape or not of_quantizer else 0
            if broken:
                what = f"{broken} of {values.size} values are NaN or infinite"
                blockers.append(Blocker(name, what, "the training diverged; train it again"))
            if values.shape and not of_quantizer:
                size, nonzero = size + values.size, nonzero + int(np.count_nonzero(values))
    return size, nonzero, blockers


def _arrays(group: h5py.Group, path: str) -> Iterator[tuple[str, h5py.Dataset]]:
    """Every array below a group, with its path."""
    for key, item in group.items():
        name = f"{path}/{key}"
        if isinstance(item, h5py.Dataset):
            yield name, item
        else:
            yield from _arrays(item, name)


def _cut_tail(
    layers: Sequence[Layer], outputs: tuple[str, ...]
) -> tuple[tuple[Layer, ...], tuple[str, ...], str]:
    """Take a last softmax or sigmoid off, whether a layer of its own or inside another.

    Inside another, a quantizer on that layer's output comes after it and goes with it. Where there
    are several outputs, none is cut: the layers, the outputs and "".
    """
    last = next(layer for layer in layers if layer.name == outputs[0])
    function = str(last.config.get("activation"))
    if function not in TAIL or not RULES[last.kind].function or len(outputs) > 1:
        return tuple(layers), outputs, ""
    if last.kind == "Activation":
        return tuple(layer for layer in layers if layer is not last), last.inputs, function
    linear = {**last.config, "activation": "linear", "enable_oq": False, "oq_conf": None}
    cut = replace(last, config=linear)
    return tuple(cut if layer is last else layer for layer in layers), outputs, function


def _copied_layer(layer: Layer) -> dict[str, Any]:
    """A layer as Keras reads it; with plain lists for what it reads, which need no shapes.

    No layer is left out: Keras numbers the weights' groups by the depths of all layers.
    """
    rule = RULES[layer.kind]
    return {
        "module": rule.module,
        "class_name": rule.written or layer.kind,
        "config": dict(layer.config),
        "registered_name": rule.registered,
        "name": layer.name,
        "inbound_nodes": [[[name, 0, 0, {}] for name in layer.inputs]] if layer.inputs else [],
    }
