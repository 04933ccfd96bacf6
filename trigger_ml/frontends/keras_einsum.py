"""EinsumDense: a kernel that multiplies some axes of a tensor, and may differ between others.

Axes that the kernel does not know are places where the same thing happens, as for a dense layer
of a tensor. Axes that tensor, kernel and result share have a kernel for each place: one matrix
holds them all on its diagonal, and what its zeros multiply takes no logic.

Neither Keras nor QKeras has a quantizer for this layer, so its weights have to be fixed-point
numbers as they stand: those of a graph's edges, or rounded ones. In a float model, whose types
come from events, they may be any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.einsum_equation import Axes, kernel_axes
from trigger_ml.frontends.folding import grid_quantizer
from trigger_ml.frontends.keras_chain import Arrays, Chain, Made
from trigger_ml.frontends.keras_sizes import Shape
from trigger_ml.frontends.keras_steps import pointwise
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.quantizers import activation_quantizer
from trigger_ml.graph.narrow import narrowest_type
from trigger_ml.graph.types import FixedType

__all__ = ["einsum", "read_einsum"]

WIDEST: Final = 16
"""Bits of a weight that is taken for a fixed-point number."""
MOST_WEIGHTS: Final = 1 << 24
"""Elements of a matrix with the kernels of all places on its diagonal."""
REWRITE: Final = (
    "use an equation like '...x,xy->...y', 'abc,cd->abd' or 'abc,bcd->abd', and Permute or "
    "Reshape around it"
)


def read_einsum(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Equation and activation of an EinsumDense. Raises ModelError."""
    where = f"layer {name}"
    equation = config.get("equation")
    if not isinstance(equation, str):
        raise ModelError(Blocker(where, f"equation {equation!r} is no text", REWRITE))
    activation = config.get("activation") or "linear"
    if activation not in ("linear", "relu", "softmax", "sigmoid"):
        activation = activation_quantizer(activation, f"{where} activation")
    return {
        "name": name,
        "equation": equation,
        "use_bias": bool(config.get("bias_axes")),
        "activation": activation,
        "dtype": "float32",
    }


def einsum(
    layer: Layer, shape: Shape, arrays: Arrays, names: Iterator[str], *, floats: bool = False
) -> Made:
    """The layer as a dense one, with transpositions and reshapes around it.

    floats: its weights may be any numbers, and it gets no quantizers. Raises ModelError.
    """
    where, equation = f"layer {layer.name}", layer.config["equation"]
    try:
        axes = kernel_axes(equation, len(shape))
        sizes = _sizes(axes, shape, arrays, bool(layer.config["use_bias"]))
        bias = _spread(arrays[1], axes, sizes) if len(arrays) > 1 else None
    except ValueError as error:
        what = f"its equation {equation!r} {error}"
        raise ModelError(Blocker(where, what, REWRITE)) from error
    if not all(np.isfinite(array).all() for array in arrays):
        # Its weights are refused for that, whatever they are.
        return Made((layer,), {layer.name: arrays})
    quantizers, wrong = _quantizers(where, arrays) if not floats else ({}, [])
    if wrong:
        raise ModelError(wrong)
    roles = _Roles(axes, "" if bias is None else _varying(bias, axes.result))
    if (size := prod(sizes[a] for a in roles.own) ** 2 * prod(arrays[0].shape)) > MOST_WEIGHTS:
        what = f"its equation {equation!r} has a kernel for each place: {size} weights in all"
        raise ModelError(Blocker(where, what, "share the kernel between places, or use less"))
    return _chain(layer, shape, roles, sizes, (arrays[0], bias), quantizers).made(
        layer.name,
        layer.inputs[0],
        names,
        f"layer {layer.name}: its equation {equation} is a dense layer with "
        f"{'reshapes' if roles.plain else 'transpositions'} around it",
    )


class _Roles:
    """What the letters of an equation do.

    places: the same thing happens at each. own: each of their places has a kernel of its own.
    summed: over them goes the sum. units: results at each place.
    """

    def __init__(self, axes: Axes, varying: str) -> None:
        """varying: places at which the bias differs, which makes them ``own``."""
        self.axes = axes
        both = [a for a in axes.tensor if a in axes.result]
        self.places = "".join(a for a in both if a not in axes.kernel and a not in varying)
        self.own = "".join(a for a in both if a in axes.kernel or a in varying)
        self.summed = "".join(a for a in axes.tensor if a not in axes.result)
        self.units = "".join(a for a in axes.result if a not in axes.tensor)

    @property
    def plain(self) -> bool:
        """Whether no axes change places."""
        before = self.places + self.own + self.summed
        return before == self.axes.tensor and self.places + self.own + self.units == (
            self.axes.result
        )


