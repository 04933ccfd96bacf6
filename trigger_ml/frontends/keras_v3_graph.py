"""The layers of a ``.keras`` model of HGQ2 as a graph: in order, with what each of them reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.keras_calls import Tensor, calls_of, ends_of
from trigger_ml.frontends.keras_config import MOST_ENDS
from trigger_ml.frontends.keras_v3_layers import RULES, names_in_hls4ml, read_layer
from trigger_ml.frontends.keras_v3_objects import foreign_objects
from trigger_ml.frontends.model_file import Layer, name_problems, well_formed

__all__ = ["Network", "read_network"]

MODELS: Final = ("Functional", "Sequential")
MOST_DEPTH: Final = 16
"""Lists within lists of a model's inputs or outputs."""


@dataclass(frozen=True, slots=True)
class Network:
    """Layers in evaluation order, and the names of those that are its inputs and outputs."""

    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_network(config: Mapping[str, Any], path: Path) -> Network:
    """The layers of a model's configuration, with sane parameters.

    Raises ModelError with everything that is wrong with any of them, or with how they are wired.
    """
    kind = config.get("class_name")
    if kind not in MODELS:
        what = f"a model of class {kind}"
        raise ModelError(Blocker(str(path), what, "use Sequential or Functional"))
    raw = config["config"].get("layers")
    if not isinstance(raw, list) or not all(_is_layer(item) for item in raw) or not raw:
        raise ModelError(Blocker(str(path), "its config.json lists no layers"))
    if not any(str(item.get("module")).startswith("hgq.") for item in raw):
        what = "is a model without a layer of HGQ2, so nothing says how wide its numbers are"
        raise ModelError(Blocker(str(path), what, "run trigger-ml compress on it first"))
    layers: list[Layer] = []
    blockers: list[Blocker] = []
    for position, item in enumerate(raw):
        before = raw[position - 1]["config"].get("name") if position else None
        try:
            layers.append(_layer(item, str(before) if kind == "Sequential" and before else None))
        except BlockedError as error:
            blockers.extend(error.blockers)
    blockers += name_problems([str(item["config"].get("name")) for item in raw])
    if blockers:
        raise ModelError(blockers)
    blockers += name_problems([name for layer in layers for name in names_in_hls4ml(layer)])
    inputs, outputs, found = _ends(config["config"], layers, functional=kind == "Functional")
    blockers += found or _wiring(layers, outputs)
    if blockers:
        raise ModelError(blockers)
    return Network(tuple(layers), inputs, outputs)


def _is_layer(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("class_name"), str)
        and isinstance(item.get("config"), dict)
    )


def _layer(item: Mapping[str, Any], before: str | None) -> Layer:
    """One layer. before: the one it reads in a Sequential model."""
    kind, config = item["class_name"], item["config"]
    name = str(config.get("name"))
    where = f"layer {name}"
    if kind in MODELS:
        fix = "call its layers one after another on the outer model's tensors"
        raise ModelError(Blocker(where, "is a model within a model of HGQ2", fix))
    blockers = foreign_objects(name, config)
    made = (item.get("module"), item.get("registered_name"))
    rule = RULES.get(kind)
    if rule is not None and made != (rule.module, rule.registered):
        what = f"is a {kind} of {made[0]} registered as {made[1]}, not of {rule.module}"
        blockers.append(Blocker(where, what, "use the one of HGQ2 0.2.0 and Keras 3"))
    inputs: tuple[str, ...] = (before,) if before else ()
    try:
        inputs = inputs or tuple(_reads(item, where))
    except BlockedError as error:
        blockers += error.blockers
    try:
        with well_formed(where):
            found = read_layer(kind, name, config, len(inputs))
    except BlockedError as error:
        raise ModelError([*error.blockers, *blockers]) from error
    if blockers:
        raise ModelError(blockers)
    return Layer(name, kind, inputs, found)


