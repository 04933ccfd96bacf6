"""The layers that an architecture of Keras 2 or 3 lists, read and checked without Keras."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.keras_folding import FOLDING
from trigger_ml.frontends.keras_identities import IDENTITIES, without_identities
from trigger_ml.frontends.keras_legacy import foreign_advice, legacy_problems
from trigger_ml.frontends.keras_merges import JOINS, nest_joins
from trigger_ml.frontends.keras_origins import ORIGIN, origin_of
from trigger_ml.frontends.keras_policies import policy_problems
from trigger_ml.frontends.keras_products import PRODUCTS
from trigger_ml.frontends.model_file import (
    Layer,
    input_names,
    input_shape,
    name_problems,
    well_formed,
    wiring_problems,
)

__all__ = ["LayerReader", "chained", "read_layers"]

MOST_ENDS: Final = 16
"""Inputs and outputs together that the C simulation's driver can call the network with."""
OWN_MODULES: Final = ("keras", "tf_keras", "qkeras", "tensorflow")
NO_VALUE: Final = ("training", "mask")
"""What a layer is called with that changes no value in inference; training=True is refused."""

LayerReader = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]
"""Class, name and parameters of a layer to the parameters that matter."""


def read_layers(
    config: Mapping[str, Any], path: Path, reader: LayerReader
) -> tuple[list[Layer], tuple[str, ...], list[Blocker]]:
    """Layers in order, the outputs' names in order, and what is wrong with the model.

    The layers have sane parameters; inputs come first, in the model's order.
    """
    kind = config.get("class_name")
    if kind not in ("Functional", "Model", "Sequential"):
        what = f"a model of class {kind}"
        return [], (), [Blocker(str(path), what, "use Sequential or Functional")]
    raw = config["config"].get("layers")
    if not isinstance(raw, list) or not all(_is_layer(item) for item in raw) or not raw:
        return [], (), [Blocker(str(path), "its architecture lists no layers")]
    if kind == "Sequential":
        raw = chained(raw)
    layers: list[Layer] = []
    blockers: list[Blocker] = []
    for item in raw:
        other = _foreign(item) or legacy_problems(item) or policy_problems(item)
        blockers += other
        try:
            if not other:
                layers.append(_layer(item, reader))
        except BlockedError as error:
            blockers.extend(error.blockers)
    names = [str(item["config"].get("name")) for item in raw]
    renamed = input_names([layer.name for layer in layers if layer.kind == "InputLayer"], names)
    blockers += name_problems([renamed.get(name, name) for name in names])
    if blockers:
        return layers, (), blockers
    layers, passed = without_identities([_renamed(layer, renamed) for layer in layers])
    passed = {**passed, **renamed}
    inputs, outputs, blockers = _ends(config["config"], layers, passed)
    if blockers:
        return layers, (), blockers
    layers, blockers = nest_joins(layers)
    first = sorted(
        (layer for layer in layers if layer.name in inputs),
        key=lambda layer: inputs.index(layer.name),
    )
    layers = [*first, *(layer for layer in layers if layer.name not in inputs)]
    return layers, outputs, blockers or wiring_problems(layers, (*JOINS, *PRODUCTS), outputs)


def _ends(
    config: Mapping[str, Any], layers: list[Layer], passed: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...], list[Blocker]]:
    """Names of inputs and outputs, in order: a functional model's own, or a chain's two ends.

    passed: layers that were left out, and what stands for them.
    """
    known = tuple(layer.name for layer in layers if layer.kind == "InputLayer")
    rest = [layer.name for layer in layers if layer.kind != "InputLayer"]
    blockers: list[Blocker] = []
    found: dict[str, tuple[str, ...]] = {}
    for key, default in (("input_layers", known), ("output_layers", tuple(rest[-1:]))):
        names = default if config.get(key) is None else _end_names(config[key])
        names = names and tuple(passed.get(name, name) for name in names)
        if names is None or not names or len(set(names)) < len(names):
            what = f"{key} is {json.dumps(config.get(key))}, not a list of different tensors"
            blockers.append(Blocker("model", what, "give the model a plain list of them"))
        found[key] = names or ()
    count = sum(len(names) for names in found.values())
    if count > MOST_ENDS:
        what = f"has {count} inputs and outputs, and {MOST_ENDS} can be simulated"
        blockers.append(Blocker("model", what, "join some of them with Concatenate"))
    if not blockers and set(found["input_layers"]) != set(known):
        what = f"its inputs are {', '.join(found['input_layers'])}"
        blockers.append(Blocker("model", f"{what}, its input layers {', '.join(known)}"))
    for name in found["output_layers"]:
        if name not in rest:
            what = f"the output {name} is not one of its layers behind the inputs"
            blockers.append(Blocker("model", what, "leave that output out"))
    return found["input_layers"], found["output_layers"], blockers


