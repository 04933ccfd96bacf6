"""Which layer of the model each layer of hls4ml's default conversion stands for.

hls4ml puts activations into layers of their own, melts normalizations, linear activations and
quantizers into what is before them, and puts scales behind layers. Here are plain data alone: a
model is its architecture in Keras' JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Match", "SourceLayer", "matches", "source_layers", "split_activations"]

ACTIVATIONS: Final = (
    "Activation",
    "QActivation",
    "LeakyReLU",
    "PReLU",
    "ReLU",
    "Softmax",
    "ThresholdedReLU",
)
"""Layer classes that are activations themselves."""
MELTED: Final = (*ACTIVATIONS, "BatchNormalization", "Dropout", "QBatchNormalization")
"""Layer classes that hls4ml may melt into what is before them."""
PLAIN: Final = (None, "linear")
TANH: Final = "bnbt_"
"""Start of the name of what hls4ml makes of a normalization and a step function behind it."""
BEHIND: Final = ("_alpha", "_pointwise")
"""Ends of the names of layers that hls4ml puts behind others of the same name."""


@dataclass(frozen=True, slots=True)
class SourceLayer:
    """A layer of the model: class name, and the layers that it reads."""

    name: str
    kind: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """What a layer of hls4ml stands for.

    source: the layer of the model whose results it should have. first: the first of the layers
    that were melted into it, source where nothing was.
    """

    source: str
    first: str


def split_activations(architecture: str) -> str:
    """The same model with the activations of layers in layers of their own, named as by hls4ml."""
    model = json.loads(architecture)
    layers: list[dict[str, Any]] = []
    renamed: dict[str, str] = {}
    for layer in model["config"]["layers"]:
        nodes = [
            [[renamed.get(read[0], read[0]), *read[1:]] for read in node]
            for node in layer["inbound_nodes"]
        ]
        function = layer["config"].get("activation")
        if layer["class_name"] in ACTIVATIONS or function in PLAIN:
            layers.append({**layer, "inbound_nodes": nodes})
            continue
        quantizes = isinstance(function, Mapping)
        own = layer["config"]["name"]
        name = f"{own}_{function['class_name'] if quantizes else function}"
        config = {**layer["config"], "activation": "linear"}
        layers.append({**layer, "config": config, "inbound_nodes": nodes})
        layers.append(
            {
                "class_name": "QActivation" if quantizes else "Activation",
                "name": name,
                "config": {"name": name, "activation": function, "dtype": "float32"},
                "inbound_nodes": [[[own, 0, 0, {}]]],
            }
        )
        renamed[own] = name
    model["config"]["layers"] = layers
    ends = model["config"]["output_layers"]
    model["config"]["output_layers"] = [[renamed.get(n, n), *rest] for n, *rest in ends]
    return json.dumps(model)


def source_layers(architecture: str) -> tuple[SourceLayer, ...]:
    """The layers of an architecture, in evaluation order."""
    return tuple(
        SourceLayer(
            layer["config"]["name"],
            layer["class_name"],
            tuple(read[0] for node in layer["inbound_nodes"] for read in node),
        )
        for layer in json.loads(architecture)["config"]["layers"]
    )


def matches(
    source: Sequence[SourceLayer], converted: Sequence[Mapping[str, Any]]
) -> dict[str, Match]:
    """By the name of a layer of hls4ml, what it stands for; without those that stand for nothing.

    converted: as :mod:`trigger_ml.frontends.default_conversion` describes them.
    """
    known = {layer.name: layer for layer in source}
    names = {layer["name"] for layer in converted}
    readers: dict[str, list[SourceLayer]] = {}
    for layer in source:
        for name in layer.inputs:
            readers.setdefault(name, []).append(layer)
    found: dict[str, Match] = {}
    for item in converted:
        name = item["name"]
        first = _first(name, known, readers)
        if first is None or any(first + end in names for end in BEHIND if first + end != name):
            continue
        last = first
        while True:
            behind = readers.get(last, [])
            if len(behind) != 1 or not _is_melted(behind[0], names):
                break
            last = behind[0].name
        found[name] = Match(last, first)
    return found


def _first(
    name: str, known: Mapping[str, SourceLayer], readers: Mapping[str, Sequence[SourceLayer]]
) -> str | None:
    """The layer of the model that a layer of hls4ml was made of."""
    if name in known:
        return name
    if name.startswith(TANH):
        inner = name.removeprefix(TANH)
        if inner.removesuffix("_scale") in known and inner not in known:
            return inner.removesuffix("_scale")
        behind = readers.get(inner, [])
        return behind[0].name if len(behind) == 1 else None
    for end in BEHIND:
        if name.endswith(end) and name.removesuffix(end) in known:
            return name.removesuffix(end)
    return None


def _is_melted(layer: SourceLayer, names: set[str]) -> bool:
    """Whether hls4ml's graph has no layer that could be this one."""
    stepped = (f"{TANH}{layer.name}", f"{TANH}{layer.name}_scale")
    own = {layer.name, *stepped, *(layer.name + end for end in BEHIND)}
    if layer.kind not in MELTED or not own.isdisjoint(names):
        return False
    return all(f"{TANH}{name}" not in names for name in layer.inputs)
