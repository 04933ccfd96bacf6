"""How layers of a Keras file are called: every use of a layer, and the tensors that it reads.

A tensor is named by its layer, by which use of the layer made it, and by which output of that use
it is. Keras counts the uses of a model within a model from one in some places.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.model_file import well_formed

__all__ = ["Call", "Tensor", "calls_of", "ends_of", "first_use"]

NO_VALUE: Final = ("training", "mask")
"""What a layer is called with that is no tensor it computes with."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Output number ``index`` of use number ``use`` of a layer, counted as the file does."""

    layer: str
    use: int
    index: int


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a layer. training: whether it behaves as in training."""

    tensors: tuple[Tensor, ...]
    training: bool = False


def calls_of(item: Mapping[str, Any]) -> list[Call]:
    """Every use of a layer of Keras 2 or 3, in order. Raises ModelError."""
    where = f"layer {item['config'].get('name')}"
    with well_formed(where):
        try:
            return [_call(node) for node in item.get("inbound_nodes") or []]
        except (TypeError, IndexError, KeyError, AttributeError) as error:
            raise ModelError(Blocker(where, "its inputs cannot be read")) from error


def _call(node: Any) -> Call:
    if not isinstance(node, Mapping):
        training = any(bool(entry[3].get("training")) for entry in node if len(entry) > 3)
        return Call(tuple(_tensor(entry) for entry in node), training)
    options = node["kwargs"]
    if any(value is not None for key, value in options.items() if key not in NO_VALUE):
        raise TypeError("arguments besides tensors")
    return Call(tuple(_keras3_tensors(node["args"])), bool(options.get("training")))


def _keras3_tensors(arguments: Any) -> Iterator[Tensor]:
    todo = list(arguments)
    while todo:
        item = todo.pop(0)
        if isinstance(item, list):
            todo = item + todo
        elif item["class_name"] == "__keras_tensor__":
            yield _tensor(item["config"]["keras_history"])
        else:
            raise TypeError("an argument that is no tensor")


def _tensor(entry: Any) -> Tensor:
    name, use, index = entry[:3]
    if not isinstance(name, str) or type(use) is not int or type(index) is not int:
        raise TypeError("no name of a tensor")
    return Tensor(name, use, index)


def ends_of(value: Any) -> tuple[Tensor, ...] | None:
    """Tensors in ``[[name, 0, 0], ...]`` or ``[name, 0, 0]``, None for anything else."""
    if not isinstance(value, list) or not value:
        return None
    items = [value] if isinstance(value[0], str) else value
    try:
        return tuple(_tensor(item) for item in items)
    except (TypeError, ValueError, LookupError):
        return None


def first_use(found: Collection[int], uses: int, usual: int) -> int:
    """The number of a layer's first use. found: numbers in a file. usual: where these leave it
    open."""
    if uses in found:
        return 1
    return 0 if 0 in found else usual
