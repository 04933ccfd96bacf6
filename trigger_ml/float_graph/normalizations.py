"""Batch normalizations of a float network, put into the layers with weights beside them.

In inference one is x * scale + shift for each channel. Behind a layer with weights it goes into
these; before one it does as well, through layers that keep channels apart and are linear, and
where there is no shift through zeros around an image too. Any other stays, and has its own
multipliers in firmware.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.float_graph.layers import KERNELS
from trigger_ml.float_graph.plain import shapes_of
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.normalization import Constants, constants

__all__ = ["folded"]

Array = NDArray[np.float64]
Arrays = tuple[NDArray[np.float32], ...]

LINEAR: Final = (
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "Flatten",
    "UpSampling1D",
    "UpSampling2D",
    "Cropping1D",
    "Cropping2D",
)
"""Layers that a scale and a shift of each channel go through, whatever is around."""


def folded(network: KerasNetwork) -> KerasNetwork:
    """A network of plain layers with its normalizations in weights where that is possible.

    Raises ModelError for a normalization without sane constants.
    """
    state = _Folding(network)
    for layer in network.layers:
        if layer.kind == "BatchNormalization":
            state.fold(layer)
    if state.blockers:
        raise ModelError(state.blockers)
    return state.network()


class _Folding:
    """Layers and weights as they become."""

    def __init__(self, network: KerasNetwork) -> None:
        self._network = network
        self._layers = {layer.name: layer for layer in network.layers}
        self._weights = dict(network.weights)
        last = network.layers[-1].name
        reads = [name for layer in network.layers for name in layer.inputs]
        self._outputs = network.outputs or (last,)
        self._readers = Counter([*reads, *self._outputs])
        self._gone: dict[str, str] = {}
        shapes = shapes_of(network.layers)
        self._channels = {name: shape[-1:] for name, shape in shapes.items()}
        self.blockers: list[Blocker] = []

    def fold(self, layer: Layer) -> None:
        """Put one normalization into weights, where there are such beside it."""
        where = f"layer {layer.name}"
        try:
            scale, shift = constants(where, layer.config, self._weights[layer.name])
        except BlockedError as error:
            self.blockers.extend(error.blockers)
            return
        except (KeyError, ValueError):
            what = "its file does not hold the weights of the normalization"
            self.blockers.append(Blocker(where, what, "save the whole model again"))
            return
        if scale.shape != shift.shape or scale.shape != self._channels[layer.name]:
            what = f"has constants of shape {scale.shape}, not {self._channels[layer.name]}"
            self.blockers.append(Blocker(where, what, "save the model again"))
            return
        before = self._layers[self._source(layer.inputs[0])]
        alone = self._readers[layer.inputs[0]] == 1
        if before.kind in KERNELS and alone and before.name not in self._outputs:
            self._backward(before, (scale, shift))
        elif (reader := self._consumer(layer.name, shifted=bool(shift.any()))) is not None:
            self._forward(reader, (scale, shift))
        else:
            return
        self._gone[layer.name] = layer.inputs[0]

    def network(self) -> KerasNetwork:
        """The whole."""
        kept = [
            replace(layer, inputs=tuple(map(self._source, layer.inputs)))
            for layer in self._layers.values()
            if layer.name not in self._gone
        ]
        weights = {name: v for name, v in self._weights.items() if name not in self._gone}
        outputs = tuple(map(self._source, self._network.outputs))
        return replace(self._network, layers=tuple(kept), weights=weights, outputs=outputs)

    def _source(self, name: str) -> str:
        while name in self._gone:
            name = self._gone[name]
        return name

    def _consumer(self, name: str, *, shifted: bool) -> Layer | None:
        """The layer with weights that alone reads this, with nothing but linear ones between.

        shifted: zeros around an image would not be what they were.
        """
        while self._readers[name] == 1 and name not in self._outputs:
            layer = next(item for item in self._layers.values() if name in item.inputs)
            padded = shifted and layer.config.get("padding", "valid") != "valid"
            if layer.kind in ("Dense", "Conv1D", "Conv2D") and not padded:
                return layer
            pools = layer.kind.startswith("AveragePooling") and not padded
            zeros = layer.kind.startswith("ZeroPadding") and not shifted
            if layer.kind not in LINEAR and not pools and not zeros:
                return None
            name = layer.name
        return None

    def _backward(self, layer: Layer, exact: Constants) -> None:
        scale, shift = exact
        *kernels, bias = self._with_bias(layer, len(scale))
        if KERNELS[layer.kind] == ("depthwise",):
            kernels[0] = kernels[0] * scale.reshape(kernels[0].shape[-2:])
        else:
            kernels[-1] = kernels[-1] * scale
        self._set(layer, (*kernels, bias * scale + shift))

    def _forward(self, layer: Layer, exact: Constants) -> None:
        scale, shift = exact
        kernel, bias = self._with_bias(layer, self._weights[layer.name][0].shape[-1])
        # Behind a Flatten, channels come again for each place.
        places = kernel.shape[-2] // len(scale)
        scale, shift = np.tile(scale, places), np.tile(shift, places)
        added = np.tensordot(shift, kernel.sum(axis=tuple(range(kernel.ndim - 2))), axes=1)
        self._set(layer, (kernel * scale[:, None], bias + added))

    def _with_bias(self, layer: Layer, units: int) -> list[Array]:
        arrays = [values.astype(np.float64) for values in self._weights[layer.name]]
        return arrays if layer.config["use_bias"] else [*arrays, np.zeros(units)]

    def _set(self, layer: Layer, arrays: tuple[Array, ...]) -> None:
        self._weights[layer.name] = tuple(values.astype(np.float32) for values in arrays)
        config: Mapping[str, object] = {**layer.config, "use_bias": True}
        self._layers[layer.name] = replace(self._layers[layer.name], config=config)
