"""Read a Keras 2 ``.h5`` file without Keras: what is in it, and what stands in the way.

The architecture is reduced to the parameters that decide what the network computes, so that
loading it afterwards runs nothing that the file names: no Lambda, no initializer, no constraint,
no text that a library would evaluate. All blockers are found in one pass.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.keras_images import shape_problems
from trigger_ml.frontends.keras_layers import read_layer
from trigger_ml.frontends.model_file import (
    TAIL,
    Layer,
    first_line,
    name_problems,
    read_bytes,
    wiring_problems,
)
from trigger_ml.frontends.quantizers import canonical_quantizer, quantizer_type

__all__ = [
    "FORMAT",
    "KerasFile",
    "Layer",
    "LayerReader",
    "cut_tail",
    "read_keras_h5",
    "read_layers",
]

FORMAT: Final = "QKeras .h5 (Keras 2)"
JOINS: Final = ("Concatenate", "Multiply")
WEIGHTED: Final = ("QConv2D", "QDense", "Conv2D", "Dense")


@dataclass(frozen=True, slots=True)
class KerasFile:
    """A readable model file.

    layers: in evaluation order, the tail left out. tail: the activation function after the last
    layer ("softmax", "sigmoid") or "". input_shape: of one event.
    """

    path: Path
    sha256: str
    name: str
    layers: tuple[Layer, ...]
    tail: str
    input_shape: tuple[int, ...]
    parameters: int
    nonzero: int

    def architecture(self, *, tail: bool, input_quantizer: tuple[int, int, bool] | None) -> str:
        """Keras JSON of the reduced model, as ``model_from_json`` takes it.

        tail: with the last activation. input_quantizer: (bits, integer bits without sign,
        signed) of a quantizer to put on the input of a model that has none.
        """
        layers = list(self.layers)
        if input_quantizer is not None:
            layers = _with_input_quantizer(layers, input_quantizer)
        if tail and self.tail:
            config = {"name": self.tail, "activation": self.tail, "dtype": "float32"}
            layers.append(Layer(self.tail, "Activation", (layers[-1].name,), config))
        return json.dumps(
            {
                "class_name": "Functional",
                "config": {
                    "name": self.name,
                    "layers": [_functional(layer) for layer in layers],
                    "input_layers": [[layers[0].name, 0, 0]],
                    "output_layers": [[layers[-1].name, 0, 0]],
                },
            }
        )

    def activation_types(self, input_quantizer: tuple[int, int, bool] | None) -> dict[str, str]:
        """Type that each quantizer of values gives them, by the name of its layer in hls4ml."""
        layers = list(self.layers)
        if input_quantizer is not None:
            layers = _with_input_quantizer(layers, input_quantizer)
        types = {}
        for layer in layers:
            quantizer = layer.config.get("activation")
            if isinstance(quantizer, Mapping):
                own = layer.kind == "QActivation"
                name = layer.name if own else f"{layer.name}_{quantizer['class_name']}"
                types[name] = str(quantizer_type(quantizer))
        return types

    @property
    def has_convolution(self) -> bool:
        """Whether a convolution is among the layers."""
        return any(layer.kind == "QConv2D" for layer in self.layers)

    @property
    def has_input_quantizer(self) -> bool:
        """Whether the first thing that happens to the input is a quantizer."""
        readers = [layer for layer in self.layers if self.layers[0].name in layer.inputs]
        return all(layer.kind == "QActivation" for layer in readers)


LayerReader = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]
"""Class, name and parameters of a layer to the parameters that matter."""


def read_keras_h5(path: Path, reader: LayerReader = read_layer) -> KerasFile:
    """Read and check a model file.

    reader: says which layers may be in it. Raises ModelError with everything in it that cannot
    become firmware.
    """
    data = read_bytes(path)
    try:
        with h5py.File(path, "r") as file:
            config = _model_config(file, path)
            parameters, nonzero, bad = _weights(file, path)
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            Blocker(str(path), f"cannot be read as HDF5: {first_line(error)}", "is the file whole?")
        ) from error
    layers, blockers = read_layers(config, path, reader)
    if not blockers:
        blockers = shape_problems(layers)
    blockers += bad
    tail = ""
    if not blockers:
        layers, tail, blockers = cut_tail(layers)
    if blockers:
        raise ModelError(blockers)
    shape = tuple(int(size) for size in layers[0].config["batch_input_shape"][1:])
    name = str(config.get("config", {}).get("name") or "model")
    digest = hashlib.sha256(data).hexdigest()
    return KerasFile(path, digest, name, tuple(layers), tail, shape, parameters, nonzero)


def _model_config(file: h5py.File, path: Path) -> dict[str, Any]:
    text = file.attrs.get("model_config")
    if text is None:
        raise ModelError(
            Blocker(
                str(path),
                "holds weights and no architecture",
                "save the whole model with model.save('model.h5')",
            )
        )
    version = file.attrs.get("keras_version", "2")
    version = version.decode() if isinstance(version, bytes) else str(version)
    if version.startswith("3"):
        raise ModelError(
            Blocker(
                str(path),
                f"was written by Keras {version}; this version reads Keras 2 files",
                "save HGQ2 models as .keras, and QKeras ones with tf_keras and QKeras 0.9",
            )
        )
    try:
        config = json.loads(text.decode() if isinstance(text, bytes) else text)
    except (ValueError, RecursionError) as error:
        raise ModelError(Blocker(str(path), "its model_config is not JSON")) from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise ModelError(Blocker(str(path), "its model_config describes no model"))
    return config


def _weights(file: h5py.File, path: Path) -> tuple[int, int, list[Blocker]]:
    """All parameters, those not zero, and a blocker for each array with NaN or infinity."""
    if "model_weights" not in file:
        raise ModelError(Blocker(str(path), "holds no weights", "save the whole model"))
    totals = np.zeros(2, dtype=np.int64)
    bad: list[Blocker] = []

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.dtype.kind != "f":
            return
        values = item[()]
        totals[:] += (values.size, int(np.count_nonzero(values)))
        broken = int((~np.isfinite(values)).sum())
        if broken:
            what = f"{broken} of {values.size} weights are NaN or infinite"
            bad.append(Blocker(name, what, "the training diverged; train it again"))

    file["model_weights"].visititems(visit)
    return int(totals[0]), int(totals[1]), bad


def read_layers(
    config: Mapping[str, Any], path: Path, reader: LayerReader
) -> tuple[list[Layer], list[Blocker]]:
    """Layers in order with sane parameters, and what is wrong with the others."""
    kind = config.get("class_name")
    if kind not in ("Functional", "Model", "Sequential"):
        return [], [Blocker(str(path), f"a model of class {kind}", "use Sequential or Functional")]
    raw = config["config"].get("layers")
    if not isinstance(raw, list) or not all(_is_layer(item) for item in raw) or not raw:
        return [], [Blocker(str(path), "its model_config lists no layers")]
    if kind == "Sequential":
        raw = _sequential(raw)
    layers: list[Layer] = []
    blockers: list[Blocker] = []
    for item in raw:
        try:
            layers.append(_layer(item, reader))
        except BlockedError as error:
            blockers.extend(error.blockers)
    blockers += name_problems([str(item["config"].get("name")) for item in raw])
    if not blockers:
        blockers = wiring_problems(layers, JOINS) + _output_problems(config["config"], layers[-1])
    return layers, blockers


def _output_problems(config: Mapping[str, Any], last: Layer) -> list[Blocker]:
    """A functional model names its outputs; a chain's is its last layer."""
    outputs = config.get("output_layers")
    if outputs is None or outputs in ([[last.name, 0, 0]], [last.name, 0, 0]):
        return []
    what = f"the output is {json.dumps(outputs)}, not the last layer, {last.name}, alone"
    return [Blocker("model", what, "split the model")]


