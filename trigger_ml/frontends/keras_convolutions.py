"""Quantized convolutions of Keras: which there are, their parameters, and where they fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trigger_ml.errors import Blocker
from trigger_ml.frontends.keras_sizes import Shape, axis_order, places, sizes_of
from trigger_ml.frontends.model_file import Layer

__all__ = ["CONVOLUTIONS", "Convolution", "convolution_options", "convolution_shape", "products"]


@dataclass(frozen=True, slots=True)
class Convolution:
    """A class of layers. axes: that its window moves along. kernels: names of its kernels, each
    with a quantizer."""

    axes: int
    kernels: tuple[str, ...] = ("kernel",)

    @property
    def depthwise(self) -> bool:
        """Whether channels have windows of their own, before they are mixed or not at all."""
        return self.kernels[0] == "depthwise"

    @property
    def quantizers(self) -> tuple[str, ...]:
        """Keys of the kernels' quantizers."""
        return tuple(f"{kernel}_quantizer" for kernel in self.kernels)


CONVOLUTIONS: Final[Mapping[str, Convolution]] = {
    "QConv1D": Convolution(1),
    "QConv2D": Convolution(2),
    "QDepthwiseConv2D": Convolution(2, ("depthwise",)),
    "QSeparableConv1D": Convolution(1, ("depthwise", "pointwise")),
    "QSeparableConv2D": Convolution(2, ("depthwise", "pointwise")),
}
"""Layers that are convolutions, by class."""


def convolution_options(
    kind: str, where: str, config: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Blocker]]:
    """Window, padding and channels of a convolution, and what is wrong with them."""
    layer = CONVOLUTIONS[kind]
    blockers = axis_order(where, config)
    made: dict[str, Any] = {"data_format": "channels_last"}
    for key in ("kernel_size", "strides"):
        made[key] = sizes_of(config.get(key), layer.axes)
        if made[key] is None:
            blockers.append(Blocker(where, f"{key} {config.get(key)!r}"))
    made["padding"] = padding = str(config.get("padding")).lower()
    if padding == "causal" and layer.axes == 1:
        if made["strides"] not in (None, [1]):
            what = "strides with padding='causal' are not those of Keras in hls4ml 1.3"
            blockers.append(Blocker(where, what, "use ZeroPadding1D before it, padding='valid'"))
    elif padding not in ("same", "valid"):
        blockers.append(Blocker(where, f"padding {config.get('padding')!r}", "use same or valid"))
    if kind != "QDepthwiseConv2D":
        made["filters"] = config.get("filters")
        if not _positive(made["filters"]):
            blockers.append(Blocker(where, f"{made['filters']!r} filters"))
    if layer.depthwise:
        made["depth_multiplier"] = config.get("depth_multiplier", 1)
        if not _positive(made["depth_multiplier"]):
            blockers.append(Blocker(where, f"depth_multiplier {made['depth_multiplier']!r}"))
        if len(set(made["strides"] or ())) > 1:
            what = f"strides {made['strides']}: TensorFlow moves such a window by one length"
            blockers.append(Blocker(where, what, "use equal strides"))
    for key, plain in (("dilation_rate", [1] * layer.axes), ("groups", 1)):
        value = config.get(key, plain)
        if value not in (plain, tuple([1] * layer.axes), 1):
            blockers.append(Blocker(where, f"{key} {value!r}", f"only {plain} is exact here"))
    return made, blockers


def convolution_shape(layer: Layer, shape: Shape) -> Shape:
    """Shape of what leaves a convolution; sizes below 1 where its window is too large.

    shape: of what it reads, with as many axes as its class needs.
    """
    config = layer.config
    made = places(shape, config["kernel_size"], config["strides"], config["padding"])
    if layer.kind == "QDepthwiseConv2D":
        return (*made, shape[-1] * int(config["depth_multiplier"]))
    return (*made, int(config["filters"]))


def products(layer: Layer, made: Shape, nonzero: Sequence[int]) -> int:
    """Products with non-zero weights that a convolution takes when every place has its own.

    made: its shape. nonzero: weights of each of its kernels.
    """
    count = 1
    for size in made[:-1]:
        count *= size
    return count * sum(nonzero[: len(CONVOLUTIONS[layer.kind].kernels)])


def _positive(value: Any) -> bool:
    return isinstance(value, int) and value > 0
