"""Functions of TensorFlow in models of Keras 2, which a file names in TFOpLambda layers.

A function's name is text, compared with those that are known and never looked up. What is known
becomes the layer that does the same; the others are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError

__all__ = ["OPERATION", "read_operation", "with_plain_operations"]

OPERATION: Final = "TFOpLambda"
"""Class of a layer that is a function of TensorFlow."""
MATMUL: Final = "linalg.matmul"
TRANSPOSED: Final[Mapping[str, tuple[str, ...]]] = {
    "transpose_a": ("transpose_a", "adjoint_a"),
    "transpose_b": ("transpose_b", "adjoint_b"),
}
"""Of real numbers, an adjoint is a transposed one."""
HINTS: Final = ("name", "a_is_sparse", "b_is_sparse")
"""Arguments of the product that change no value."""
MOST_DEPTH: Final = 16
"""Models within models."""

Item = dict[str, Any]


def read_operation(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse a function that has no layer. Raises ModelError."""
    function = str(config.get("function"))
    what = f"the function tf.{function} has no firmware here"
    fix = "use a layer of Keras; of functions tf.matmul of two tensors alone is read"
    if function.rpartition(".")[2] == "einsum":
        what = "Keras 2 does not save which tensors tf.einsum multiplies"
        fix = "use tf.matmul or Dot(axes=...), or keras.ops.einsum in Keras 3"
    elif function == MATMUL:
        what = "tf.matmul of anything else than two tensors"
        fix = "use QDense where one of them is constant, and no types of its own"
    raise ModelError(Blocker(f"layer {name}", what, fix))


def with_plain_operations(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """An architecture whose functions are layers, as far as they are known.

    Layers get names that C++ takes: TensorFlow puts dots into theirs, and none has weights. What is
    no such architecture comes back as it is.
    """
    return _plain(config, 0)


def _plain(model: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
    inner: Any = model.get("config")
    items = inner.get("layers") if isinstance(inner, Mapping) else None
    if depth > MOST_DEPTH or not isinstance(items, list) or not all(map(_is_layer, items)):
        return model
    named = dict(_renamed(items))
    made = [_layer(_plain(item, depth + 1), named) for item in items]
    if made == items:
        return model
    ends = {
        key: _referred(inner[key], named)
        for key in ("input_layers", "output_layers")
        if key in inner
    }
    return {**model, "config": {**inner, "layers": made, **ends}}


def _is_layer(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("config"), dict)


def _renamed(items: Sequence[Item]) -> Iterator[tuple[str, str]]:
    taken = {str(item["config"].get("name")).lower() for item in items}
    for item in items:
        name = item["config"].get("name")
        if item.get("class_name") != OPERATION or not isinstance(name, str):
            continue
        made = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "operation"
        while made.lower() in taken and made != name:
            made += "_q"
        taken.add(made.lower())
        yield name, made


def _referred(value: Any, names: Mapping[str, str]) -> Any:
    """References to tensors, ``[name, use, output, ...]`` in lists, with other names."""
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], str):
        return [names.get(value[0], value[0]), *value[1:]]
    return [_referred(item, names) for item in value]


def _layer(item: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    nodes = _referred(item.get("inbound_nodes"), names)
    if item.get("class_name") != OPERATION:
        return {**item, "inbound_nodes": nodes} if "inbound_nodes" in item else item
    config = item["config"]
    name, function = config.get("name"), config.get("function")
    own = {"name": names.get(name, name) if isinstance(name, str) else name}
    product = _matmul(nodes, names) if function == MATMUL else None
    if product is not None:
        options, reads = product
        return {"class_name": "Matmul", "config": {**own, **options}, "inbound_nodes": [reads]}
    # Its inputs are of any form, and it is refused whatever they are.
    return {"class_name": OPERATION, "config": {**own, "function": function}, "inbound_nodes": []}


def _matmul(nodes: Any, names: Mapping[str, str]) -> tuple[dict[str, bool], list[Any]] | None:
    """Which matrices are transposed, and both tensors; None for any other call."""
    if not isinstance(nodes, list) or len(nodes) != 1 or not _is_tensor(nodes[0], 4):
        return None
    *first, options = nodes[0]
    if not isinstance(options, Mapping):
        return None
    left = dict(options)
    second = _referred(left.pop("b", None), names)
    flags = {
        key: any(bool(left.pop(name, False)) for name in given) for key, given in TRANSPOSED.items()
    }
    plain = all(key in HINTS or value in (None, False) for key, value in left.items())
    if not plain or not _is_tensor(second, 3):
        return None
    return flags, [[*first, {}], [*second, {}]]


def _is_tensor(value: Any, length: int) -> bool:
    """Whether this names an output of a layer, and nothing is called _CONSTANT_VALUE."""
    if not isinstance(value, list) or len(value) != length or not isinstance(value[0], str):
        return False
    return all(type(number) is int and number >= 0 for number in value[1:3])
