"""The types of a network with recurrent layers, and the plain layers that stand for its own.

Runs in the front-end process, on a model of tf_keras and QKeras. Weights are quantized by QKeras
and written as the numbers that they are; where no quantizer says a type it has ``bits`` bits, as
many of them before the point as the largest value that can occur needs, so that nothing but a relu
within a cell can overflow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, log2
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.folding import Entry, evaluated
from trigger_ml.frontends.keras_recurrent import GATES, QUANTIZERS, RECURRENT, cell_function
from trigger_ml.frontends.quantizers import is_hard, quantizer_type
from trigger_ml.graph.narrow import narrowest_type
from trigger_ml.graph.types import FixedType, Overflow, Rounding

__all__ = ["Plan", "planned"]

TABLE_TYPE: Final = FixedType(18, 2, True, Rounding.RND, Overflow.SAT)
"""Of the entries where no quantizer says it: an UltraScale+ block RAM is 18 bits wide (UG573)."""
BOUNDED: Final = ("tanh", "sigmoid")


Values = NDArray[np.float32]


@dataclass
class Plan:
    """What hls4ml is given.

    changes: chains of plain layers for layers of the network. arrays: their weights. types: by
    layer and name of hls4ml's type. tables: layers that look up a function. reaches: largest
    absolute value that leaves a layer of the network.
    """

    bits: int
    changes: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    arrays: dict[str, list[Values]] = field(default_factory=dict)
    types: dict[str, dict[str, FixedType]] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
    reaches: dict[str, float] = field(default_factory=dict)

    def holds(self, reach: float, most: int | None = None) -> FixedType:
        """The type for values up to this: rounded, and saturating where ``most`` is not enough.

        most: integer bits with the sign.
        """
        integer = _integer_bits(reach)
        integer = integer if most is None else min(integer, most)
        return FixedType(self.bits, integer, True, Rounding.RND, Overflow.SAT)

    def weights(self, values: Values, *, quantized: bool) -> tuple[Values, FixedType]:
        """Weights as they are written, and their type."""
        kind = narrowest_type(values) if quantized else None
        if kind is not None:
            # One bit means -1 and 1 to hls4ml.
            return values, kind if kind.width > 1 else FixedType(2, kind.integer + 1)
        kind = self.holds(float(np.abs(values).max(initial=0)))
        return kind.decode(kind.encode(values)).astype(np.float32), kind


def planned(model: Any, architecture: str, bits: int) -> Plan:
    """Types and plain layers for the layers of an architecture, which ``model`` has."""
    plan = Plan(bits)
    for item in json.loads(architecture)["config"]["layers"]:
        kind, config = item["class_name"], item["config"]
        name = str(config["name"])
        reads = [entry[0] for entry in item["inbound_nodes"][0]] if item["inbound_nodes"] else []
        if not reads:
            continue
        reach = plan.reaches.get(reads[0], 0.0)
        layer = model.get_layer(name)
        if kind in RECURRENT:
            _plan_recurrent(plan, layer, kind, config, reach)
        elif kind in ("Dense", "QDense"):
            _plan_dense(plan, layer, config, reach)
        elif kind in ("QActivation", "Activation"):
            _plan_activation(plan, name, config["activation"], reach)
            if reads[0] not in plan.reaches:
                # It says which type the network's input has.
                plan.types[reads[0]] = {"result": plan.types[name]["result"]}
        else:
            plan.reaches[name] = reach
    return plan


def _plan_activation(plan: Plan, name: str, activation: Any, reach: float) -> None:
    """An activation as a layer of its own, which has the name of the layer that it ends."""
    function, kind = "linear", None
    if isinstance(activation, Mapping):
        kind = quantizer_type(activation)
        function = cell_function(activation)
        if function == "bits" or is_hard(activation):
            function = "linear"
    else:
        function = activation
    if function in BOUNDED:
        plan.tables.add(name)
        plan.types[name] = {"table": kind or TABLE_TYPE}
        reach = 1.0
    if kind is not None:
        reach = max(-kind.min_code, kind.max_code) * kind.step
    plan.types.setdefault(name, {})["result"] = kind or plan.holds(reach)
    plan.reaches[name] = reach
    entry = Entry(name, "Activation", {"activation": function})
    plan.changes[name] = (*plan.changes.get(name, ()), entry)


def _plan_dense(plan: Plan, layer: Any, config: Mapping[str, Any], reach: float) -> None:
    name = str(config["name"])
    arrays, kinds = _quantized(plan, layer, config, ("kernel_quantizer", "bias_quantizer"))
    kernel = arrays[0].astype(np.float64)
    bias = arrays[1] if len(arrays) > 1 else np.zeros(kernel.shape[1], np.float32)
    summed = float((np.abs(kernel).sum(axis=0) * reach + np.abs(bias)).max())
    activation = config["activation"]
    linear = activation == "linear"
    own = name if linear else f"{name}_sum"
    types = dict(zip(("weight", "bias"), kinds, strict=False))
    plan.types[own] = {**types, "result": plan.holds(summed)}
    plan.arrays[own] = arrays
    options = {"units": config["units"], "use_bias": config["use_bias"], "activation": "linear"}
    plan.changes[name] = (Entry(own, "Dense", options),)
    plan.reaches[name] = summed
    if not linear:
        _plan_activation(plan, name, activation, summed)


def _plan_recurrent(
    plan: Plan, layer: Any, kind: str, config: Mapping[str, Any], reach: float
) -> None:
    """A layer of Keras with the weights and functions of one of QKeras."""
    name, plain = str(config["name"]), kind.removeprefix("Q")
    cell = layer.cell
    arrays, types = _quantized(plan, cell, config, QUANTIZERS, layer.get_weights())
    units, gates = int(config["units"]), GATES[plain]
    if not config["use_bias"]:
        # hls4ml fails on a layer without a bias.
        shape = (2, gates * units) if plain == "GRU" else (gates * units,)
        arrays, types = [*arrays, np.zeros(shape, np.float32)], [*types, FixedType(2, 1)]
    steps = int(layer.input_shape[1])
    functions = {
        key: cell_function(config[key])
        for key in ("activation", "recurrent_activation")
        if key in config
    }
    state = _state_reach(plain, functions, steps, arrays, reach)
    result = plan.holds(state, plan.bits // 2)
    if config.get("state_quantizer") is not None:
        result = quantizer_type(config["state_quantizer"])
    held = max(-result.min_code, result.max_code) * result.step
    summed = _gate_reach(arrays, reach, min(state, held))
    integer = max(_integer_bits(max(summed, 1.0)), result.integer)
    own = dict(zip(("weight", "recurrent_weight", "bias"), types, strict=True))
    own["recurrent_bias"] = own["bias"]
    own["accum"] = FixedType(integer + plan.bits - 2, integer)
    own["table"] = _table_type(config)
    own["result"] = result
    chain: tuple[Entry, ...] = ()
    if plain == "SimpleRNN":
        # Its C++ takes what it reads and its state for values of one type.
        cast = f"{name}_cast"
        fraction = max(result.fraction, plan.bits - _integer_bits(reach))
        whole = max(result.integer, _integer_bits(reach))
        same = FixedType(whole + fraction, whole, True, Rounding.RND, Overflow.SAT)
        own["result"] = same
        plan.types[cast] = {"result": same}
        chain = (Entry(cast, "Activation", {"activation": "linear"}),)
    plan.types[name] = own
    if set(functions.values()) & {*BOUNDED}:
        plan.tables.add(name)
    options: dict[str, Any] = {
        **functions,
        "units": units,
        "use_bias": True,
        "return_sequences": config["return_sequences"],
        "return_state": False,
    }
    if plain == "GRU":
        options["reset_after"] = True
    plan.changes[name] = (*chain, Entry(name, plain, options))
    plan.arrays[name] = arrays
    # What leaves a cell is its state, of an LSTM times two activations of at most one.
    plan.reaches[name] = min(1.0 if functions["activation"] in BOUNDED else state, held)


def _state_reach(
    plain: str, functions: Mapping[str, str], steps: int, arrays: list[Values], reach: float
) -> float:
    """Largest absolute value that a state can have after so many steps from zero."""
    bounded = functions["activation"] in BOUNDED
    if plain == "LSTM" and bounded and functions["recurrent_activation"] in BOUNDED:
        return float(steps)
    if bounded and functions.get("recurrent_activation", "sigmoid") in BOUNDED:
        return 1.0
    state = 0.0
    for _ in range(steps):
        state = max(_gate_reach(arrays, reach, state), state)
    return state


def _gate_reach(arrays: list[Values], reach: float, state: float) -> float:
    """Largest absolute value of what a gate sums."""
    kernel, recurrent, bias = (np.abs(values.astype(np.float64)) for values in arrays)
    biases = bias.reshape(-1, kernel.shape[1]).sum(axis=0)
    return float((kernel.sum(axis=0) * reach + recurrent.sum(axis=0) * state + biases).max())


def _table_type(config: Mapping[str, Any]) -> FixedType:
    """The type of both tables of a cell: of its quantizers, all of whose values it holds."""
    given = [config.get(key) for key in ("activation", "recurrent_activation")]
    used = [item for item in given if item is not None and item not in ("relu",)]
    kinds = [quantizer_type(item) for item in used if isinstance(item, Mapping)]
    if not kinds or len(kinds) < len(used):
        return TABLE_TYPE
    fraction = max(kind.fraction for kind in kinds)
    signed = any(kind.signed for kind in kinds)
    integer = max(kind.integer + int(signed and not kind.signed) for kind in kinds)
    return FixedType(integer + fraction, integer, signed, Rounding.RND_CONV, Overflow.SAT)


def _quantized(
    plan: Plan,
    owner: Any,
    config: Mapping[str, Any],
    keys: tuple[str, ...],
    stored: list[Values] | None = None,
) -> tuple[list[Values], list[FixedType]]:
    """Arrays of a layer as they are written, and their types. owner: holds the quantizers."""
    arrays: list[Values] = []
    types: list[FixedType] = []
    for key, values in zip(keys, stored or owner.get_weights(), strict=False):
        quantizer = config.get(key)
        if quantizer is not None:
            values = evaluated(getattr(owner, f"{key}_internal"), values)
        written, kind = plan.weights(values, quantized=quantizer is not None)
        arrays.append(written)
        types.append(kind)
    return arrays, types


def _integer_bits(reach: float) -> int:
    """Bits before the point, the sign among them, for values from -reach to reach."""
    return max(ceil(log2(reach * (1 + 2.0**-20))) if reach > 0 else 0, 0) + 1
