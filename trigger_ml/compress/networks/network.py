"""A float network as what compression works on: a chain of dense layers, in NumPy.

It is read from a Keras file without Keras. Batch normalization is folded into the dense layer
beside it, dropout is left out, a quantizer on the input becomes ``input_type`` and every other
quantizer is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.networks.files import Chain, read_chain
from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.model_file import Layer as FileLayer
from trigger_ml.graph.types import FixedType, Overflow, Rounding

__all__ = [
    "DenseLayer",
    "FloatNetwork",
    "GlobalAverage",
    "Layer",
    "load_network",
    "read_network",
    "save_network",
]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DenseLayer:
    """x @ kernel + bias on the last axis, then the activation.

    kernel: shape (inputs, units). bias: shape (units,). activation: "relu" or "linear".
    """

    name: str
    kernel: Values
    bias: Values
    activation: str

    def __call__(self, values: Values) -> Values:
        """Values of shape (..., inputs) to (..., units)."""
        total = values @ self.kernel + self.bias
        return np.maximum(total, 0.0) if self.activation == "relu" else total


@dataclass(frozen=True, slots=True, eq=False)
class GlobalAverage:
    """Mean over the first axis of an event: (n, channels) to (channels,)."""

    name: str

    def __call__(self, values: Values) -> Values:
        """Values of shape (events, n, channels) to (events, channels)."""
        return np.asarray(values.mean(axis=-2))


Layer = DenseLayer | GlobalAverage


@dataclass(frozen=True, slots=True, eq=False)
class FloatNetwork:
    """A chain of layers.

    input_shape: of one event, (features,) or (particles, features). tail: what follows the last
    layer, "softmax", "sigmoid" or "". input_type: the grid of a quantizer on the input, where
    the model has one.
    """

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    tail: str
    input_type: FixedType | None

    def logits(self, values: NDArray[Any]) -> Values:
        """What the last layer says, before the tail.

        values: shape (events, *input_shape); put on the grid of ``input_type`` first, where
        there is one. Returns shape (events, outputs).
        """
        current = self._inputs(values)
        for layer in self.layers:
            current = layer(current)
        return current.reshape(len(current), -1)

    def activations(self, values: NDArray[Any]) -> dict[str, Values]:
        """What every layer says, by name: shape (events, ..., channels)."""
        found: dict[str, Values] = {}
        current = self._inputs(values)
        for layer in self.layers:
            current = found[layer.name] = layer(current)
        return found

    def _inputs(self, values: NDArray[Any]) -> Values:
        current = np.asarray(values, dtype=np.float64).reshape(-1, *self.input_shape)
        if self.input_type is None:
            return current
        return self.input_type.decode(self.input_type.encode(current))

    @property
    def dense(self) -> tuple[DenseLayer, ...]:
        """The layers with weights, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, DenseLayer))

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(layer.kernel.size + layer.bias.size for layer in self.dense)

    @property
    def nonzero(self) -> int:
        """Weights and biases that are not zero."""
        arrays = [array for layer in self.dense for array in (layer.kernel, layer.bias)]
        return sum(int(np.count_nonzero(array)) for array in arrays)

    @property
    def outputs(self) -> int:
        """Numbers that :meth:`logits` gives for an event."""
        shape = self.input_shape
        for layer in self.layers:
            shape = shape[1:] if isinstance(layer, GlobalAverage) else (*shape[:-1], _units(layer))
        return int(np.prod(shape))


def _units(layer: DenseLayer) -> int:
    return int(layer.kernel.shape[1])


def read_network(path: Path) -> FloatNetwork:
    """Read a Keras 2 ``.h5`` (plain or QKeras) or a plain Keras 3 ``.keras`` file.

    Raises ModelError with everything in it that cannot be compressed.
    """
    chain = read_chain(path)
    builder = _Builder(chain)
    for layer in chain.layers[1:]:
        builder.add(layer)
    return builder.network()


