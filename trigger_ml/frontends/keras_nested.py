"""Models within models, layers used several times and TimeDistributed, written as plain layers.

Every use of a layer becomes a layer of its own that has the same weights, under the name of the
layer and, from the second use on, a number. The layers of a model within a model get its name in
front of theirs. A layer within TimeDistributed gets the wrapper's name; for how many axes it does
the same thing, its origin says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.keras_calls import Call, Tensor, calls_of, ends_of, first_use
from trigger_ml.frontends.keras_config import chained
from trigger_ml.frontends.keras_origins import ORIGIN, Origin, Step
from trigger_ml.frontends.keras_weights import snake_case
from trigger_ml.frontends.model_file import input_shape, well_formed

__all__ = ["Flattened", "flattened"]

MODELS: Final = ("Functional", "Model", "Sequential")
WRAPPER: Final = "TimeDistributed"
MOST_LAYERS: Final = 4096
"""Layers of a network that is written out; one for a trigger has tens."""
MOST_DEPTH: Final = 16
"""Models within models."""

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Flattened:
    """An architecture of plain layers. notes: what was written out, in words. blockers: why it
    could not be. copies: layers that are used again, by name."""

    config: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    copies: tuple[str, ...] = ()


def flattened(config: Mapping[str, Any], *, wrappers: bool = True) -> Flattened:
    """A model's architecture without models in it, layers used again, and TimeDistributed.

    config: as Keras 2 or 3 writes it. wrappers: False leaves TimeDistributed as it is. What is no
    such architecture, and what has none of these, comes back as it is.
    """
    raw = config["config"].get("layers")
    if config.get("class_name") not in MODELS or not _is_list(raw):
        return Flattened(config)
    special = (*MODELS, *((WRAPPER,) if wrappers else ()))
    if not any(item["class_name"] in special or _used_again(item) for item in raw):
        return Flattened(config)
    names = [str(item["config"].get("name")) for item in raw]
    writer = _Writer({name.lower() for name in names}, wrappers)
    try:
        with well_formed("model"):
            ends = writer.outermost(_Model.of(config))
    except BlockedError as error:
        return Flattened(config, blockers=(*writer.blockers, *error.blockers))
    made = {**config["config"], "layers": writer.items, "output_layers": [[n, 0, 0] for n in ends]}
    return Flattened(
        {**config, "class_name": "Functional", "config": made},
        tuple(writer.notes),
        tuple(writer.blockers),
        tuple(writer.copies),
    )


@dataclass(frozen=True, slots=True)
class _Model:
    """A model as its configuration lists it. inputs, outputs: None where it does not say."""

    name: str
    items: Sequence[Item]
    inputs: tuple[Tensor, ...] | None
    outputs: tuple[Tensor, ...] | None
    counts_alike: bool
    """Whether the file counts uses of a model in its outputs as among its layers: Keras 2."""

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> _Model:
        """Raises ModelError where the configuration lists no layers."""
        config = item["config"]
        name, items = str(config.get("name")), config.get("layers")
        if not _is_list(items):
            raise ModelError(Blocker(f"model {name}", "its architecture lists no layers"))
        if item["class_name"] == "Sequential":
            first = _first_shape(items[0])
            if items[0]["class_name"] in MODELS and first is not None:
                start = {"name": f"{name}_in", "batch_input_shape": first}
                items = [{"class_name": "InputLayer", "config": start}, *items]
            return cls(name, chained(list(items)), None, None, True)
        nodes = [node for part in items for node in part.get("inbound_nodes") or []]
        ends: list[tuple[Tensor, ...] | None] = []
        for key in ("input_layers", "output_layers"):
            ends.append(ends_of(config.get(key)))
            if ends[-1] is None and config.get(key) is not None:
                what = f"{key} is {json.dumps(config[key])}, not a list of tensors"
                fix = "give the model a plain list of them"
                raise ModelError(Blocker(f"model {name}", what, fix))
        return cls(name, items, ends[0], ends[1], not any(isinstance(n, Mapping) for n in nodes))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a model is written out. prefix: of its layers' names. steps: to it. time: axes that
    TimeDistributed takes away there."""

    prefix: str = ""
    steps: tuple[Step, ...] = ()
    time: int = 0