def _sizes(axes: Axes, shape: Shape, arrays: Arrays, biased: bool) -> dict[str, int]:
    """Size of every axis. Raises ValueError where tensor and kernel do not fit."""
    if len(arrays) != 1 + biased:
        raise ValueError(f"needs {1 + biased} arrays, and the file holds {len(arrays)}")
    sizes = dict(zip(axes.tensor, shape, strict=True))
    kernel = arrays[0].shape
    if len(kernel) != len(axes.kernel):
        raise ValueError(f"does not fit a kernel of shape {kernel}")
    for letter, size in zip(axes.kernel, kernel, strict=True):
        if sizes.setdefault(letter, size) != size:
            raise ValueError(f"does not fit a kernel of shape {kernel} and a tensor of {shape}")
    return sizes


def _spread(bias: NDArray[np.float32], axes: Axes, sizes: Mapping[str, int]) -> NDArray[Any]:
    """The bias of every element of the result. Raises ValueError."""
    return np.broadcast_to(bias, tuple(sizes[letter] for letter in axes.result))


def _varying(bias: NDArray[Any], result: str) -> str:
    """Axes along which a bias is not the same everywhere."""
    found = ""
    for axis, letter in enumerate(result):
        if not np.array_equal(bias, np.broadcast_to(np.take(bias, [0], axis), bias.shape)):
            found += letter
    return found


def _quantizers(where: str, arrays: Arrays) -> tuple[dict[str, Any], list[Blocker]]:
    """Quantizers that leave the weights as they are, and which cannot be."""
    found: dict[str, Any] = {"bias_quantizer": None}
    blockers = []
    for key, values in zip(("kernel", "bias"), arrays, strict=False):
        kind = narrowest_type(values, WIDEST)
        if kind is None:
            what = f"its {key} is float, and EinsumDense has no quantizer in Keras or QKeras"
            fix = "round its weights, to multiples of 2**-6 for instance (set_weights), use QDense "
            blockers.append(Blocker(where, what, f"{fix}of the last axis, or HGQ2's QEinsumDense"))
            continue
        # hls4ml takes one bit for -1 and 1; two hold both and zero.
        kind = FixedType(2, kind.integer + 1) if kind.width == 1 else kind
        found[f"{key}_quantizer"] = grid_quantizer(kind)
    return found, blockers


def _chain(
    layer: Layer,
    shape: Shape,
    roles: _Roles,
    sizes: Mapping[str, int],
    arrays: tuple[NDArray[np.float32], NDArray[Any] | None],
    quantizers: Mapping[str, Any],
) -> Chain:
    kernel, bias = arrays
    axes = roles.axes
    places = prod(sizes[a] for a in roles.places)
    matrix = _matrix(kernel, roles, sizes)
    quantized = "Q" if quantizers else ""
    chain = Chain(f"layer {layer.name}", shape)
    chain.transpose([axes.tensor.index(a) for a in roles.places + roles.own + roles.summed])
    inputs, outputs = matrix.shape
    config = {key: value for key, value in layer.config.items() if key != "equation"}
    config |= {**quantizers, "use_bias": bias is not None}
    made: Arrays = (matrix,)
    behind = roles.places + roles.own + roles.units
    if bias is not None:
        turned = bias.transpose([axes.result.index(a) for a in behind])
        made = (matrix, turned.reshape(places, outputs)[0].astype(np.float32))
    if roles.places:
        chain.reshape((places, inputs))
        config = pointwise(config, outputs, 1)
        chain.add(f"{quantized}Conv1D", config, (places, outputs), (made[0][None], *made[1:]))
    else:
        chain.reshape((inputs,))
        chain.add(f"{quantized}Dense", {**config, "units": outputs}, (outputs,), made)
    chain.reshape([sizes[a] for a in behind] or [1])
    chain.transpose([behind.index(a) for a in axes.result])
    return chain


def _matrix(
    kernel: NDArray[np.float32], roles: _Roles, sizes: Mapping[str, int]
) -> NDArray[np.float32]:
    """All places' kernels, shape (own x summed, own x units), zero between different places."""
    letters = roles.axes.kernel
    missing = [a for a in roles.own if a not in letters]
    wide = kernel.reshape(*kernel.shape, *[1] * len(missing))
    wide = np.broadcast_to(wide, (*kernel.shape, *(sizes[a] for a in missing)))
    known = [*letters, *missing]
    order = [known.index(a) for a in roles.own + roles.summed + roles.units]
    own = prod(sizes[a] for a in roles.own)
    summed = prod(sizes[a] for a in roles.summed)
    units = prod(sizes[a] for a in roles.units)
    parts = wide.transpose(order).reshape(own, summed, units)
    matrix = np.zeros((own, summed, own, units), dtype=np.float32)
    every = np.arange(own)
    matrix[every, :, every, :] = parts
    return matrix.reshape(own * summed, own * units)
