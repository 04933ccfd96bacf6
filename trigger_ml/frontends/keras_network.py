"""A Keras 2 network, whatever file it came from: its layers, its weights, how Keras rebuilds it.

A network holds only the parameters that decide what it computes, so that rebuilding it runs
nothing that a file names: no Lambda, no initializer, no constraint, no text that a library would
evaluate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker
from trigger_ml.frontends.keras_convolutions import CONVOLUTIONS
from trigger_ml.frontends.keras_images import streamable
from trigger_ml.frontends.keras_recurrent import RECURRENT
from trigger_ml.frontends.model_file import TAIL, Layer
from trigger_ml.frontends.quantizers import canonical_quantizer, quantizer_type

__all__ = ["InputGrid", "KerasNetwork", "Weights", "cut_tail"]

WEIGHTED: Final = tuple(
    kind for known in ("QDense", *CONVOLUTIONS) for kind in (known, known.removeprefix("Q"))
)

InputGrid = tuple[int, int, bool]
"""Bits, integer bits without the sign, and sign of a quantizer to put on the input."""

Weights = Mapping[str, tuple[NDArray[np.float32], ...]]
"""Arrays of every layer that has some, in the order in which Keras sets them."""


@dataclass(frozen=True, slots=True)
class KerasNetwork:
    """A network of vectors or images.

    path, sha256: of the file that it came from. layers: in evaluation order, the inputs in the
    model's order, the tail left out. tail: the activation function after the last layer
    ("softmax", "sigmoid") or "". weights: of the layers, as stored. outputs: names of the layers
    whose results leave it, in order, where that is not the last one alone. notes: what was made
    of its layers, in words.
    """

    path: Path
    sha256: str
    name: str
    layers: tuple[Layer, ...]
    tail: str
    weights: Weights
    outputs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def architecture(self, *, tail: bool, input_quantizer: InputGrid | None) -> str:
        """Keras JSON of the reduced model, as ``model_from_json`` takes it.

        tail: with the last activation. input_quantizer: (bits, integer bits without sign,
        signed) of a quantizer to put on the input of a model that has none.
        """
        layers = list(self.layers)
        if input_quantizer is not None:
            layers = _with_input_quantizer(layers, self.unquantized_inputs, input_quantizer)
        if tail and self.tail:
            config = {"name": self.tail, "activation": self.tail, "dtype": "float32"}
            layers.append(Layer(self.tail, "Activation", (layers[-1].name,), config))
        return json.dumps(
            {
                "class_name": "Functional",
                "config": {
                    "name": self.name,
                    "layers": [_functional(layer) for layer in layers],
                    "input_layers": [[name, 0, 0] for name in self.inputs],
                    "output_layers": [[name, 0, 0] for name in self.outputs or (layers[-1].name,)],
                },
            }
        )

    def activation_types(self, input_quantizer: InputGrid | None) -> dict[str, str]:
        """Type that each quantizer of values gives them, by the name of its layer in hls4ml."""
        layers = list(self.layers)
        if input_quantizer is not None:
            layers = _with_input_quantizer(layers, self.unquantized_inputs, input_quantizer)
        types = {}
        for layer in layers:
            quantizer = layer.config.get("activation")
            if isinstance(quantizer, Mapping):
                own = layer.kind == "QActivation"
                name = layer.name if own else f"{layer.name}_{quantizer['class_name']}"
                types[name] = str(quantizer_type(quantizer))
        return types

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs, in the model's order."""
        return tuple(layer.name for layer in self.layers if layer.kind == "InputLayer")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return tuple(int(size) for size in self.layers[0].config["batch_input_shape"][1:])

    @property
    def parameters(self) -> int:
        """Weights and biases of all layers."""
        return sum(values.size for arrays in self.weights.values() for values in arrays)

    @property
    def nonzero(self) -> int:
        """Those of them that are not zero."""
        arrays = [values for arrays in self.weights.values() for values in arrays]
        return sum(int(np.count_nonzero(values)) for values in arrays)

    def write_weights(self, path: Path) -> None:
        """Write the arrays as the front-end process reads them: "<layer>/<position>" each."""
        np.savez(
            path,
            allow_pickle=False,
            **{
                f"{name}/{position}": values
                for name, arrays in self.weights.items()
                for position, values in enumerate(arrays)
            },
        )

    @property
    def streamable(self) -> bool:
        """Whether it can be a stream: it has a convolution and ends in an image."""
        return streamable(self.layers, self.outputs)

    @property
    def unquantized_inputs(self) -> tuple[str, ...]:
        """Inputs to which something else happens first than a quantizer onto a grid.

        From any other one than quantized_bits hls4ml 1.3 infers no type of the input.
        """
        return tuple(
            name
            for name in self.inputs
            if any(not _is_grid(layer) for layer in self.layers if name in layer.inputs)
        )

    @property
    def has_input_quantizer(self) -> bool:
        """Whether the first thing that happens to every input is a quantizer."""
        return not self.unquantized_inputs


