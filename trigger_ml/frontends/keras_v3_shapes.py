"""Follow the shapes through a graph of HGQ2 layers: what fits, and what would not be exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from trigger_ml.errors import Blocker
from trigger_ml.frontends.keras_v3_layers import RULES
from trigger_ml.frontends.keras_v3_merges import CARRIERS
from trigger_ml.frontends.keras_v3_rules import Shape
from trigger_ml.frontends.model_file import TAIL, Layer

__all__ = ["shape_problems"]

WITH_TABLES: Final[Mapping[str, str]] = {
    "sigmoid": "hgq.layers.QUnaryFunctionLUT('sigmoid')",
    "softmax": "hgq.layers.QSoftmax",
}
"""HGQ2's layer instead of Keras' function."""


def shape_problems(layers: Sequence[Layer], outputs: Sequence[str]) -> list[Blocker]:
    """What is wrong with a network whose tail is cut off: shapes, missing quantizers, means.

    outputs: names of the layers whose results leave it.
    """
    blockers = [
        Blocker(
            f"layer {layer.name}",
            f"{layer.config['activation']} of real numbers in the middle of a network has no exact "
            "firmware",
            f"put {WITH_TABLES[layer.config['activation']]} there, whose table is trained with it",
        )
        for layer in layers
        if RULES[layer.kind].function and layer.config.get("activation") in TAIL
    ]
    if not any(RULES[layer.kind].weights for layer in layers):
        blockers.append(Blocker("model", "has no layer with weights", "there is nothing to build"))
    blockers += [
        Blocker(
            f"layer {name}",
            "nothing says which fixed-point type the inputs have",
            "put hgq.layers.Quantizer first, or give the first layer enable_iq=True",
        )
        for name in _bare_inputs(layers, outputs)
    ]
    known: dict[str, Shape] = {}
    for layer in layers:
        found = RULES[layer.kind].shape(layer, [known[name] for name in layer.inputs])
        if isinstance(found, Blocker):
            return [*blockers, found]
        known[layer.name] = found
    return blockers


def _bare_inputs(layers: Sequence[Layer], outputs: Sequence[str]) -> list[str]:
    """Inputs that something computes with, or gives out, before a quantizer."""
    carried: dict[str, set[str]] = {}
    bare: set[str] = set()
    for layer in layers:
        if layer.kind == "InputLayer":
            carried[layer.name] = {layer.name}
            continue
        quantizes = layer.kind == "Quantizer" or layer.config.get("enable_iq")
        found = {x for name in layer.inputs for x in carried.get(name, ()) if not quantizes}
        if layer.kind in CARRIERS:
            carried[layer.name] = found
            bare |= found if layer.name in outputs else set()
        else:
            bare |= found
    return sorted(bare)
