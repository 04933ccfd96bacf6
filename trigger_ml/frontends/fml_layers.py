"""One layer of a saved hls4ml graph, as plain data that C++ can be made from again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.fml_archive import FmlArchive
from trigger_ml.frontends.fml_kinds import CLASSES, MOST_ELEMENTS, Kind, Value, checked
from trigger_ml.frontends.fml_types import SavedType, as_written, named_type, variable_type

__all__ = ["Arrays", "SavedLayer", "read_layer"]

Arrays = Mapping[str, NDArray[np.float64]]
VARIABLES: Final = ("TensorVariable", "InplaceTensorVariable")
STRATEGIES: Final = ("latency", "resource")
MOST_OUTPUT_BITS: Final = 53
"""Bits of a double's significand (IEEE 754 binary64): the C++ shows results as doubles."""


@dataclass(frozen=True, slots=True, eq=False)
class SavedLayer:
    """A layer. Its names, of itself and of what it reads, are those of layers.

    kind: in hls4ml's registry. output: the name of its result in the file. type, shape: of the
    result. values, types: what decides what it computes. saved, weights: its arrays as they are
    in the file, and as hls4ml's C++ holds them.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    output: str
    type: SavedType
    shape: tuple[int, ...]
    values: Mapping[str, Any]
    types: Mapping[str, SavedType]
    weight_types: Mapping[str, SavedType]
    saved: Arrays
    weights: Arrays
    reuse: int
    strategy: str

    @property
    def size(self) -> int:
        """Elements of the result."""
        return prod(self.shape)

    def to_json(self) -> dict[str, Any]:
        """All but the arrays."""
        return {
            "name": self.name,
            "kind": self.kind,
            "inputs": list(self.inputs),
            "shape": list(self.shape),
            "type": str(self.type),
            "values": {key: _plain(value) for key, value in self.values.items()},
            "types": {key: str(kind) for key, kind in self.types.items()},
            "weight_types": {key: str(kind) for key, kind in self.weight_types.items()},
            "reuse": self.reuse,
            "strategy": self.strategy,
        }


def read_layer(name: str, data: Any, archive: FmlArchive) -> SavedLayer:
    """A layer as the file describes it. Raises ModelError with all that is wrong with it."""
    where = f"layer {name[:80]}"
    saved = data.get("class_name") if isinstance(data, dict) else None
    kind = CLASSES.get(saved) if isinstance(saved, str) else None
    if kind is None:
        known = ", ".join(sorted({path.rsplit(".", 1)[-1] for path in CLASSES}))
        told = str(saved).rsplit(".", 1)[-1][:40]
        fix = f"use one of {known}; or compile the model that hls4ml converted"
        raise ModelError(Blocker(where, f"hls4ml's {told} is not read from .fml", fix))
    state = data.get("state")
    attributes = state.get("attributes") if isinstance(state, dict) else None
    if not isinstance(state, dict) or not isinstance(attributes, dict):
        raise ModelError(Blocker(where, "has no attributes", "save it again"))
    return _Reader(name, kind, state, attributes, archive).read()


class _Reader:
    """Reads the parts of one layer and keeps what stands in the way."""

    def __init__(
        self,
        name: str,
        kind: Kind,
        state: Mapping[str, Any],
        attributes: Mapping[str, Any],
        archive: FmlArchive,
    ) -> None:
        self.name, self.kind, self.state = name, kind, state
        self.attributes, self.archive = attributes, archive
        self.blockers: list[Blocker] = []

    def read(self) -> SavedLayer:
        inputs = self._names("inputs") if self.kind.inputs else ()
        outputs = self._names("outputs")
        if len(inputs) != self.kind.inputs or len(outputs) != 1:
            what = f"reads {len(inputs)} tensors and gives {len(outputs)}"
            self._blocked("", what, f"hls4ml's {self.kind.name} reads {self.kind.inputs}, gives 1")
        values = self._values()
        types = self._types()
        result = self._result(outputs[0] if outputs else "")
        weight_types, saved = self._weights()
        strategy, reuse = self._strategy(), self._reuse()
        if self.blockers or result is None:
            raise ModelError(self.blockers)
        weights = {key: as_written(array, weight_types[key]) for key, array in saved.items()}
        found, shape = result
        kind = self.kind.name.format(values.get(self.kind.named_by))
        return SavedLayer(
            *(self.name, kind, inputs, outputs[0], found, shape, values, types, weight_types),
            *(saved, weights, reuse, strategy),
        )

    def _blocked(self, key: str, what: str, fix: str = "save it again") -> None:
        where = f"layer {self.name[:80]}"
        self.blockers.append(Blocker(f"{where} {key}" if key else where, what, fix))

    def _place(self, key: str) -> str:
        return f"layer {self.name[:80]} {key}"

    def _names(self, key: str) -> tuple[str, ...]:
        names = self.state.get(key)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self._blocked(key, "are no names")
            return ()
        return tuple(names)

    def _values(self) -> dict[str, Any]:
        found = {}
        for key, rule in self.kind.values.items():
            value = self.attributes.get(key)
            if value is None and key in self.kind.optional:
                continue
            try:
                found[key] = checked(value, rule, self._place(key))
            except ModelError as error:
                self.blockers += error.blockers
        if self.attributes.get("data_format") != "channels_last":
            self._blocked("data_format", "channels come first", "convert it with channels last")
        return found

    def _types(self) -> dict[str, SavedType]:
        found = {}
        for key in (*self.kind.types, *self.kind.optional_types):
            data = self.attributes.get(f"{key}_t")
            if data is None and key in self.kind.optional_types:
                continue
            try:
                found[key] = named_type(data, self._place(f"{key}_t"))
            except BlockedError as error:
                self.blockers += error.blockers
        if _is_default(self.attributes.get("inv_inp_t")) and {"inv_inp", "exp_table"} <= {*found}:
            found["inv_inp"] = found["exp_table"]
        return found

    def _result(self, output: str) -> tuple[SavedType, tuple[int, ...]] | None:
        """Type and shape of the result, whose variable may hide behind another key."""
        hidden = f"__hls4ml_reserved_out_{output}"
        data = self.attributes.get(hidden, self.attributes.get(output))
        try:
            kind, state = variable_type(data, VARIABLES, self._place("result"))
            shape = checked(state.get("shape"), Value.SHAPE, self._place("shape"))
        except BlockedError as error:
            self.blockers += error.blockers
            return None
        if kind.fixed.width > MOST_OUTPUT_BITS:
            what = f"its results have {kind.fixed.width} bits, {MOST_OUTPUT_BITS} is the most"
            self._blocked("", what, "set a Precision of the layer, or of one before it")
        return kind, shape

    def _weights(self) -> tuple[dict[str, SavedType], dict[str, NDArray[np.float64]]]:
        types, arrays = {}, {}
        for key in self.kind.weights:
            where = self._place(key)
            try:
                data = self.attributes.get(key)
                types[key], state = variable_type(data, ("WeightVariable",), where)
                array = self.archive.array(state.get("data"), where)
            except BlockedError as error:
                self.blockers += error.blockers
                continue
            if array.size > MOST_ELEMENTS:
                self._blocked(key, f"{array.size} weights are more than {MOST_ELEMENTS}")
            arrays[key] = self._in_order(array) if key == "weight" else array
        return types, arrays

    def _in_order(self, array: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights in the order that hls4ml's readers give them, undone where it changed it."""
        axes = self.kind.transposed
        if self.attributes.get("_weights_transposed") is not True:
            return array
        if array.ndim != len(axes):
            self._blocked("weight", f"has {array.ndim} axes, not {len(axes)}")
            return array
        return np.ascontiguousarray(array.transpose(axes))

    def _strategy(self) -> str:
        if not self.kind.transposed:
            return STRATEGIES[0]
        strategy = self.attributes.get("strategy")
        if strategy not in STRATEGIES:
            what = f"hls4ml's strategy {str(strategy)[:40]!r} is not read from .fml"
            self._blocked("", what, f"convert it with {' or '.join(STRATEGIES)}")
        return str(strategy)

    def _reuse(self) -> int:
        value = self.attributes.get("reuse_factor")
        try:
            return max(int(checked(value, Value.COUNT, self._place("reuse_factor"))), 1)
        except ModelError as error:
            self.blockers += error.blockers
            return 1


def _is_default(data: Any) -> bool:
    """Whether a type is the model's default one, which hls4ml's softmax takes for not set."""
    state = data.get("state") if isinstance(data, dict) else None
    return isinstance(state, dict) and state.get("name") == "model_default_t"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