@dataclass
class _Writer:
    """Walks a model and the models in it. items: of the layers written so far, wired.

    taken: their names in lower case.
    """

    taken: set[str]
    wrappers: bool
    items: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    blockers: list[Blocker] = field(default_factory=list)

    def outermost(self, model: _Model) -> list[str]:
        """Write a model whose inputs are inputs. Returns the names of its outputs."""
        return self._model(model, _Place(), None)

    def _model(self, model: _Model, place: _Place, reads: Sequence[str] | None) -> list[str]:
        """Write a model's layers. reads: what its inputs are, None for layers of their own."""
        if len(place.steps) > MOST_DEPTH:
            raise ModelError(Blocker(f"model {model.name}", f"lies {MOST_DEPTH} models deep"))
        names = [str(item["config"].get("name")) for item in model.items]
        if len(set(names)) < len(names):
            what = "two of its layers have one name"
            raise ModelError(Blocker(f"model {model.name}", what, "rename one of them"))
        inputs = dict(_fed(model, reads)) if reads is not None else {}
        made: dict[tuple[str, int], list[str]] = {
            (name, 0): [read] for name, read in inputs.items()
        }
        keys = dict(zip(names, _keys(model.items), strict=True))
        todo = list(self._calls(model, inputs))
        first = _firsts(todo, model, inside=True)
        while todo:
            ready = [call for call in todo if all(_key(t, first) in made for t in call[2].tensors)]
            if not ready:
                raise ModelError([_unread(name, call, first, made) for name, _, call, _ in todo])
            for name, number, call, item in ready:
                found = [_output(made, tensor, first) for tensor in call.tensors]
                made[name, number] = self._use(item, number, keys[name], place, call, found)
            done = {id(call) for call in ready}
            todo = [call for call in todo if id(call) not in done]
        first = _firsts(list(self._calls(model, inputs, quiet=True)), model, inside=False)
        last = max(use for name, use in made if name == names[-1])
        ends = model.outputs or (Tensor(names[-1], first.get(names[-1], 0) + last, 0),)
        return [_output(made, tensor, first) for tensor in ends]

    def _calls(
        self, model: _Model, inputs: Mapping[str, str], *, quiet: bool = False
    ) -> Iterator[tuple[str, int, Call, Item]]:
        """Uses of a model's layers: name, number, what is read, the layer."""
        for item in model.items:
            name = str(item["config"].get("name"))
            if name in inputs:
                continue
            try:
                calls = calls_of(item) or [Call(())]
            except BlockedError as error:
                if not quiet:
                    self.blockers.extend(error.blockers)
                calls = [Call(())]
            if len(calls) > 1 and not quiet:
                self.copies.append(name)
            for number, call in enumerate(calls):
                yield name, number, call, item

    def _use(
        self, item: Item, number: int, key: str, place: _Place, call: Call, reads: list[str]
    ) -> list[str]:
        """Write one use of a layer or of a model. Returns the names of its outputs."""
        name, time, wrapped = str(item["config"].get("name")), place.time, 0
        kind = item
        while self.wrappers and kind["class_name"] == WRAPPER:
            kind, time, wrapped = kind["config"].get("layer"), time + 1, wrapped + 1
            if not _is_layer(kind):
                raise ModelError(Blocker(f"layer {name}", "TimeDistributed of no layer"))
        step = Step(name, key, wrapped)
        own = f"{place.prefix}{name}"
        if number or place.prefix:
            own = self._free(own, number)
        steps = (*place.steps, step)
        if kind["class_name"] in MODELS:
            if call.training:
                what = "is called with training=True, and firmware is inference"
                fix = "build the model without that argument"
                raise ModelError(Blocker(f"model {own}", what, fix))
            self._say(number, f"model {name}", f"its layers are {own}_...")
            return self._model(_Model.of(kind), _Place(f"{own}_", steps, time), reads)
        if number:
            self._say(number, f"layer {name}", f"{own} has the same weights")
        options = {"training": True} if call.training else {}
        nodes = [[[read, 0, 0, options] for read in reads]] if reads else []
        config = {**kind["config"], "name": own}
        origin = Origin(steps, time)
        self.items.append(
            {**kind, "name": own, "config": config, "inbound_nodes": nodes, ORIGIN: origin}
        )
        if len(self.items) > MOST_LAYERS:
            what = f"has more than {MOST_LAYERS} layers when every use is written out"
            raise ModelError(Blocker("model", what, "build a smaller one"))
        return [own]

    def _say(self, number: int, where: str, what: str) -> None:
        use = f"use {number + 1}: " if number else ""
        self.notes.append(f"{where}: {use}{what}")

    def _free(self, name: str, number: int) -> str:
        """A name that no other layer has, from a use's number on."""
        made = f"{name}_{number + 1}" if number else name
        while made.lower() in self.taken:
            number += 1
            made = f"{name}_{number + 1}"
        self.taken.add(made.lower())
        return made


