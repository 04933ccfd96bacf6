"""The layers that an architecture of Keras 2 or 3 lists, read and checked without Keras."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.model_file import (
    Layer,
    input_shape,
    name_problems,
    wiring_problems,
)

__all__ = ["LayerReader", "read_layers"]

JOINS: Final = ("Concatenate", "Multiply")
OWN_MODULES: Final = ("keras", "tf_keras", "qkeras", "tensorflow")
NO_VALUE: Final = ("training", "mask")
"""What a layer is called with that changes no value here: nothing in it depends on either."""

LayerReader = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]
"""Class, name and parameters of a layer to the parameters that matter."""


def read_layers(
    config: Mapping[str, Any], path: Path, reader: LayerReader
) -> tuple[list[Layer], list[Blocker]]:
    """Layers in order with sane parameters, and what is wrong with the others."""
    kind = config.get("class_name")
    if kind not in ("Functional", "Model", "Sequential"):
        return [], [Blocker(str(path), f"a model of class {kind}", "use Sequential or Functional")]
    raw = config["config"].get("layers")
    if not isinstance(raw, list) or not all(_is_layer(item) for item in raw) or not raw:
        return [], [Blocker(str(path), "its architecture lists no layers")]
    if kind == "Sequential":
        raw = _sequential(raw)
    layers: list[Layer] = []
    blockers: list[Blocker] = []
    for item in raw:
        blockers += _foreign(item)
        try:
            layers.append(_layer(item, reader))
        except BlockedError as error:
            blockers.extend(error.blockers)
    blockers += name_problems([str(item["config"].get("name")) for item in raw])
    if not blockers:
        blockers = wiring_problems(layers, JOINS) + _output_problems(config["config"], layers[-1])
    return layers, blockers


def _output_problems(config: Mapping[str, Any], last: Layer) -> list[Blocker]:
    """A functional model names its outputs; a chain's is its last layer."""
    outputs = config.get("output_layers")
    if outputs is None or outputs in ([[last.name, 0, 0]], [last.name, 0, 0]):
        return []
    what = f"the output is {json.dumps(outputs)}, not the last layer, {last.name}, alone"
    return [Blocker("model", what, "split the model")]


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
    if module is None or str(module).split(".")[0] in OWN_MODULES:
        return []
    what = f"is of {module}, not a layer of Keras or QKeras"
    return [Blocker(f"layer {item['config'].get('name')}", what, "use one of those")]


def _sequential(raw: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A Sequential model's layers, written as those of a chain."""
    chain: list[dict[str, Any]] = []
    if raw[0]["class_name"] != "InputLayer":
        shape = input_shape(raw[0]["config"])
        config = {"name": "features", "batch_input_shape": shape}
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
    return Layer(name, kind, tuple(_inbound(item, name)), reader(kind, name, config))


def _inbound(item: Mapping[str, Any], name: str) -> Iterator[str]:
    nodes = item.get("inbound_nodes") or []
    try:
        if len(nodes) > 1:
            raise ModelError(
                Blocker(f"layer {name}", "is used more than once", "give each use its own layer")
            )
        for node in nodes:
            if isinstance(node, Mapping):
                yield from _keras3_inputs(node)
            else:
                yield from (str(entry[0]) for entry in node)
    except (TypeError, IndexError, KeyError) as error:
        raise ModelError(Blocker(f"layer {name}", "its inputs cannot be read")) from error


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
