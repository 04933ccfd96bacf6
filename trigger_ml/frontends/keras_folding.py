"""QKeras layers that hold a batch normalization: read, and folded into plain layers.

In inference such a layer scales its kernel by the normalization, adds the rest to its bias, and
quantizes both. All of that is constant, so it becomes the plain layer of the same quantizers with
these weights. The arithmetic is QKeras' own, in single precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.keras_quantizers import read_normalization
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.quantizers import is_plain

__all__ = ["FOLDED", "FOLDING", "PARTS", "Folded", "fold", "read_folding"]

FOLDING: Final[Mapping[str, str]] = {
    "QDenseBatchnorm": "QDense",
    "QConv2DBatchnorm": "QConv2D",
    "QDepthwiseConv2DBatchnorm": "QDepthwiseConv2D",
}
"""Classes of these layers, and of the plain layers that they become."""
FOLDED: Final = "batchnorm"
"""Key of the normalization in the parameters of a layer, until its weights are known."""
PARTS: Final = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
"""Arrays of such a layer, in the order in which :func:`fold` takes them."""
EPSILON: Final = 2.0**-21
"""Bound on the relative error of a folded weight in single precision."""

Array = NDArray[np.float32]
Reader = Callable[[str, Mapping[str, Any]], dict[str, Any]]


def read_folding(kind: str, plain: Reader, axes: int) -> Reader:
    """Reader of a class of FOLDING. plain: that of its plain layer. axes: that it reads."""

    def read(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters of the plain layer, and those of its normalization. Raises ModelError."""
        blockers: list[Blocker] = []
        parameters: dict[str, Any] = {}
        normal: dict[str, Any] = {}
        try:
            # What the normalization adds is there whether the layer had a bias or not.
            parameters = plain(name, {**config, "use_bias": True})
        except BlockedError as error:
            blockers.extend(error.blockers)
        try:
            normal = read_normalization(name, config)
        except BlockedError as error:
            blockers.extend(error.blockers)
        if normal and normal["axis"] not in (-1, axes):
            what = f"normalizes axis {normal['axis']}"
            blockers.append(Blocker(f"layer {name}", what, "normalize the last axis: axis=-1"))
        if blockers:
            raise ModelError(blockers)
        own = {key: normal[key] for key in ("epsilon", "center", "scale")}
        own |= {"class": kind, "use_bias": bool(config.get("use_bias", True))}
        return {**parameters, FOLDED: own}

    return read


@dataclass(frozen=True, slots=True)
class Folded:
    """A network's plain layers and their weights. notes: what was done, in words."""

    layers: list[Layer]
    weights: dict[str, tuple[Array, ...]]
    blockers: list[Blocker]
    notes: tuple[str, ...]


def fold(layers: Sequence[Layer], weights: Mapping[str, tuple[Array, ...]]) -> Folded:
    """Put every normalization that a layer holds into the layer's weights.

    weights: of such a layer, in the order of PARTS.
    """
    made: list[Layer] = []
    found = dict(weights)
    blockers: list[Blocker] = []
    notes: list[str] = []
    for layer in layers:
        normal = layer.config.get(FOLDED)
        if normal is None:
            made.append(layer)
            continue
        config = {key: value for key, value in layer.config.items() if key != FOLDED}
        made.append(Layer(layer.name, layer.kind, layer.inputs, config))
        parts = _parts(normal, weights.get(layer.name, ()))
        if parts is None:
            what = "its file does not hold the weights of its batch normalization"
            blockers.append(Blocker(f"layer {layer.name}", what, "save the whole model again"))
            continue
        try:
            kernel, bias, summed = _folded(layer.kind, normal["epsilon"], parts)
        except ValueError:
            shapes = ", ".join(str(values.shape) for values in parts.values())
            what = f"its weights of shapes {shapes} do not belong together"
            blockers.append(Blocker(f"layer {layer.name}", what, "save the model again"))
            continue
        found[layer.name] = (kernel, bias)
        ties = _ties(_kernel_quantizer(config), kernel, np.abs(kernel))
        ties += _ties(config.get("bias_quantizer"), bias, summed)
        notes.append(_note(layer.name, str(normal["class"]), ties))
    return Folded(made, found, blockers, tuple(notes))


def _parts(normal: Mapping[str, Any], arrays: Sequence[Array]) -> dict[str, Array] | None:
    there = {"bias": normal["use_bias"], "gamma": normal["scale"], "beta": normal["center"]}
    names = [name for name in PARTS if there.get(name, True)]
    if len(arrays) != len(names):
        return None
    return dict(zip(names, (np.asarray(values, np.float32) for values in arrays), strict=True))


def _folded(kind: str, epsilon: float, parts: Mapping[str, Array]) -> tuple[Array, Array, Array]:
    """Kernel, bias, and the size of what the bias is the sum of, which rounding errors go with.

    Raises ValueError where shapes differ.
    """
    one = np.float32(1)
    with np.errstate(all="ignore"):
        root = np.sqrt((parts["moving_variance"] + np.float32(epsilon)).astype(np.float64))
        scale = (1 / root).astype(np.float32) * parts.get("gamma", one)
        kernel = parts["kernel"]
        by_channel = scale.reshape(kernel.shape[2:]) if kind == "QDepthwiseConv2D" else scale
        shift = scale * (parts.get("bias", np.float32(0)) - parts["moving_mean"])
        beta = parts.get("beta", np.float32(0))
        folded = (by_channel * kernel).astype(np.float32)
        if folded.shape != kernel.shape or shift.shape != scale.shape:
            raise ValueError("shapes")
        summed = (np.abs(shift) + np.abs(beta)).astype(np.float32)
        return folded, (shift + beta).astype(np.float32), summed


def _kernel_quantizer(config: Mapping[str, Any]) -> Any:
    return config.get("depthwise_quantizer") or config.get("kernel_quantizer")


def _ties(quantizer: Any, values: Array, sizes: Array) -> int:
    """Values that lie in the middle of two steps of a plain quantizer, within rounding errors.

    sizes: that the errors go with.
    """
    plain = isinstance(quantizer, Mapping) and is_plain(quantizer)
    if not plain or not np.isfinite(values).all():
        return 0
    config = quantizer["config"]
    bits, integer = int(config.get("bits", 8)), int(config.get("integer") or 0)
    fraction = bits - integer - int(bool(config.get("keep_negative", True)))
    steps = np.ldexp(np.abs(values.astype(np.float64)), fraction)
    near = np.abs(steps - np.floor(steps) - 0.5) <= np.ldexp(sizes * EPSILON, fraction)
    return int(np.count_nonzero(near & (steps < 2.0**bits)))


def _note(name: str, kind: str, ties: int) -> str:
    note = f"layer {name}: the batch normalization of the {kind} is folded into its weights"
    if not ties:
        return note
    return (
        f"{note}; {ties} of them lie so near the middle of two steps that QKeras itself rounds "
        "them up on one processor and down on another"
    )