def _is_layer(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("class_name"), str)
        and isinstance(item.get("config"), dict)
    )


def _sequential(raw: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A Sequential model's layers, written as those of a chain."""
    chain: list[dict[str, Any]] = []
    if raw[0]["class_name"] != "InputLayer":
        shape = raw[0]["config"].get("batch_input_shape")
        config = {"name": "features", "batch_input_shape": shape}
        chain.append({"class_name": "InputLayer", "config": config, "inbound_nodes": []})
    for item in raw:
        before = chain[-1]["config"].get("name") if chain else None
        nodes = [[[before, 0, 0, {}]]] if before else []
        chain.append({**item, "inbound_nodes": nodes})
    return chain


def _layer(item: Mapping[str, Any], reader: LayerReader) -> Layer:
    kind, config = item["class_name"], item["config"]
    name = str(config.get("name"))
    return Layer(name, kind, tuple(_inbound(item, name)), reader(kind, name, config))


def _inbound(item: Mapping[str, Any], name: str) -> Iterator[str]:
    nodes = item.get("inbound_nodes") or []
    try:
        if len(nodes) > 1:
            raise ModelError(
                Blocker(f"layer {name}", "is used more than once", "give each use its own layer")
            )
        for node in nodes:
            for entry in node:
                yield str(entry[0])
    except (TypeError, IndexError, KeyError) as error:
        raise ModelError(Blocker(f"layer {name}", "its inputs cannot be read")) from error


def cut_tail(layers: list[Layer]) -> tuple[list[Layer], str, list[Blocker]]:
    """Take a last softmax or sigmoid off, whether a layer of its own or inside the last one."""
    last = layers[-1]
    function = str(last.config.get("activation") or "linear")
    if last.kind in ("Activation", "Softmax") and function in TAIL:
        layers = layers[:-1]
    elif last.kind in WEIGHTED and function in TAIL:
        layers = [*layers[:-1], Layer(last.name, last.kind, last.inputs, _linear(last.config))]
    else:
        function = ""
    blockers = [
        Blocker(f"layer {layer.name}", "softmax in the middle of a network", "remove it")
        for layer in layers
        if layer.config.get("activation") == "softmax"
    ]
    if not any(layer.kind in WEIGHTED for layer in layers):
        blockers.append(Blocker("model", "has no layer with weights", "there is nothing to build"))
    return layers, function, blockers


def _linear(config: Mapping[str, Any]) -> dict[str, Any]:
    return {**config, "activation": "linear"}


def _with_input_quantizer(layers: list[Layer], grid: tuple[int, int, bool]) -> list[Layer]:
    bits, integer, signed = grid
    source = layers[0].name
    name = f"{source}_grid"
    options = {"bits": bits, "integer": integer, "keep_negative": signed, "alpha": 1}
    quantizer = canonical_quantizer(
        {"class_name": "quantized_bits", "config": options}, "firmware.input_type"
    )
    config = {"name": name, "activation": quantizer, "dtype": "float32"}
    inserted = [layers[0], Layer(name, "QActivation", (source,), config)]
    for layer in layers[1:]:
        inputs = tuple(name if read == source else read for read in layer.inputs)
        inserted.append(Layer(layer.name, layer.kind, inputs, layer.config))
    return inserted


def _functional(layer: Layer) -> dict[str, Any]:
    nodes = [[[name, 0, 0, {}] for name in layer.inputs]] if layer.inputs else []
    return {
        "class_name": layer.kind,
        "name": layer.name,
        "config": dict(layer.config),
        "inbound_nodes": nodes,
    }
