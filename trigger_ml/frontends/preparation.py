"""What a network becomes before hls4ml reads it, where a plain conversion would not be exact.

Runs in the front-end process. Weights of quantizers that hls4ml does not know are quantized;
constants of batch normalizations are rounded, in the source model too; activations that are
neither a cast nor a ReLU become tables. The last two need the types of what they read: a draft of
the network, converted once, tells them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import numpy as np

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.folding import (
    Arrays,
    Entry,
    Evaluate,
    by_qkeras,
    folded_weights,
    grid_quantizer,
    rebuilt,
)
from trigger_ml.frontends.keras_quantizers import NORMALIZATIONS
from trigger_ml.frontends.normalization import Constants, Normalization, constants, rounded
from trigger_ml.frontends.quantizers import AS_DATA, is_hard, needs_table, quantizer_type
from trigger_ml.frontends.tabulation import Table, tabulated
from trigger_ml.graph.hls4ml_values import fixed_type
from trigger_ml.graph.types import FixedType, Overflow, Rounding

__all__ = ["Framework", "Prepared", "prepare", "put_tables"]

DRAFT: Final = FixedType(16, 8, True, Rounding.RND_CONV, Overflow.SAT)
"""What the constants of a normalization are rounded for, until the type of its input is known."""


def _read_type(project: Any, name: str) -> FixedType:
    layer = project.graph[name]
    return fixed_type(layer.get_input_variable().type.precision, f"input of layer {name}")


@dataclass(frozen=True, slots=True)
class Framework:
    """How networks are built and converted.

    build: an architecture in JSON and weights to a model of Keras. draft: the same and the types
    of results by layer to hls4ml's ModelGraph. quantized: what a quantizer of a layer of the
    model makes of numbers. reads: the type that a layer of the ModelGraph reads, by its name.
    """

    build: Callable[[str, Arrays], Any]
    draft: Callable[[str, Arrays, Mapping[str, str]], Any]
    quantized: Evaluate = by_qkeras
    reads: Callable[[Any, str], FixedType] = _read_type


@dataclass(frozen=True)
class Prepared:
    """What is changed in a network.

    everywhere: layers of the source model and of hls4ml's that are replaced by chains of others.
    converted: those of hls4ml's alone. weights: arrays of replaced layers, in both cases; those
    of ``own`` belong to hls4ml's alone. types: of results, by layer. tables: of activations.
    reads: the type that a layer was settled for. notes: changes of the source model, in words.
    """

    everywhere: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    converted: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    weights: Arrays = field(default_factory=dict)
    own: Arrays = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    reads: Mapping[str, FixedType] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def normalizations(self) -> dict[str, dict[str, Any]]:
        """What every batch normalization became, by layer, as plain data: scale and bias of each
        channel, and the type that its input is rounded to, None where it is taken as it is."""
        return {
            name: {
                "scale": np.asarray(scale).tolist(),
                "bias": np.asarray(bias).tolist(),
                "grid": self.reads[name].to_json() if len(self.everywhere[name]) > 1 else None,
            }
            for name, (scale, bias, *_) in self.weights.items()
        }

    def source(self, architecture: str) -> str:
        """The architecture that Keras evaluates."""
        return rebuilt(architecture, self.everywhere)

    def for_hls4ml(self, architecture: str, weights: Arrays) -> tuple[str, Arrays]:
        """The architecture and the weights that hls4ml converts; they are never evaluated."""
        changed = rebuilt(architecture, {**self.everywhere, **self.converted})
        return changed, {**weights, **self.weights, **self.own}

    def check(self, project: Any, reads: Callable[[Any, str], FixedType] = _read_type) -> None:
        """Raise ModelError where a layer reads another type than it was settled for.

        project: what the network became. reads: as of :class:`Framework`.
        """
        blockers = []
        for name, kind in self.reads.items():
            found = reads(project, name)
            if found.integer > kind.integer or found.fraction > kind.fraction:
                what = f"reads {found}, and was settled for {kind}"
                blockers.append(Blocker(f"layer {name}", what, "quantize what it reads"))
        if blockers:
            raise ModelError(blockers)


@dataclass(frozen=True, slots=True)
class _Leaky:
    """A quantized_relu with a slope below zero: a cut, two lines and a cast.

    QKeras cuts the lower line where its input leaves the range of the results, at -2**integer;
    hls4ml 1.3 does not. source: the type that cuts there.
    """

    source: FixedType
    slope: float

    @classmethod
    def of(cls, quantizer: Mapping[str, Any], read: FixedType) -> _Leaky:
        """For what reads this type."""
        integer = quantizer_type(quantizer).integer
        fraction = max(read.fraction, 1 - integer)
        source = FixedType(integer + fraction, integer, overflow=Overflow.SAT)
        return cls(source, float(quantizer["config"]["negative_slope"]))


def prepare(
    architecture: str, weights: Arrays, types: Mapping[str, str], framework: Framework
) -> tuple[Any, Prepared]:
    """The source model, and what is changed in it. Raises ModelError with all blockers."""
    model = framework.build(architecture, weights)
    folded, own = folded_weights(model, architecture, framework.quantized)
    layers = json.loads(architecture)["config"]["layers"]
    folded |= {
        item["config"]["name"]: (_cast(item["config"]["name"]),)
        for item in layers
        if item["class_name"] == "QActivation" and is_hard(item["config"]["activation"])
    }
    normal = {
        item["config"]["name"]: item for item in layers if item["class_name"] in NORMALIZATIONS
    }
    tabled = {
        item["config"]["name"]: item["config"]["activation"]
        for item in layers
        if item["class_name"] == "QActivation" and needs_table(item["config"]["activation"])
    }
    if not normal and not tabled:
        return model, Prepared(converted=folded, own=own, types=types)
    blockers: list[Blocker] = []
    exact: dict[str, Constants] = {}
    for name, item in normal.items():
        try:
            layer = model.get_layer(name)
            exact[name] = _effective(layer, item, weights[name], framework.quantized)
        except BlockedError as error:
            blockers.extend(error.blockers)
    if blockers:
        raise ModelError(blockers)
    reads = _draft_types(architecture, weights, types, framework, folded, own, exact, tabled)
    settled: dict[str, Normalization] = {}
    tables: dict[str, Table] = {}
    leaky: dict[str, _Leaky] = {}
    for name, kind in reads.items():
        where = f"layer {name}"
        try:
            if name in exact:
                settled[name] = rounded(where, exact[name], kind)
            elif tabled[name]["config"].get("negative_slope"):
                leaky[name] = _Leaky.of(tabled[name], kind)
            else:
                function = partial(framework.quantized, model.get_layer(name), "activation")
                tables[name] = tabulated(where, function, kind)
        except BlockedError as error:
            blockers.extend(error.blockers)
    if blockers:
        raise ModelError(blockers)
    prepared = _prepared(layers, folded, own, types, settled, {**tables, **leaky})
    return framework.build(prepared.source(architecture), {**weights, **prepared.weights}), prepared


def put_tables(layers: list[dict[str, Any]], tables: Mapping[str, Table]) -> None:
    """Make hls4ml's layers of these names look up their results.

    layers: as hls4ml's Keras reader lists them; changed in place, as hls4ml's own readers do.
    """
    from hls4ml.model.types import FixedPrecisionType

    for layer in layers:
        table = tables.get(layer["name"])
        if table is None:
            continue
        values = table.values
        if table.source.signed:
            values = np.roll(values, len(values) // 2)
        for key in ("trusted", "activation_quantizer", "activ_param"):
            layer.pop(key, None)
        layer.update(
            class_name="UnaryLUT",
            activation="unary_lut",
            function="table",
            table_data=values.astype(np.float32),
            table_t=FixedPrecisionType(24, 12, True),
        )


def _effective(
    layer: Any, item: Mapping[str, Any], arrays: list[Any], quantized: Evaluate
) -> Constants:
    """Scale and bias of a normalization, its constants quantized where it has quantizers."""
    config = item["config"]
    if item["class_name"] == "QBatchNormalization":
        names = ["gamma"] * config["scale"] + ["beta"] * config["center"] + ["mean", "variance"]
        arrays = [
            quantized(layer, f"{name}_quantizer", values)
            for values, name in zip(arrays, names, strict=True)
        ]
    return constants(f"layer {layer.name}", config, arrays)


def _draft_types(
    architecture: str,
    weights: Arrays,
    types: Mapping[str, str],
    framework: Framework,
    folded: Mapping[str, tuple[Entry, ...]],
    own: Arrays,
    exact: Mapping[str, Constants],
    tabled: Mapping[str, Any],
) -> dict[str, FixedType]:
    """Types of what normalizations and tables read, with stand-ins in their places."""
    changes, arrays, drafted = dict(folded), {**weights, **own}, dict(types)
    for name, own_constants in exact.items():
        changes[name] = (_normalization(name),)
        arrays[name] = rounded(f"layer {name}", own_constants, DRAFT).weights
    for name, quantizer in tabled.items():
        # hls4ml melts a linear activation into the layer before it, and that one's type with it.
        kind = quantizer_type(quantizer)
        relu = {"class_name": "quantized_relu", "config": {"bits": kind.width}, **AS_DATA}
        changes[name] = (Entry(name, "QActivation", {"activation": relu}),)
        # One that truncates would not ask for the bits that it drops.
        kind = replace(kind, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)
        drafted[name] = str(kind)
    project = framework.draft(rebuilt(architecture, changes), arrays, drafted)
    order = [item["config"]["name"] for item in json.loads(architecture)["config"]["layers"]]
    found = {name for name in order if name in exact or name in tabled}
    return {name: framework.reads(project, name) for name in order if name in found}


def _normalization(name: str) -> Entry:
    options = {"axis": -1, "epsilon": 0.0, "center": True, "scale": True}
    return Entry(name, "BatchNormalization", options)


def _prepared(
    layers: list[dict[str, Any]],
    folded: Mapping[str, tuple[Entry, ...]],
    own: Arrays,
    types: Mapping[str, str],
    settled: Mapping[str, Normalization],
    functions: Mapping[str, Table | _Leaky],
) -> Prepared:
    taken = {item["config"]["name"].lower() for item in layers}
    tables = {name: item for name, item in functions.items() if isinstance(item, Table)}
    everywhere: dict[str, tuple[Entry, ...]] = {}
    converted, own_types = dict(folded), dict(types)
    for name, normal in settled.items():
        everywhere[name] = (_normalization(name),)
        if normal.narrowed:
            grid = _free(f"{name}_grid", taken)
            quantizer = _values_quantizer(normal.source)
            entry = Entry(grid, "QActivation", {"activation": quantizer})
            everywhere[name] = (entry, *everywhere[name])
            own_types[grid] = str(normal.source)
    for name, function in functions.items():
        cast = _free(f"{name}_cast", taken)
        own_types[cast] = str(function.source)
        converted[name] = (_cast(cast), _cast(name))
        if isinstance(function, _Leaky):
            lines = Entry(_free(f"{name}_lines", taken), "LeakyReLU", {"alpha": function.slope})
            converted[name] = (_cast(cast), lines, _cast(name))
    return Prepared(
        everywhere,
        converted,
        {name: normal.weights for name, normal in settled.items()},
        own,
        own_types,
        tables,
        {name: item.source for name, item in settled.items()}
        | {name: table.source for name, table in tables.items()},
        tuple(normal.note(name) for name, normal in settled.items()),
    )


def _cast(name: str) -> Entry:
    """A layer of hls4ml's that casts into the type that is set for its results."""
    return Entry(name, "QActivation", {"activation": grid_quantizer(FixedType(8, 1))})


def _free(name: str, taken: set[str]) -> str:
    while name.lower() in taken:
        name += "_q"
    taken.add(name.lower())
    return name


def _values_quantizer(kind: FixedType) -> dict[str, Any]:
    """The quantized_bits whose results have this type."""
    options = {"bits": kind.width, "integer": kind.integer - int(kind.signed), "symmetric": 0}
    config = {**options, "keep_negative": kind.signed, "alpha": 1}
    return {"class_name": "quantized_bits", "config": config, **AS_DATA}
