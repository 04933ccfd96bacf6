"""Layers that do something in training alone: in inference they hand on what they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from trigger_ml.frontends.model_file import Layer

__all__ = ["IDENTITIES", "without_identities"]

IDENTITIES: Final = (
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
)
"""Classes of such layers."""


def without_identities(layers: Sequence[Layer]) -> tuple[list[Layer], Mapping[str, str]]:
    """The other layers, wired past these, and what each of these handed on, by name.

    One that reads nothing, or more than one layer, stays, to be refused.
    """
    passed: dict[str, str] = {}
    kept = []
    for layer in layers:
        reads = tuple(passed.get(name, name) for name in layer.inputs)
        if layer.kind in IDENTITIES and len(reads) == 1:
            passed[layer.name] = reads[0]
        else:
            kept.append(Layer(layer.name, layer.kind, reads, layer.config))
    return kept, passed
