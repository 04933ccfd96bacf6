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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.hdf5_copy import copied
from trigger_ml.frontends.keras_v3_layers import (
    ORIGINS,
    WITH_WEIGHTS,
    read_layer,
)
from trigger_ml.frontends.keras_v3_objects import foreign_objects
from trigger_ml.frontends.keras_v3_shapes import shape_problems
from trigger_ml.frontends.keras_zip import zip_members
from trigger_ml.frontends.model_file import (
    BROKEN,
    TAIL,
    Layer,
    first_line,
    name_problems,
    read_bytes,
    well_formed,
    wiring_problems,
)

__all__ = ["FORMAT", "HgqFile", "read_keras_v3"]

FORMAT: Final = "HGQ2 .keras (Keras 3)"

MEMBERS: Final = ("config.json", "metadata.json", "model.weights.h5")


@dataclass(frozen=True, slots=True)
class HgqFile:
    """A readable model file.

    layers: in evaluation order, the tail left out. tail: the activation function after the last
    layer ("softmax", "sigmoid") or "". input_shape: of one event. parameters, nonzero: kernels
    and biases as stored, before their quantizers. weights: a copy of
    ``model.weights.h5``. notes: what reading changed, which is nothing.
    """

    path: Path
    sha256: str
    name: str
    layers: tuple[Layer, ...]
    tail: str
    input_shape: tuple[int, ...]
    parameters: int
    nonzero: int
    weights: bytes
    notes: tuple[str, ...] = ()

    def write_copy(self, path: Path) -> None:
        """Write the ``.keras`` file to load: reduced configuration, a copy of the weights."""
        chain = [
            {
                "module": ORIGINS[layer.kind][0],
                "class_name": layer.kind,
                "config": dict(layer.config),
                "registered_name": ORIGINS[layer.kind][1],
            }
            for layer in self.layers
        ]
        config = {
            "module": "keras",
            "class_name": "Sequential",
            "config": {"name": self.name, "layers": chain},
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
    layers, found = _layers(config, path)
    blockers += found
    tail = ""
    if not blockers:
        layers, tail = _cut_tail(layers)
        blockers += shape_problems(layers)
    if blockers:
        raise ModelError(blockers)
    return HgqFile(
        path,
        hashlib.sha256(data).hexdigest(),
        str(config["config"].get("name") or "model"),
        tuple(layers),
        tail,
        tuple(layers[0].config["batch_shape"][1:]),
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


def _layers(config: Mapping[str, Any], path: Path) -> tuple[list[Layer], list[Blocker]]:
    """Layers in order with sane parameters, and what is wrong with the others."""
    kind = config.get("class_name")
    if kind not in ("Functional", "Sequential"):
        return [], [Blocker(str(path), f"a model of class {kind}", "use Sequential or Functional")]
    raw = config["config"].get("layers")
    if not isinstance(raw, list) or not all(_is_layer(item) for item in raw) or not raw:
        return [], [Blocker(str(path), "its config.json lists no layers")]
    if not any(str(item.get("module")).startswith("hgq.") for item in raw):
        return [], [
            Blocker(
                str(path),
                "is a model without a layer of HGQ2, so nothing says how wide its numbers are",
                "run trigger-ml compress on it first",
            )
        ]
    layers: list[Layer] = []
    blockers: list[Blocker] = []
    for position, item in enumerate(raw):
        before = raw[position - 1]["config"].get("name") if position else None
        try:
            layers.append(_layer(item, str(before) if kind == "Sequential" and before else None))
        except BlockedError as error:
            blockers.extend(error.blockers)
    blockers += name_problems([str(item["config"].get("name")) for item in raw])
    if not blockers:
        blockers += wiring_problems(layers)
        blockers += _ends_problems(config, layers) if kind == "Functional" else []
        blockers += name_problems(list(_names_in_hls4ml(layers)))
    return layers, blockers


def _is_layer(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("class_name"), str)
        and isinstance(item.get("config"), dict)
    )


def _layer(item: Mapping[str, Any], before: str | None) -> Layer:
    """One layer. before: the one it reads in a Sequential model."""
    kind, config = item["class_name"], item["config"]
    name = str(config.get("name"))
    blockers = foreign_objects(name, config)
    made = (item.get("module"), item.get("registered_name"))
    if kind in ORIGINS and made != ORIGINS[kind]:
        blockers.append(
            Blocker(
                f"layer {name}",
                f"is a {kind} of {made[0]} registered as {made[1]}, not of {ORIGINS[kind][0]}",
                "use the one of HGQ2 0.2.0 and Keras 3",
            )
        )
    inputs = (before,) if before else tuple(_inbound(item, name))
    try:
        with well_formed(f"layer {name}"):
            found = read_layer(kind, name, config)
    except BlockedError as error:
        raise ModelError([*error.blockers, *blockers]) from error
    if blockers:
        raise ModelError(blockers)
    return Layer(name, kind, inputs, found)


def _inbound(item: Mapping[str, Any], name: str) -> Iterator[str]:
    """Names of the layers that one of a Functional model reads."""
    where = f"layer {name}"
    nodes = item.get("inbound_nodes") or []
    if not isinstance(nodes, list) or len(nodes) > 1:
        raise ModelError(Blocker(where, "is used more than once", "give each use its own layer"))
    for node in nodes:
        try:
            extra = [key for key, value in node["kwargs"].items() if value is not None]
            for tensor in node["args"]:
                if tensor["class_name"] != "__keras_tensor__":
                    raise TypeError("an argument that is no tensor")
                yield str(tensor["config"]["keras_history"][0])
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise ModelError(
                Blocker(where, "its inputs cannot be read", "give it one tensor")
            ) from error
        if extra:
            raise ModelError(Blocker(where, f"is called with {', '.join(extra)}", "leave it out"))


def _ends_problems(config: Mapping[str, Any], layers: list[Layer]) -> list[Blocker]:
    """A Functional model must take its only input first and end with its last layer."""
    found = []
    for key, layer in (("input_layers", layers[0]), ("output_layers", layers[-1])):
        ends = config["config"].get(key)
        while isinstance(ends, list) and len(ends) == 1:
            ends = ends[0]
        if ends != [layer.name, 0, 0]:
            found.append(
                Blocker(f"layer {layer.name}", f"the model's {key} are {ends!r}, not this layer")
            )
    return found


def _names_in_hls4ml(layers: list[Layer]) -> Iterator[str]:
    """The names of what hls4ml makes of the layers, where they must not meet each other's."""
    for layer in layers:
        yield layer.name
        for place in ("iq", "oq"):
            if layer.config.get(f"enable_{place}"):
                yield f"{layer.name}_{place}"
        function = layer.config.get("activation")
        if layer.kind in WITH_WEIGHTS and function == "relu":
            yield f"{layer.name}_relu"


def _cut_tail(layers: list[Layer]) -> tuple[list[Layer], str]:
    """Take a last softmax or sigmoid off, whether a layer of its own or inside another.

    Inside another, a quantizer on that layer's output comes after it and goes with it.
    """
    last = layers[-1]
    function = str(last.config.get("activation"))
    if function not in TAIL:
        return layers, ""
    if last.kind == "Activation":
        return layers[:-1], function
    linear = {**last.config, "activation": "linear", "enable_oq": False, "oq_conf": None}
    return [*layers[:-1], replace(last, config=linear)], function