def _end_names(value: Any) -> tuple[str, ...] | None:
    """Names in ``[[name, 0, 0], ...]`` or ``[name, 0, 0]``, None for anything else."""
    if not isinstance(value, list):
        return None
    items = [value] if value and isinstance(value[0], str) else value
    sane = all(
        isinstance(item, list) and len(item) == 3 and isinstance(item[0], str) and not any(item[1:])
        for item in items
    )
    return tuple(str(item[0]) for item in items) if sane else None


def _renamed(layer: Layer, names: Mapping[str, str]) -> Layer:
    name = names.get(layer.name, layer.name)
    reads = tuple(names.get(read, read) for read in layer.inputs)
    return Layer(name, layer.kind, reads, {**layer.config, "name": name})


def _is_layer(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("class_name"), str)
        and isinstance(item.get("config"), dict)
    )


def _foreign(item: Mapping[str, Any]) -> list[Blocker]:
    """A blocker for a layer that is not of Keras or QKeras; Keras 3 says where a class is from.

    Others have classes of the same names, HGQ2's QDense for one.
    """
    module = item.get("module")
    own = module is None or str(module).split(".")[0] in OWN_MODULES
    if own or item["class_name"] == "PruneLowMagnitude":
        return []
    what = f"is of {module}, not a layer of Keras or QKeras"
    return [Blocker(f"layer {item['config'].get('name')}", what, foreign_advice(str(module)))]


def chained(raw: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A Sequential model's layers, written as those of a chain."""
    chain: list[dict[str, Any]] = []
    if raw[0]["class_name"] != "InputLayer":
        shape = input_shape(raw[0]["config"])
        taken = {str(item["config"].get("name")).lower() for item in raw}
        name = "features" if "features" not in taken else "features_in"
        config = {"name": name, "batch_input_shape": shape}
        chain.append({"class_name": "InputLayer", "config": config, "inbound_nodes": []})
    for item in raw:
        before = chain[-1]["config"].get("name") if chain else None
        nodes = [[[before, 0, 0, {}]]] if before else []
        chain.append({**item, "inbound_nodes": nodes})
    return chain


def _layer(item: Mapping[str, Any], reader: LayerReader) -> Layer:
    # Keras 3 writes the registered name, "qkeras>QDense", into HDF5 files.
    kind, config = item["class_name"].removeprefix("qkeras>"), item["config"]
    name = str(config.get("name"))
    with well_formed(f"layer {name}"):
        inputs = tuple(_inbound(item, name))
        read = {"name": name} if kind in IDENTITIES else reader(kind, name, config)
        if (origin := origin_of(item)) is not None:
            read = {**read, ORIGIN: origin}
        return Layer(name, FOLDING.get(kind, kind), inputs, read)


def _inbound(item: Mapping[str, Any], name: str) -> Iterator[str]:
    nodes = item.get("inbound_nodes") or []
    try:
        if len(nodes) > 1:
            raise ModelError(
                Blocker(f"layer {name}", "is used more than once", "give each use its own layer")
            )
        for node in nodes:
            if isinstance(node, Mapping):
                _require_inference(node["kwargs"], name)
                yield from _keras3_inputs(node)
            else:
                for entry in node:
                    _require_inference(entry[3] if len(entry) > 3 else {}, name)
                    yield str(entry[0])
    except (TypeError, IndexError, KeyError, AttributeError) as error:
        raise ModelError(Blocker(f"layer {name}", "its inputs cannot be read")) from error


def _require_inference(arguments: Mapping[str, Any], name: str) -> None:
    """Refuse a layer that is called as in training: dropouts and normalizations differ then."""
    if arguments.get("training"):
        what = "is called with training=True, and firmware is inference"
        raise ModelError(Blocker(f"layer {name}", what, "build the model without that argument"))


def _keras3_inputs(node: Mapping[str, Any]) -> Iterator[str]:
    """Keras 3 writes ``{"args": [tensor or a list of them], "kwargs": {...}}``.

    Raises TypeError where a layer is called with anything else.
    """
    if any(value is not None for key, value in node["kwargs"].items() if key not in NO_VALUE):
        raise TypeError("arguments besides tensors")
    todo = list(node["args"])
    while todo:
        item = todo.pop(0)
        if isinstance(item, list):
            todo = item + todo
        elif item["class_name"] == "__keras_tensor__":
            yield str(item["config"]["keras_history"][0])
        else:
            raise TypeError("an argument that is no tensor")
