"""The edge classifier, twice: over lists of edges for training, and as a model of a sector.

For the training process only: TensorFlow and QKeras are imported when a function is called, after
:func:`trigger_ml.keras2.bind_keras`. Both forms have the same weights and give the same logits
for an edge that has a place in a sector; which edges exist is all that differs.

An interaction network (P. Battaglia et al., arXiv:1612.00222), as in arXiv:1810.06111.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.graph.types import FixedType
from trigger_ml.tasks.tracks.sectors import SectorShape
from trigger_ml.tasks.tracks.training_recipe import FEATURES, EdgeRecipe, Grids, Sizes
from trigger_ml.training.qkeras_networks import grid

__all__ = ["Weights", "first_weights", "on_grids", "sector_network", "sparse_logits"]

Weights = Mapping[str, Sequence[NDArray[np.float32]]]
"""Kernel (inputs, outputs), and bias (outputs,) where there is one, by name of the layer."""

ONES: Final = FixedType(2, 2)
"""Of kernels of zeros and ones."""


def first_weights(sizes: Sizes, seed: int) -> dict[str, list[NDArray[np.float32]]]:
    """Normal kernels (K. He et al., arXiv:1502.01852), biases zero."""
    rng = np.random.default_rng(seed)
    found = {}
    for layer in sizes.layers:
        width = np.sqrt(2.0 / layer.inputs)
        kernel = rng.normal(0, width, (layer.inputs, layer.outputs)).astype(np.float32)
        bias = [np.zeros(layer.outputs, np.float32)] if layer.bias else []
        found[layer.name] = [kernel, *bias]
    return found


def sparse_logits(
    weights: Mapping[str, Sequence[Any]],
    sizes: Sizes,
    graph: tuple[Any, Any, Any, Any],
    grids: Grids,
    *,
    rounded: bool,
) -> Any:
    """Logits (edges,) over lists of edges, as a tensor with gradients to the weights.

    graph: features (edges, FEATURES), numbers of the inner and of the outer node (edges,) int32,
    number of nodes. rounded: to the grids, as QKeras does; otherwise ReLUs saturate where the
    grids do, and that is all.
    """
    import tensorflow as tf

    features, senders, receivers, nodes = graph
    if rounded:
        features = _rounded(features, grids.input)

    def dense(values: Any, name: str) -> Any:
        kernel, *bias = weights[name]
        if rounded:
            kernel = _rounded(kernel, grids.weight)
            bias = [_rounded(item, grids.bias) for item in bias]
        product = tf.matmul(values, kernel)
        return product + bias[0] if bias else product

    def relu(values: Any) -> Any:
        if rounded:
            return _rounded(values, grids.activation)
        return tf.clip_by_value(values, 0.0, grids.saturation)

    edge = relu(dense(relu(dense(features, "edge0")), "message0"))
    for number in range(1, sizes.iterations + 1):
        entering, leaving = (
            tf.math.unsorted_segment_sum(edge, ends, nodes) for ends in (receivers, senders)
        )
        node = relu(dense(tf.concat([entering, leaving], 1), f"node{number}"))
        around = [tf.gather(node, senders), tf.gather(node, receivers), edge, features]
        hidden = relu(dense(tf.concat(around, 1), f"edge{number}"))
        if number < sizes.iterations:
            edge = relu(dense(hidden, f"message{number}"))
    return dense(hidden, "score")[:, 0]


def _rounded(values: Any, kind: FixedType) -> Any:
    """Rounded to the grid, ties to even, and saturated, as QKeras does; gradients as if not,
    but where a ReLU is at its ends."""
    import tensorflow as tf

    top = kind.max_code * kind.step
    smooth = values if kind.signed else tf.clip_by_value(values, -kind.step / 2, top + kind.step)
    low = kind.min_code * kind.step
    stepped = tf.clip_by_value(tf.round(values / kind.step) * kind.step, low, top)
    return smooth + tf.stop_gradient(stepped - smooth)


def on_grids(weights: Weights, grids: Grids) -> dict[str, list[NDArray[np.float32]]]:
    """The same weights, rounded as the sector's model rounds them."""
    kinds = (grids.weight, grids.bias)
    return {
        name: [
            np.clip(
                np.rint(values / kind.step) * kind.step,
                kind.min_code * kind.step,
                kind.max_code * kind.step,
            ).astype(np.float32)
            for values, kind in zip(pair, kinds, strict=False)
        ]
        for name, pair in weights.items()
    }


