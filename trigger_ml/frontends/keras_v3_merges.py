"""Layers of a ``.keras`` file of HGQ2 that join tensors, rename places, or do nothing.

hls4ml joins two tensors; joins of more are written there as joins of two (see ``hls_v3_joins``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from trigger_ml.errors import Blocker
from trigger_ml.frontends.keras_merges import (
    ELEMENTWISE,
    joined_shape,
    read_concatenate,
    read_flatten,
    read_permute,
    read_reshape,
)
from trigger_ml.frontends.keras_v3_fields import Fields, read_quantized
from trigger_ml.frontends.keras_v3_rules import Rule, Shape
from trigger_ml.frontends.model_file import Layer

__all__ = ["CARRIERS", "RULES"]

MOST: Final = 64
"""Tensors that one layer joins."""
IDENTITIES: Final = (
    *("ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"),
    *("Identity", "SpatialDropout1D", "SpatialDropout2D"),
)
"""Layers that only do something in training."""
CARRIERS: Final = (*IDENTITIES, "Concatenate", "Flatten", "Permute", "Reshape")
"""Layers that may stand between an input and its quantizer: elements pass them as they are."""
AVERAGES: Final = ("Average", "AveragePow2")
QUANTIZED: Final = (*(kind for kind in ELEMENTWISE if kind != "Average"), "AveragePow2")
"""Joins that HGQ2 has, without the Q."""


def _read_quantized_join(fields: Fields) -> dict[str, Any]:
    return read_quantized(fields, several=True)


def _read_join(_fields: Fields) -> dict[str, Any]:
    return {"dtype": "float32"}


def _plain(reader: Callable[[str, Mapping[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
    """A reader of layers that Keras 2 has as well. It raises ModelError by itself."""

    def read(fields: Fields) -> dict[str, Any]:
        found = reader(fields.where.removeprefix("layer "), fields.config)
        return {key: value for key, value in found.items() if key != "name"}

    return read


def _as_linear(_fields: Fields) -> dict[str, Any]:
    return {"activation": "linear", "dtype": "float32"}


def _read_relu(fields: Fields) -> dict[str, Any]:
    """The plain one, which hls4ml 1.3 only takes as an Activation."""
    fields.must_be("max_value", None, "use the quantizer behind it as the bound")
    fields.must_be("negative_slope", 0.0, "use Activation('relu')")
    fields.must_be("threshold", 0.0, "use Activation('relu')")
    return {"activation": "relu", "dtype": "float32"}


def _elementwise(layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    kind = layer.kind.removeprefix("Q")
    count = len(shapes)
    if kind in AVERAGES and count & (count - 1):
        what = f"an average of {count} is not exact in fixed point"
        fix = f"use QAdd, and weights smaller by {count} in the layers that read it"
        return Blocker(f"layer {layer.name}", what, fix)
    named = replace(layer, kind="Average" if kind in AVERAGES else kind)
    return _in_pairs(named, shapes)


def _in_pairs(layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    """Of the first two, of that and the next, and so on."""
    shape = shapes[0]
    for other in shapes[1:]:
        found = joined_shape(layer, (shape, other))
        if isinstance(found, Blocker):
            return found
        shape = found
    return shape


def _concatenated(layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    if len(set(layer.inputs)) < len(layer.inputs):
        what = "joins a tensor with itself, whose types hls4ml's bit-exact pass mixes up"
        return Blocker(
            f"layer {layer.name}", what, "put an hgq.layers.Quantizer before one of them"
        )
    return _in_pairs(layer, shapes)


def _join(kind: str) -> Rule:
    most = 2 if kind == "QSubtract" else MOST
    return Rule(
        "hgq.layers.ops.merge",
        f"hgq>{kind}",
        _read_quantized_join,
        _elementwise,
        inputs=(2, most),
    )


def _keras_join(kind: str) -> Rule:
    most = 2 if kind == "Subtract" else MOST
    return Rule("keras.layers", None, _read_join, _elementwise, inputs=(2, most))


RULES: Final[Mapping[str, Rule]] = {
    **{
        f"Q{kind}": _join(f"Q{kind}") for kind in (*ELEMENTWISE, "AveragePow2") if kind != "Average"
    },
    **{kind: _keras_join(kind) for kind in ELEMENTWISE},
    **{kind: Rule("keras.layers", None, _as_linear, written="Activation") for kind in IDENTITIES},
    "Concatenate": Rule(
        "keras.layers", None, _plain(read_concatenate), _concatenated, inputs=(2, MOST)
    ),
    "Flatten": Rule("keras.layers", None, _plain(read_flatten), joined_shape),
    "Permute": Rule("keras.layers", None, _plain(read_permute), joined_shape),
    "ReLU": Rule("keras.layers", None, _read_relu, written="Activation"),
    "Reshape": Rule("keras.layers", None, _plain(read_reshape), joined_shape),
}
