"""The family of ReLU as Keras layers: what of them decides the output, and what is exact.

Slopes, bounds and thresholds are numbers of few bits, or the products and comparisons that Keras
makes in floating point would not be those of a fixed-point network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.model_file import Layer

__all__ = ["REAL_VALUED", "RECTIFIERS", "expanded_slopes", "real_valued"]

FRACTION: Final = 8
"""Fraction bits of a slope, a bound or a threshold: products with values of 15 bits stay exact in
the source's single precision."""
MOST: Final = 1 << 15
"""Bounds and thresholds are less."""
REAL_VALUED: Final = (
    "elu",
    "selu",
    "gelu",
    "silu",
    "swish",
    "mish",
    "softplus",
    "softsign",
    "exponential",
    "hard_silu",
    "hard_swish",
    "log_softmax",
    "leaky_relu",
)
"""Activations of Keras whose results lie on no grid."""

Slopes = Mapping[str, tuple[NDArray[np.float32], ...]]


def real_valued(name: str, where: str) -> Blocker:
    """Why an activation has no firmware, and what to use instead."""
    if name.lower() in ("leaky_relu", "leakyrelu"):
        what = "leaky_relu has a slope of 0.2, which no fixed-point number is"
        return Blocker(where, what, "use a layer LeakyReLU(alpha=0.25)")
    return Blocker(
        where,
        f"the results of {name} are real numbers, and a table of them must be rounded",
        "use relu, LeakyReLU(alpha=0.25), relu6, or tanh and a quantizer behind it",
    )


def _read_relu(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A ReLU with a bound or with a slope below zero. Raises ModelError."""
    where = f"layer {name}"
    bound, slope = config.get("max_value"), config.get("negative_slope") or 0.0
    blockers = _number_problems(where, "negative_slope", slope, 1)
    if config.get("threshold") not in (0, None):
        what = f"threshold {config['threshold']!r} leaves a jump"
        blockers.append(Blocker(where, what, "use ThresholdedReLU, or a bias before ReLU"))
    if bound is not None:
        blockers += _bound_problems(where, bound)
        if slope:
            what = f"max_value {bound!r} together with negative_slope {slope!r}"
            fix = "use LeakyReLU, and a quantizer behind it whose range ends there"
            blockers.append(Blocker(where, what, fix))
    if blockers:
        raise ModelError(blockers)
    return {
        "name": name,
        "max_value": None if bound is None else float(bound),
        "negative_slope": float(slope),
        "threshold": 0.0,
        "dtype": "float32",
    }


def _bound_problems(where: str, bound: Any) -> list[Blocker]:
    if _is_number(bound) and bound == int(bound) and 0 < bound < MOST:
        return []
    what = f"max_value {bound!r}: hls4ml cuts at whole numbers"
    return [Blocker(where, what, "use max_value=6, or a quantized_relu whose range ends there")]


def _read_leaky_relu(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Keras 2 calls the slope alpha, Keras 3 negative_slope. Raises ModelError."""
    slope = config.get("alpha", config.get("negative_slope", 0.3))
    blockers = _number_problems(f"layer {name}", "alpha", slope, 1)
    if blockers:
        raise ModelError(blockers)
    return {"name": name, "alpha": float(slope), "dtype": "float32"}


def _read_thresholded_relu(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """x where it is greater than theta, else 0. Raises ModelError."""
    theta = config.get("theta", 1.0)
    blockers = _number_problems(f"layer {name}", "theta", theta, MOST)
    if blockers:
        raise ModelError(blockers)
    return {"name": name, "theta": float(theta), "dtype": "float32"}


def _read_prelu(name: str, _config: Mapping[str, Any]) -> dict[str, Any]:
    """A slope for each element; :func:`expanded_slopes` repeats those that axes share."""
    return {"name": name, "shared_axes": None, "dtype": "float32"}


def _number_problems(where: str, key: str, value: Any, most: int) -> list[Blocker]:
    if _is_number(value) and 0 <= value <= most and _on_grid(np.asarray(value)):
        return []
    what = f"{key} {value!r} is not a multiple of 2**-{FRACTION} from 0 to {most}"
    example = "0.25" if most == 1 else "0.5"
    return [Blocker(where, what, f"use {key}={example} for instance, and train with it")]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _on_grid(values: NDArray[Any]) -> bool:
    scaled = np.ldexp(np.asarray(values, dtype=np.float64), FRACTION)
    return bool(np.all(scaled == np.rint(scaled)))


def expanded_slopes(
    layers: Sequence[Layer], shapes: Mapping[str, tuple[int, ...]], weights: Slopes
) -> tuple[dict[str, tuple[NDArray[np.float32], ...]], list[Blocker]]:
    """Weights in which every PReLU has a slope for each element, and what is wrong with slopes.

    shapes: of what leaves each layer. A slope has to be a multiple of 2**-FRACTION, from -1 to 1.
    """
    found = dict(weights)
    blockers: list[Blocker] = []
    for layer in layers:
        arrays = weights.get(layer.name, ())
        if layer.kind != "PReLU" or len(arrays) != 1 or layer.name not in shapes:
            continue
        where, slopes = f"layer {layer.name}", np.asarray(arrays[0])
        try:
            found[layer.name] = (np.broadcast_to(slopes, shapes[layer.name]).copy(),)
        except ValueError:
            what = f"slopes of shape {slopes.shape} for values of shape {shapes[layer.name]}"
            blockers.append(Blocker(where, what, "save the model again"))
        if not _on_grid(slopes) or np.abs(slopes).max(initial=0) > 1:
            what = f"its slopes are not all multiples of 2**-{FRACTION} from -1 to 1"
            fix = "round them (set_weights) and train the rest on, or use LeakyReLU(alpha=0.25)"
            blockers.append(Blocker(where, what, fix))
    return found, blockers


RECTIFIERS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    "ReLU": _read_relu,
    "LeakyReLU": _read_leaky_relu,
    "ThresholdedReLU": _read_thresholded_relu,
    "PReLU": _read_prelu,
}
"""Readers of these layers, by class."""