def _is_list(items: Any) -> bool:
    return isinstance(items, list) and bool(items) and all(_is_layer(item) for item in items)


def _is_layer(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("class_name"), str)
        and isinstance(item.get("config"), dict)
    )


def _used_again(item: Item) -> bool:
    nodes = item.get("inbound_nodes")
    return isinstance(nodes, list) and len(nodes) > 1


def _first_shape(item: Any) -> Any:
    """Shape of the first input of a layer or of a model, None where it does not say."""
    for _ in range(MOST_DEPTH):
        if not _is_layer(item):
            return None
        layers = item["config"].get("layers")
        if item["class_name"] not in MODELS or not _is_list(layers):
            break
        item = layers[0]
    return input_shape(item["config"])


def _fed(model: _Model, reads: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names of a model's input layers, and what they are. Raises ModelError."""
    known = [str(i["config"].get("name")) for i in model.items if i["class_name"] == "InputLayer"]
    names = [tensor.layer for tensor in model.inputs] if model.inputs else known
    if len(names) != len(reads) or set(names) != set(known):
        what = f"is called with {len(reads)} tensors, and has the inputs {', '.join(known)}"
        raise ModelError(Blocker(f"model {model.name}", what, "save the model again"))
    yield from zip(names, reads, strict=True)


def _keys(items: Sequence[Item]) -> Iterator[str]:
    """What Keras 3 calls the groups of a model's layers: a class, and a number after the first."""
    counts: dict[str, int] = {}
    for item in items:
        key = snake_case(item["class_name"].removeprefix("qkeras>"))
        number = counts.get(key, 0)
        counts[key] = number + 1
        yield f"{key}_{number}" if number else key


def _firsts(
    calls: Sequence[tuple[str, int, Call, Item]], model: _Model, *, inside: bool
) -> dict[str, int]:
    """Number of the first use of every layer, where the file counts models from one.

    inside: as the layers count them, or as the outputs do. Keras 2 counts from one in both places
    where a model has an input layer, Keras 3 in its outputs alone.
    """
    uses: dict[str, int] = {}
    found: dict[str, set[int]] = {}
    kinds: dict[str, str] = {}
    for name, _, call, item in calls:
        uses[name] = uses.get(name, 0) + 1
        kinds[name] = item["class_name"]
        for tensor in call.tensors if inside or model.counts_alike else ():
            found.setdefault(tensor.layer, set()).add(tensor.use)
    for tensor in (model.outputs or ()) if not inside or model.counts_alike else ():
        found.setdefault(tensor.layer, set()).add(tensor.use)
    usual = 0 if inside and not model.counts_alike else 1
    return {
        name: first_use(found.get(name, ()), count, usual if kinds[name] != "Sequential" else 0)
        for name, count in uses.items()
        if kinds[name] in MODELS
    }


def _key(tensor: Tensor, first: Mapping[str, int]) -> tuple[str, int]:
    return tensor.layer, tensor.use - first.get(tensor.layer, 0)


def _output(
    made: Mapping[tuple[str, int], list[str]], tensor: Tensor, first: Mapping[str, int]
) -> str:
    """Name of the layer that makes a tensor. Raises ModelError."""
    outputs = made.get(_key(tensor, first), [])
    if not 0 <= tensor.index < len(outputs):
        what = f"has no output {tensor.index} of use {tensor.use}"
        raise ModelError(Blocker(f"layer {tensor.layer}", what, "save the model again"))
    return outputs[tensor.index]


def _unread(
    name: str, call: Call, first: Mapping[str, int], made: Mapping[tuple[str, int], list[str]]
) -> Blocker:
    lost = [tensor.layer for tensor in call.tensors if _key(tensor, first) not in made]
    return Blocker(f"layer {name}", f"reads {', '.join(lost)}, which is not before it")
