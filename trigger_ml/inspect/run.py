"""Look at a model: its layers, what each costs about, what events do to them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ldexp
from pathlib import Path
from typing import Final

import numpy as np

from trigger_ml.artifacts import Resources
from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.model import FixedGraph, Node
from trigger_ml.graph.operations import WEIGHTED
from trigger_ml.graph.types import Codes
from trigger_ml.inspect.cost import ROUGH, Cost, rough_cost, traced_cost
from trigger_ml.inspect.figures import Inspection, LayerData, LayerFigures, Totals
from trigger_ml.inspect.network import Network, collect, read_network
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.synth.devices import Device, find_device, share
from trigger_ml.synth.rough import multiplications

__all__ = ["Looked", "Request", "inspect_model", "read_with_types"]

MOST_EVENTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Request:
    """What to look at. full: let the model's framework read it. trace: count LUTs by alkaid."""

    model: Path
    config: Config
    data: Path | None = None
    full: bool = False
    trace: bool = False


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, and the network it was found in."""

    inspection: Inspection
    network: Network


def inspect_model(request: Request, listener: Listener | None = None) -> Looked:
    """Everything of a model that is known before it is compiled; nothing is written.

    Raises BlockedError with everything that a compilation would refuse as well.
    """
    config, clock = request.config, Stopwatch(listener or Quiet())
    blockers: list[Blocker] = []
    devices: list[Device] = []
    networks: list[Network] = []
    collect(blockers, lambda: devices.append(find_device(config.target.part)))
    if request.data is not None:
        collect(blockers, lambda: _require_data(request))
    collect(
        blockers,
        lambda: networks.append(read_with_types(request, clock)),
    )
    if blockers:
        raise ModelError(blockers)
    network = networks[0]
    cost, note = _cost(network, request, clock)
    data = _data(network, request, clock)
    layers = tuple(_layer(name, network, cost, data) for name in network.order)
    return Looked(
        Inspection(
            file=str(request.model),
            format=network.format,
            read_by=network.read_by,
            tail=network.tail,
            part=devices[0].name,
            clock_mhz=config.target.clock_mhz,
            estimate=cost.origin if cost else ROUGH,
            layers=layers,
            totals=_totals(network, layers, cost, config, devices[0]),
            events=data.events if data else None,
            notes=(*network.notes, *note),
        ),
        network,
    )


def read_with_types(request: Request, clock: Stopwatch) -> Network:
    """The network of the file; of a float one with events, what a compilation makes of both.

    Raises ModelError with everything that a compilation would refuse.
    """
    config, full = request.config, request.full
    try:
        return read_network(request.model, config, full=full, clock=clock)
    except ModelError:
        if request.data is None:
            raise
        from trigger_ml.float_models import choose_types, is_float

        if not is_float(request.model):
            raise
    with tempfile.TemporaryDirectory(prefix="trigger-ml.") as folder:
        with clock.stage("types", "fixed-point types from the events"):
            made = choose_types(request.model, request.data, config, Path(folder))
        config = config.without_input_type()
        network = read_network(made.file, config, full=full, clock=clock)
    return replace(network, notes=(*network.notes, f"Made from {made.made_from}."))


@dataclass(frozen=True, slots=True)
class _Data:
    events: int
    layers: Mapping[str, LayerData]


def _cost(network: Network, request: Request, clock: Stopwatch) -> tuple[Cost | None, list[str]]:
    """What the firmware takes, or why that is not known."""
    if not network.graph.outputs:
        return None, ["LUTs and latency are of whole networks, and this one is known in part."]
    if request.trace:
        with clock.stage("trace", "trace it with alkaid"):
            return traced_cost(network.graph, request.config), []
    return rough_cost(network.graph, request.config), []


def _require_data(request: Request) -> None:
    from trigger_ml.events import require_readable

    assert request.data is not None
    require_readable(request.data)


def _data(network: Network, request: Request, clock: Stopwatch) -> _Data | None:
    """What events do to every layer that is known."""
    if request.data is None:
        return None
    from trigger_ml.report.ranges import observe

    codes = _input_codes(network.graph, request.data)
    with clock.stage("events", f"{len(codes):,} events through the graph"):
        seen = observe(network.graph, codes)
    layers = {}
    for name, item in seen.items():
        kind = network.graph.by_name[name].type
        found = item.to_range(kind)
        layers[name] = LayerData(
            ldexp(found.min_code, -kind.fraction),
            ldexp(found.max_code, -kind.fraction),
            found.saturated_fraction,
            max(kind.width - found.used_bits, 0),
            min(found.idle_low_bits, kind.width),
        )
    return _Data(len(codes), layers)


def _input_codes(graph: FixedGraph, path: Path) -> Codes:
    """The first events of a file on the grids of the inputs. Raises DataError."""
    from trigger_ml.errors import DataError
    from trigger_ml.events import input_problems, read_arrays, require_inputs

    inputs = require_inputs(path, read_arrays(path))
    problems = input_problems(path, inputs, graph.input_size)
    if problems:
        raise DataError(problems)
    values = inputs[:MOST_EVENTS].reshape(-1, graph.input_size).astype(np.float64)
    columns = np.cumsum([node.size for node in graph.input_nodes])[:-1]
    parts = np.split(values, columns, axis=1)
    return np.concatenate(
        [n.type.encode(part) for n, part in zip(graph.input_nodes, parts, strict=True)], axis=1
    )


def _layer(name: str, network: Network, cost: Cost | None, data: _Data | None) -> LayerFigures:
    node = network.graph.by_name.get(name)
    note = network.unknown.get(name, "")
    if node is None:
        layer = network.layers[name]
        return LayerFigures(name, layer.kind, layer.inputs, None, None, note=note)
    known = LayerFigures(
        name,
        node.operation.kind,
        node.inputs,
        node.shape,
        str(node.type),
        note=note,
        lut=cost.by_node.get(name) if cost else None,
        latency_ns=cost.latency_ns.get(name) if cost else None,
        data=data.layers.get(name) if data else None,
    )
    return _with_weights(known, node)


def _with_weights(figures: LayerFigures, node: Node) -> LayerFigures:
    operation = node.operation
    if not isinstance(operation, WEIGHTED):
        return figures
    return replace(
        figures,
        weights=operation.weight.size + operation.bias.size,
        zero_weights=int((operation.weight == 0).sum() + (operation.bias == 0).sum()),
        weight_type=str(operation.weight_type),
        macs=multiplications(node),
    )


def _totals(
    network: Network,
    layers: tuple[LayerFigures, ...],
    cost: Cost | None,
    config: Config,
    device: Device,
) -> Totals:
    period = 1e3 / config.target.clock_mhz
    whole = not network.unknown
    used = Resources(lut=cost.lut if cost else None)
    return Totals(
        parameters=network.parameters,
        nonzero=network.nonzero,
        macs=sum(layer.macs or 0 for layer in layers) if whole else None,
        lut=used.lut,
        lut_share=share(used, device).get("lut"),
        slr_share=share(used, device, slr=True).get("lut"),
        latency_cycles=cost.latency_cycles if cost else None,
        latency_ns=cost.latency_cycles * period if cost else None,
        ii_cycles=cost.ii_cycles if cost else None,
        ii_ns=cost.ii_cycles * period if cost else None,
    )
