"""Keras layers whose numbers are settled only when the types are known: read and put in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.keras_recurrent import RECURRENT
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.quantizers import (
    canonical_quantizer,
    is_hard,
    kernel_quantizer,
    needs_table,
)

__all__ = [
    "NORMALIZATIONS",
    "axis_problem",
    "own_activations",
    "read_normalization",
    "read_quantized_normalization",
]

NORMALIZATIONS: Final = ("BatchNormalization", "QBatchNormalization")

_TRAINABLE: Final = ("gamma_quantizer", "variance_quantizer")
"""QKeras makes alpha "auto_po2" in these where it is not given."""


def read_normalization(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A BatchNormalization in inference. Raises ModelError."""
    where = f"layer {name}"
    blockers = []
    for key in ("renorm", "virtual_batch_size", "adjustment"):
        if config.get(key):
            blockers.append(Blocker(where, f"{key}={config[key]!r}", "train it without"))
    epsilon, axis = config.get("epsilon", 1e-3), config.get("axis", -1)
    if not isinstance(epsilon, int | float) or not 0 <= epsilon < 1e9:
        blockers.append(Blocker(where, f"epsilon {epsilon!r}"))
    if isinstance(axis, list | tuple) and len(axis) == 1:
        axis = axis[0]
    if not isinstance(axis, int):
        blockers.append(Blocker(where, f"axis {axis!r}", "normalize the last axis: axis=-1"))
    if blockers:
        raise ModelError(blockers)
    return {
        "name": name,
        "axis": axis,
        "epsilon": float(epsilon),
        "center": bool(config.get("center", True)),
        "scale": bool(config.get("scale", True)),
        "dtype": "float32",
    }


def read_quantized_normalization(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A QBatchNormalization, with quantizers of its constants. Raises ModelError."""
    blockers: list[Blocker] = []
    parameters: dict[str, Any] = {}
    try:
        parameters = read_normalization(name, config)
    except BlockedError as error:
        blockers.extend(error.blockers)
    if config.get("activation") not in (None, "linear"):
        # QKeras keeps this parameter and never calls it.
        parameters["activation"] = None
    for key in ("gamma_quantizer", "beta_quantizer", "mean_quantizer", "variance_quantizer"):
        read = kernel_quantizer if key in _TRAINABLE else canonical_quantizer
        try:
            parameters[key] = read(config.get(key), f"layer {name} {key}")
        except BlockedError as error:
            blockers.extend(error.blockers)
    if blockers:
        raise ModelError(blockers)
    return parameters


def axis_problem(layer: Layer, shape: tuple[int, ...]) -> Blocker | None:
    """Where a normalization is not of the last axis. shape: of what it reads, without batches."""
    axis = layer.config["axis"]
    if axis in (-1, len(shape)):
        return None
    what = f"normalizes axis {axis} of a tensor of shape {shape}"
    return Blocker(f"layer {layer.name}", what, "normalize the last axis: axis=-1")


def _is_apart(quantizer: Mapping[str, Any]) -> bool:
    return needs_table(quantizer) or is_hard(quantizer)


def own_activations(
    layers: Sequence[Layer], outputs: Sequence[str] = ()
) -> tuple[list[Layer], tuple[str, ...], list[Blocker]]:
    """The layers with every activation that needs a table in a layer of its own, and the outputs.

    outputs: names of the layers whose results leave the network. A table on an input is refused:
    it says no type of the input.
    """
    made: list[Layer] = []
    blockers: list[Blocker] = []
    renamed: dict[str, str] = {}
    taken = {layer.name.lower() for layer in layers}
    inputs = {layer.name for layer in layers if layer.kind == "InputLayer"}
    for layer in layers:
        reads = tuple(renamed.get(name, name) for name in layer.inputs)
        activation = layer.config.get("activation")
        inside = layer.kind in RECURRENT
        if inside or not isinstance(activation, Mapping) or not _is_apart(activation):
            made.append(Layer(layer.name, layer.kind, reads, layer.config))
            continue
        kind = str(activation["class_name"])
        if layer.kind == "QActivation":
            made.append(Layer(layer.name, layer.kind, reads, layer.config))
            if inputs & set(reads) and needs_table(activation):
                what = f"a {kind} on the input leaves the type of the input open"
                fix = "put QActivation(quantized_bits(8,3,alpha=1)) before it"
                blockers.append(Blocker(f"layer {layer.name}", what, fix))
            continue
        name = f"{layer.name}_{kind}"
        while name.lower() in taken:
            name += "_q"
        taken.add(name.lower())
        renamed[layer.name] = name
        linear = {**layer.config, "activation": "linear"}
        made.append(Layer(layer.name, layer.kind, reads, linear))
        config = {"name": name, "activation": activation, "dtype": "float32"}
        made.append(Layer(name, "QActivation", (layer.name,), config))
    return made, tuple(renamed.get(name, name) for name in outputs), blockers
