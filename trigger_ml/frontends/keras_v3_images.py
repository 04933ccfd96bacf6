"""Convolutions, pooling, rims and normalizations of a ``.keras`` file of HGQ2.

What windows mean is the same as in files of Keras 2 (:mod:`trigger_ml.frontends.keras_windows`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker
from trigger_ml.frontends.keras_sizes import places, sizes_of
from trigger_ml.frontends.keras_v3_fields import Fields, read_function, read_quantized
from trigger_ml.frontends.keras_v3_rules import Rule, Shape
from trigger_ml.frontends.keras_windows import WINDOW_READERS, axes_of, window_shape
from trigger_ml.frontends.model_file import Layer

__all__ = ["RULES"]

NEEDS: Final[Mapping[int, str]] = {1: "steps x channels", 2: "height x width x channels"}

Reader = Callable[[Fields], dict[str, Any]]


def _convolution(axes: int) -> Reader:
    def read(fields: Fields) -> dict[str, Any]:
        """Window, channels, activation and quantizers."""
        fields.must_be("data_format", "channels_last", "put the channels last")
        sizes = {key: _sizes(fields, key, axes) for key in ("kernel_size", "strides")}
        dilation = _sizes(fields, "dilation_rate", axes)
        if max(dilation) > 1 < max(sizes["strides"]):
            fields.block("Keras has no dilation with strides", "use one of the two")
        bias = fields.flag("use_bias", True)
        return {
            "filters": fields.size("filters"),
            **sizes,
            "padding": fields.word("padding", ("same", "valid", "causal")[: 4 - axes]),
            "data_format": "channels_last",
            "dilation_rate": dilation,
            "groups": fields.size("groups") if "groups" in fields.config else 1,
            "use_bias": bias,
            "activation": read_function(fields),
            **read_quantized(fields, ("kq_conf", "bq_conf") if bias else ("kq_conf",)),
        }

    return read


def _sizes(fields: Fields, key: str, axes: int) -> list[int]:
    """As many whole numbers above 0 as the window has axes; 1 where the file has none."""
    found = sizes_of(fields.config.get(key, 1), axes)
    if found is None:
        fields.block(f"{key} is {fields.config.get(key)!r}, not {axes} whole numbers above 0")
    return found or [1] * axes


def _windows(kind: str, quantized: bool) -> Reader:
    """Of a class of Keras, or of the class of HGQ2 that has quantizers as well."""

    def read(fields: Fields) -> dict[str, Any]:
        made = read_quantized(fields) if quantized else {}
        try:
            found = WINDOW_READERS[kind](fields.where.removeprefix("layer "), fields.config)
        except BlockedError as error:
            fields.blockers.extend(error.blockers)
            return made
        del found["name"]
        return {**found, **made}

    return read


def _read_normalization(fields: Fields) -> dict[str, Any]:
    """The channels' axis, the constants that there are and their quantizers."""
    axis, epsilon = fields.config.get("axis", -1), fields.config.get("epsilon", 1e-3)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if not isinstance(axis, int) or isinstance(axis, bool):
        fields.block(f"axis is {axis!r}", "put the channels last, and use axis=-1")
    if not isinstance(epsilon, int | float) or not 0 <= epsilon < 1:
        fields.block(f"epsilon is {epsilon!r}, not 0 to 1")
    made = read_quantized(fields, ("kq_conf", "bq_conf"))
    del made["kernel_initializer"]
    center, scale = fields.flag("center", True), fields.flag("scale", True)
    return {"axis": axis, "epsilon": epsilon, "center": center, "scale": scale, **made}


def _misfit(layer: Layer, shape: Shape) -> Blocker | None:
    """Why a layer cannot move its window along this shape."""
    axes = axes_of(layer.kind)
    if len(shape) == axes + 1:
        return None
    what = f"reads a tensor of shape {shape}, not {NEEDS[axes]}"
    return Blocker(f"layer {layer.name}", what)


def _made(layer: Layer, shape: Shape, made: Shape | Blocker) -> Shape | Blocker:
    if isinstance(made, Blocker) or min(made) > 0:
        return made
    what = f"its window is larger than its input of shape {shape}"
    return Blocker(f"layer {layer.name}", what)


def _convolution_shape(layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    (shape,), config = shapes, layer.config
    misfit = _misfit(layer, shape)
    if misfit is not None:
        return misfit
    if shape[-1] % config["groups"] or config["filters"] % config["groups"]:
        what = f"{shape[-1]} channels and {config['filters']} filters in {config['groups']} groups"
        return Blocker(f"layer {layer.name}", what, "make groups of equal sizes")
    steps = zip(config["kernel_size"], config["dilation_rate"], strict=True)
    window = [(size - 1) * step + 1 for size, step in steps]
    found = places(shape, window, config["strides"], config["padding"])
    return _made(layer, shape, (*found, int(config["filters"])))


def _window_shape(layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    (shape,) = shapes
    plain = replace(layer, kind=layer.kind.removeprefix("Q"))
    return _misfit(layer, shape) or _made(layer, shape, window_shape(plain, shape))


def _normalized_shape(layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    (shape,), axis = shapes, layer.config["axis"]
    if axis in (-1, len(shape)):
        return shape
    what = f"axis {axis} of a tensor of shape {shape}"
    return Blocker(f"layer {layer.name}", what, "put the channels last, and use axis=-1")


POOLING: Final = tuple(kind for kind in WINDOW_READERS if "Pooling" in kind)

RULES: Final[Mapping[str, Rule]] = {
    **{
        f"QConv{axes}D": Rule(
            "hgq.layers.conv",
            f"hgq>QConv{axes}D",
            _convolution(axes),
            _convolution_shape,
            weights=True,
            function=True,
        )
        for axes in (1, 2)
    },
    **{
        f"Q{kind}": Rule("hgq.layers.pooling", f"hgq>Q{kind}", _windows(kind, True), _window_shape)
        for kind in POOLING
    },
    **{
        kind: Rule("keras.layers", None, _windows(kind, False), _window_shape)
        for kind in WINDOW_READERS
    },
    "QBatchNormalization": Rule(
        "hgq.layers.batch_normalization",
        "hgq>QBatchNormalization",
        _read_normalization,
        _normalized_shape,
        weights=True,
    ),
}