class _Builder:
    """Puts the layers of a file together, one after the other.

    A batch normalization is y = x * scale + shift: it is folded into the dense layer before it,
    or held back for the one behind it where an activation or a mean stands between.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._layers: list[Layer] = []
        self._held: tuple[Values, Values] | None = None
        self._input_type: FixedType | None = None
        self._shape = chain.input_shape
        self._blockers: list[Blocker] = []

    def add(self, layer: FileLayer) -> None:
        """Take the next layer."""
        match layer.kind:
            case "Dense" | "QDense":
                self._dense(layer)
            case "BatchNormalization":
                self._normalize(layer)
            case "GlobalAveragePooling1D":
                self._average(layer)
            case "Activation" | "ReLU" | "QActivation":
                self._activate(layer)
            case "Dropout":
                pass
            case _:
                self._refuse(layer, f"a {layer.kind} cannot stand here", "put it last")

    def network(self) -> FloatNetwork:
        """The whole. Raises ModelError with every blocker found."""
        if self._held is not None:
            last = self._chain.layers[-1]
            self._refuse(last, "its scale has no dense layer to go into", "add one behind it")
        if self._blockers:
            raise ModelError(self._blockers)
        chain = self._chain
        return FloatNetwork(
            chain.name, chain.input_shape, tuple(self._layers), chain.tail, self._input_type
        )

    def _refuse(self, layer: FileLayer, what: str, fix: str = "") -> None:
        self._blockers.append(Blocker(f"layer {layer.name}", what, fix))

    def _dense(self, layer: FileLayer) -> None:
        arrays = self._chain.weights[layer.name]
        units, biased = int(layer.config["units"]), bool(layer.config["use_bias"])
        wanted = [(self._shape[-1], units), *([(units,)] if biased else [])]
        shapes = [array.shape for array in arrays]
        self._shape = (*self._shape[:-1], units)
        held, self._held = self._held, None
        if shapes != wanted:
            self._refuse(layer, f"has weights of shapes {shapes}, not {wanted}", "save it again")
            return
        kernel, bias = arrays[0], arrays[1] if biased else np.zeros(units)
        if held is not None:
            scale, shift = held
            kernel, bias = scale[:, None] * kernel, bias + shift @ kernel
        self._layers.append(DenseLayer(layer.name, kernel, bias, str(layer.config["activation"])))

    def _normalize(self, layer: FileLayer) -> None:
        config, channels = layer.config, self._shape[-1]
        if config["axis"] not in (-1, len(self._shape)):
            self._refuse(layer, f"normalizes axis {config['axis']}", "use axis=-1")
            return
        count = 2 + bool(config["scale"]) + bool(config["center"])
        arrays = list(self._chain.weights[layer.name])
        shapes = [array.shape for array in arrays]
        if shapes != [(channels,)] * count:
            self._refuse(layer, f"has weights of shapes {shapes}", f"{count} of ({channels},)")
            return
        gamma = arrays.pop(0) if config["scale"] else np.ones(channels)
        beta = arrays.pop(0) if config["center"] else np.zeros(channels)
        mean, variance = arrays
        scale = gamma / np.sqrt(variance + float(config["epsilon"]))
        shift = beta - mean * scale
        last = self._layers[-1] if self._layers else None
        if self._held is not None:
            before, offset = self._held
            self._held = before * scale, offset * scale + shift
        elif isinstance(last, DenseLayer) and last.activation == "linear":
            folded = DenseLayer(last.name, last.kernel * scale, last.bias * scale + shift, "linear")
            self._layers[-1] = folded
        else:
            self._held = scale, shift

    def _average(self, layer: FileLayer) -> None:
        if len(self._shape) != 2:
            self._refuse(layer, f"averages events of shape {self._shape}", "it needs two axes")
            return
        self._shape = self._shape[1:]
        self._layers.append(GlobalAverage(layer.name))

    def _activate(self, layer: FileLayer) -> None:
        if not self._layers and "quantizer" in layer.config:
            if self._held is None and self._input_type is None:
                self._input_type = _grid(layer.config["quantizer"])
                return
            self._refuse(layer, "a second quantizer on the input", "leave one")
        if layer.config["activation"] == "linear":
            return
        last = self._layers[-1] if self._layers else None
        if layer.config["activation"] != "relu" or not isinstance(last, DenseLayer) or self._held:
            fix = "put ReLU behind a dense layer"
            self._refuse(layer, f"{layer.config['activation']} cannot stand here", fix)
            return
        self._layers[-1] = DenseLayer(last.name, last.kernel, last.bias, "relu")


def _grid(quantizer: Mapping[str, Any]) -> FixedType:
    """Type of a QKeras quantizer; QKeras rounds ties to even and saturates.

    quantized_bits counts the sign in its width and not in its integer bits (QKeras 0.9.0).
    """
    config = quantizer["config"]
    signed = quantizer["class_name"] == "quantized_bits" and bool(config.get("keep_negative", True))
    symmetric = signed and bool(config.get("symmetric", 0))
    return FixedType(
        int(config.get("bits", 8)),
        int(config.get("integer", 0)) + int(signed),
        signed,
        Rounding.RND_CONV,
        Overflow.SAT_SYM if symmetric else Overflow.SAT,
    )


def save_network(network: FloatNetwork, path: Path) -> None:
    """Write a network as ``.npz``, to exactly that path."""
    arrays: dict[str, Any] = {}
    layers = []
    for number, layer in enumerate(network.layers):
        entry = {"name": layer.name, "activation": None}
        if isinstance(layer, DenseLayer):
            entry["activation"] = layer.activation
            arrays |= {f"kernel{number}": layer.kernel, f"bias{number}": layer.bias}
        layers.append(entry)
    input_type = network.input_type.to_json() if network.input_type else None
    header = {
        "name": network.name,
        "input_shape": list(network.input_shape),
        "tail": network.tail,
        "input_type": input_type,
        "layers": layers,
    }
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, header=np.array(json.dumps(header)), **arrays)


def load_network(path: Path) -> FloatNetwork:
    """Inverse of :func:`save_network`."""
    with np.load(path, allow_pickle=False) as file:
        header = json.loads(str(file["header"]))
        layers = tuple(
            DenseLayer(
                entry["name"], file[f"kernel{number}"], file[f"bias{number}"], entry["activation"]
            )
            if entry["activation"]
            else GlobalAverage(entry["name"])
            for number, entry in enumerate(header["layers"])
        )
    grid = FixedType.from_json(header["input_type"]) if header["input_type"] else None
    shape = tuple(header["input_shape"])
    return FloatNetwork(header["name"], shape, layers, header["tail"], grid)