def _reads(item: Mapping[str, Any], where: str) -> Iterator[str]:
    """Names of the layers that one of a Functional model reads."""
    calls = calls_of(item)
    if any(node["kwargs"].get("mask") is not None for node in item.get("inbound_nodes") or []):
        raise ModelError(Blocker(where, "is called with a mask", "leave it out"))
    if len(calls) > 1:
        raise ModelError(Blocker(where, "is used more than once", "give each use its own layer"))
    for call in calls:
        if call.training:
            raise ModelError(Blocker(where, "is called with training=True", "leave it out"))
        for tensor in call.tensors:
            if tensor.use or tensor.index:
                what = f"reads output {tensor.index} of use {tensor.use} of {tensor.layer}"
                raise ModelError(Blocker(where, what, "let each layer make one tensor, once"))
            yield tensor.layer


def _ends(
    config: Mapping[str, Any], layers: Sequence[Layer], *, functional: bool
) -> tuple[tuple[str, ...], tuple[str, ...], list[Blocker]]:
    """Names of inputs and outputs, in order: a functional model's own, or a chain's two ends."""
    if not functional:
        return (layers[0].name,), (layers[-1].name,), []
    blockers: list[Blocker] = []
    found: list[tuple[str, ...]] = []
    inputs = {layer.name for layer in layers if layer.kind == "InputLayer"}
    for key, known in (
        ("input_layers", inputs),
        ("output_layers", {layer.name for layer in layers} - inputs),
    ):
        tensors = _flat_ends(config.get(key))
        names = tuple(tensor.layer for tensor in tensors)
        plain = not any(tensor.use or tensor.index for tensor in tensors)
        if not names or not plain or len(set(names)) < len(names) or not {*names} <= known:
            what = f"{key} is {json.dumps(config.get(key))[:200]}, not a list of different tensors"
            of = "of its input layers" if known is inputs else "of layers behind the inputs"
            blockers.append(Blocker("model", f"{what} {of}", "give the model a plain list of them"))
        found.append(names)
    if not blockers and {*found[0]} != inputs:
        left = ", ".join(sorted(inputs - {*found[0]}))
        blockers.append(Blocker("model", f"its inputs leave out {left}"))
    if len(found[0]) + len(found[1]) > MOST_ENDS:
        what = f"has {len(found[0])} inputs and {len(found[1])} outputs, and {MOST_ENDS} together"
        fix = "join some of them with Concatenate"
        blockers.append(Blocker("model", f"{what} can be simulated", fix))
    return found[0], found[1], blockers


def _flat_ends(value: Any, depth: int = 0) -> tuple[Tensor, ...]:
    """The tensors in lists within lists and in dictionaries, in the order in which Keras takes
    them: of a dictionary, by its sorted keys. Nothing, where there is anything else."""
    if depth > MOST_DEPTH:
        return ()
    if isinstance(value, dict):
        parts = [_flat_ends(value[key], depth + 1) for key in sorted(value)]
    elif isinstance(value, list) and value and not isinstance(value[0], str):
        parts = [_flat_ends(item, depth + 1) for item in value]
    else:
        return ends_of(value) or ()
    return sum(parts, ()) if all(parts) else ()


def _wiring(layers: Sequence[Layer], outputs: Sequence[str]) -> list[Blocker]:
    """What keeps the layers from being a network in this order."""
    blockers = []
    before: set[str] = set()
    read = {name for layer in layers for name in layer.inputs} | {*outputs}
    for position, layer in enumerate(layers):
        where = f"layer {layer.name}"
        for name in layer.inputs:
            if name not in before:
                blockers.append(Blocker(where, f"reads {name}, which is not before it"))
        least, most = RULES[layer.kind].inputs
        count = len(layer.inputs)
        if position == 0 and layer.kind != "InputLayer":
            blockers.append(Blocker(where, "comes first, and is no input", "save the model again"))
        elif count < least:
            what = f"reads {count} layers, and takes {least}" if count else "reads nothing"
            blockers.append(Blocker(where, what, "save the model again"))
        elif count > most:
            fix = "join two of them, and that with the next" if most > 1 else "join them first"
            blockers.append(Blocker(where, f"reads {count} layers, and takes {most}", fix))
        if layer.name not in read:
            blockers.append(Blocker(where, "nothing reads it, and it is not an output"))
        before.add(layer.name)
    return blockers