def sector_network(
    recipe: EdgeRecipe, shape: SectorShape, weights: Weights, *, quantized: bool = True
) -> Any:
    """Keras model of a sector: (edge rows, columns, FEATURES) to one logit for each edge slot.

    quantized: the QKeras model that is compiled; otherwise the float network.
    """
    import tf_keras as keras

    sizes = recipe.network if quantized else recipe.float_network
    build = _Builder(recipe.grids, shape, quantized)
    source = keras.Input((shape.edge_rows, shape.columns, FEATURES), name="edges")
    features = build.on_grid(source)
    mask = build.mask(features, sizes.message) if sizes.iterations > 1 else None
    biased = {layer.name: (layer.outputs, layer.bias) for layer in sizes.layers}

    def dense(tensor: Any, name: str, last: bool = False) -> Any:
        outputs, bias = biased[name]
        tensor = build.dense(tensor, outputs, bias, name)
        return tensor if last else build.relu(tensor, f"{name}_relu")

    edge = dense(dense(features, "edge0"), "message0")
    for number in range(1, sizes.iterations + 1):
        sums = [build.mix(edge, name, number) for name in ("entering", "leaving")]
        node = dense(build.joined(*sums), f"node{number}")
        ends = [build.mix(node, name, number) for name in ("sender", "receiver")]
        around = build.joined(build.joined(*ends), build.joined(edge, features))
        hidden = dense(around, f"edge{number}")
        if number < sizes.iterations:
            # An empty slot must not tell its nodes anything.
            tensor = dense(hidden, f"message{number}")
            edge = keras.layers.Multiply(name=f"gate{number}")([tensor, mask])
    logits = dense(hidden, "score", last=True)
    model = keras.Model(source, logits, name="edge_classifier" if quantized else "float_network")
    for name, pair in weights.items():
        kernel, *bias = pair
        model.get_layer(name).set_weights([kernel[None, None], *bias])
    for name, kernel in build.fixed():
        model.get_layer(name).set_weights([kernel])
    return model


class _Builder:
    """Layers of a sector's model, rounded to the grids or in floating point."""

    def __init__(self, grids: Grids, shape: SectorShape, rounded: bool) -> None:
        self._grids, self._rounded = grids, rounded
        self._mixes = shape.mixes()
        self._fixed: dict[str, NDArray[np.float32]] = {}
        self._joins = count(1)

    def fixed(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Kernels that are not trained, by layer."""
        yield from self._fixed.items()

    def on_grid(self, tensor: Any) -> Any:
        """The features as the firmware takes them."""
        from qkeras import QActivation

        if not self._rounded:
            return tensor
        return QActivation(grid(self._grids.input, relu=False), name="input_grid")(tensor)

    def relu(self, tensor: Any, name: str) -> Any:
        import tf_keras as keras
        from qkeras import QActivation

        if not self._rounded:
            return keras.layers.ReLU(self._grids.saturation, name=name)(tensor)
        return QActivation(grid(self._grids.activation, relu=True), name=name)(tensor)

    def dense(self, tensor: Any, outputs: int, bias: bool, name: str) -> Any:
        """The same for every row and column."""
        kinds = (self._grids.weight, self._grids.bias)
        return self._convolution(outputs, (1, 1), bias, name, kinds)(tensor)

    def mask(self, features: Any, width: int) -> Any:
        """The first feature, 1 for every edge, as often as a message is wide."""
        from qkeras import QActivation

        kernel = np.zeros((1, 1, FEATURES, width), np.float32)
        kernel[0, 0, 0] = 1
        self._fixed["mask"] = kernel
        tensor = self._convolution(width, (1, 1), False, "mask", (ONES, ONES))(features)
        if not self._rounded:
            return tensor
        bit = grid(FixedType(1, 1, signed=False), relu=False)
        return QActivation(bit, name="mask_grid")(tensor)

    def mix(self, tensor: Any, which: str, number: int) -> Any:
        """Move features between edges and nodes: rows become channels, are mixed, and return."""
        import tf_keras as keras

        kernel = getattr(self._mixes, which)
        name = f"{which}{number}"
        self._fixed[name] = kernel
        tensor = keras.layers.Permute((3, 2, 1), name=f"{name}_in")(tensor)
        layer = self._convolution(kernel.shape[3], kernel.shape[:2], False, name, (ONES, ONES))
        return keras.layers.Permute((3, 2, 1), name=f"{name}_out")(layer(tensor))

    def joined(self, left: Any, right: Any) -> Any:
        """Features of both."""
        import tf_keras as keras

        return keras.layers.Concatenate(name=f"join{next(self._joins)}")([left, right])

    def _convolution(
        self,
        outputs: int,
        kernel: tuple[int, ...],
        bias: bool,
        name: str,
        kinds: tuple[FixedType, FixedType],
    ) -> Any:
        import tf_keras as keras
        from qkeras import QConv2D

        shape: dict[str, Any] = {
            "filters": outputs, "kernel_size": tuple(kernel), "padding": "same",
            "use_bias": bias, "name": name,
        }  # fmt: skip
        if not self._rounded:
            return keras.layers.Conv2D(**shape)
        weight, bias_kind = (grid(kind, relu=False) for kind in kinds)
        return QConv2D(**shape, kernel_quantizer=weight, bias_quantizer=bias_kind)
