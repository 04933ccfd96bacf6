"""Layers of a network that was read from ONNX, in the form that hls4ml takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

__all__ = ["tidied"]

MOVES: Final = ("Flatten", "Reshape", "Permute")
"""Layers that rename places: a quantizer of all elements does the same before them."""


def tidied(raw: Sequence[dict[str, Any]], outputs: Collection[str]) -> list[dict[str, Any]]:
    """Layers without what quantizers make needless, and a first quantizer right at the input.

    outputs: layers that stay as they are.
    """
    layers = _quantizer_first(_without_relus(list(raw), outputs), outputs)
    sources = {i["config"]["name"] for i in layers if i["class_name"] == "InputLayer"}
    return [item if sources.isdisjoint(_reads(item)) else _input_grid(item) for item in layers]


def _input_grid(item: dict[str, Any]) -> dict[str, Any]:
    """A quantizer without a sign, as hls4ml takes it right after an input: not as a relu."""
    quantizer = item["config"].get("activation")
    if item["class_name"] != "QActivation" or quantizer["class_name"] != "quantized_relu":
        return item
    options = {**quantizer["config"], "keep_negative": 0, "alpha": 1}
    bits = {"class_name": "quantized_bits", "config": options}
    return {**item, "config": {**item["config"], "activation": bits}}


def _reads(item: Mapping[str, Any]) -> list[str]:
    return [entry[0] for node in item["inbound_nodes"] for entry in node]


def _set_reads(item: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {**item, "inbound_nodes": [[[name, 0, 0, {}] for name in names]]}


def _without_relus(layers: list[dict[str, Any]], outputs: Collection[str]) -> list[dict[str, Any]]:
    """A quantizer without a sign clips at zero itself."""
    counts = Counter([*outputs, *(name for item in layers for name in _reads(item))])
    relus = {
        item["config"]["name"]: _reads(item)[0]
        for item in layers
        if item["class_name"] == "Activation" and item["config"]["activation"] == "relu"
    }
    gone: dict[str, str] = {}
    for item in layers:
        if item["class_name"] != "QActivation":
            continue
        read = _reads(item)[0]
        unsigned = item["config"]["activation"]["class_name"] == "quantized_relu"
        if unsigned and read in relus and counts[read] == 1:
            gone[read] = relus[read]
    kept = [item for item in layers if item["config"]["name"] not in gone]
    return [
        _set_reads(item, [gone.get(name, name) for name in _reads(item)])
        if item["inbound_nodes"]
        else item
        for item in kept
    ]


def _quantizer_first(
    layers: list[dict[str, Any]], outputs: Collection[str]
) -> list[dict[str, Any]]:
    """A quantizer behind layers that only move elements comes before them."""
    counts = Counter(name for item in layers for name in _reads(item))
    at = 1
    while at < len(layers) and layers[at]["class_name"] in MOVES:
        at += 1
    chain = layers[: at + 1]
    names = [item["config"]["name"] for item in chain]
    straight = all(_reads(item) == [name] for item, name in zip(chain[1:], names, strict=False))
    alone = all(counts[name] == 1 for name in names[:-1])
    if at < 2 or at == len(layers) or not straight or not alone or set(names) & set(outputs):
        return layers
    first, *moves, quantizer = chain
    if quantizer["class_name"] != "QActivation":
        return layers
    moved = [_set_reads(quantizer, [names[0]]), _set_reads(moves[0], [names[-1]]), *moves[1:]]
    rest = [
        _set_reads(item, [n if n != names[-1] else names[-2] for n in _reads(item)])
        for item in layers[at + 1 :]
    ]
    return [first, *moved, *rest]
