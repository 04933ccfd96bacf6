"""QKeras' average poolings: a mean, and then a quantizer.

QKeras multiplies the mean by the count of a window and by that count's inverse, which it
quantizes. Where the inverse is a power of two that the quantizer leaves as it is, this is the mean
of Keras; where it is not, a product follows that Keras itself rounds in single precision.
The semantics are those of qkeras/qpooling.py, version 0.9.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.keras_chain import Chain, Made
from trigger_ml.frontends.keras_sizes import Shape
from trigger_ml.frontends.keras_windows import WINDOW_READERS
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.quantizers import (
    activation_quantizer,
    canonical_quantizer,
    is_plain,
    quantizer_type,
)

__all__ = ["AVERAGES", "averaged"]

_KINDS: Final = ("QAveragePooling2D", "QGlobalAveragePooling2D")


def _reader(kind: str) -> Callable[[str, Mapping[str, Any]], dict[str, Any]]:
    def read(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """The window, the quantizer of the inverse count and the activation. Raises ModelError."""
        where, blockers = f"layer {name}", list[Blocker]()
        made: dict[str, Any] = {}
        steps: tuple[Callable[[], None], ...] = (
            lambda: made.update(WINDOW_READERS[kind.removeprefix("Q")](name, config)),
            lambda: made.update(average_quantizer=_inverse(config, f"{where} average_quantizer")),
            lambda: made.update(activation=_activation(config, f"{where} activation")),
        )
        for step in steps:
            try:
                step()
            except BlockedError as error:
                blockers.extend(error.blockers)
        if blockers:
            raise ModelError(blockers)
        return made

    return read


def _inverse(config: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    quantizer = canonical_quantizer(config.get("average_quantizer"), where)
    if quantizer is None or is_plain(quantizer) or _is_plain_relu(quantizer):
        return quantizer
    what = f"is a {quantizer['class_name']}, and one over a count is a power of two here"
    raise ModelError(Blocker(where, what, "use quantized_bits(8,0,alpha=1)"))


def _is_plain_relu(quantizer: Mapping[str, Any]) -> bool:
    """Whether a quantizer leaves the numbers on its grid as they are, from zero to its end."""
    bent = ("negative_slope", "relu_upper_bound", "use_sigmoid")
    of_relu = quantizer["class_name"] == "quantized_relu"
    return of_relu and not any(quantizer["config"].get(key) for key in bent)


def _activation(config: Mapping[str, Any], where: str) -> Any:
    function = config.get("activation") or "linear"
    return function if function in ("linear", "relu") else activation_quantizer(function, where)


AVERAGES: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    kind: _reader(kind) for kind in _KINDS
}
"""Readers of these layers, by class."""


def averaged(layer: Layer, shape: Shape, names: Iterator[str]) -> Made:
    """A plain mean and the layer's activation. shape: of what is read. Raises ModelError."""
    config = dict(layer.config)
    quantizer, activation = config.pop("average_quantizer"), config.pop("activation")
    count = prod(config.get("pool_size") or shape[:-1])
    where = f"layer {layer.name}"
    if quantizer is not None and not count & (count - 1):
        kind = quantizer_type(quantizer)
        bits = count.bit_length() - 1
        # One over the count is 2**-bits: the last place there is, and below the range's end.
        if not (-kind.fraction <= -bits < kind.integer - int(kind.signed)):
            what = f"its average_quantizer does not hold 1/{count} as it is"
            fix = f"use quantized_bits({max(bits + 1, 8)},0,alpha=1), or leave it out"
            raise ModelError(Blocker(where, what, fix))
    chain = Chain(where, shape)
    chain.add(layer.kind.removeprefix("Q"), config, shape)
    if activation != "linear":
        plain = activation == "relu"
        chain.add("Activation" if plain else "QActivation", {"activation": activation}, shape)
    return chain.made(layer.name, layer.inputs[0], names)