def _is_grid(layer: Layer) -> bool:
    """Whether a layer rounds to a grid and does nothing else."""
    if layer.kind != "QActivation":
        return False
    return bool(layer.config["activation"]["class_name"] == "quantized_bits")


def cut_tail(
    layers: list[Layer], outputs: tuple[str, ...] = ()
) -> tuple[list[Layer], str, list[Blocker]]:
    """Take a last softmax or sigmoid off, whether a layer of its own or inside the last one.

    outputs: names, where there are several; of those none is cut.
    """
    last = layers[-1]
    function = str(last.config.get("activation") or "linear")
    if len(outputs) > 1:
        function = ""
    elif last.kind in ("Activation", "Softmax") and function in TAIL:
        layers = layers[:-1]
    elif last.kind in WEIGHTED and function in TAIL:
        layers = [*layers[:-1], Layer(last.name, last.kind, last.inputs, _linear(last.config))]
    else:
        function = ""
    blockers = [
        Blocker(
            f"layer {layer.name}",
            "softmax in the middle of a network: its real numbers have no exact tables",
            "remove it, or train the network with HGQ2, whose QSoftmax has tables",
        )
        for layer in layers
        if layer.config.get("activation") == "softmax" and layer.name not in outputs
    ]
    blockers += [
        Blocker(
            f"layer {layer.name}",
            f"a {layer.config['activation']} on one of {len(outputs)} outputs has no firmware",
            "end every output in logits, and decide behind the firmware",
        )
        for layer in layers
        if len(outputs) > 1 and layer.name in outputs and layer.config.get("activation") in TAIL
    ]
    if not any(layer.kind in (*WEIGHTED, *RECURRENT) for layer in layers):
        blockers.append(
            Blocker("model", "has no dense layer and no convolution", "there is nothing to build")
        )
    return layers, function, blockers


def _linear(config: Mapping[str, Any]) -> dict[str, Any]:
    return {**config, "activation": "linear"}


def _with_input_quantizer(
    layers: list[Layer], sources: tuple[str, ...], grid: InputGrid
) -> list[Layer]:
    """The layers with a quantizer behind each of these inputs."""
    bits, integer, signed = grid
    options = {"bits": bits, "integer": integer, "keep_negative": signed, "alpha": 1}
    quantizer = canonical_quantizer(
        {"class_name": "quantized_bits", "config": options}, "firmware.input_type"
    )
    grids = {source: f"{source}_grid" for source in sources}
    inserted: list[Layer] = []
    for layer in layers:
        inputs = tuple(grids.get(read, read) for read in layer.inputs)
        inserted.append(Layer(layer.name, layer.kind, inputs, layer.config))
        if layer.name in grids:
            name = grids[layer.name]
            config = {"name": name, "activation": quantizer, "dtype": "float32"}
            inserted.append(Layer(name, "QActivation", (layer.name,), config))
    return inserted


def _functional(layer: Layer) -> dict[str, Any]:
    nodes = [[[name, 0, 0, {}] for name in layer.inputs]] if layer.inputs else []
    return {
        "class_name": layer.kind,
        "name": layer.name,
        "config": dict(layer.config),
        "inbound_nodes": nodes,
    }
