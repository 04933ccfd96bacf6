"""Read a model file for a look at it: without frameworks where that is possible."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from trigger_ml.config import Config, OutputKind
from trigger_ml.errors import BlockedError, Blocker
from trigger_ml.frontends.direct import Direct, direct_graph
from trigger_ml.frontends.formats import Format, detect
from trigger_ml.frontends.keras_client import input_grid, read_whole, require_network
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.softmax import with_softmax
from trigger_ml.graph.model import FixedGraph, Softmax
from trigger_ml.graph.operations import WEIGHTED
from trigger_ml.graph.tail import with_argmax, with_threshold
from trigger_ml.progress import Stopwatch

__all__ = ["BY_NUMPY", "DIRECT", "HLS4ML", "Network", "collect", "read_network"]

DIRECT = "direct"
HLS4ML = "hls4ml"
BY_NUMPY = (Format.QKERAS_H5, Format.KERAS_JSON, Format.KERAS_ZIP, Format.ONNX)
"""Formats of which the graph can be made without frameworks."""


@dataclass(frozen=True, eq=False)
class Network:
    """A model as far as it is known.

    file, format: its name, and in words. read_by: DIRECT or HLS4ML. tail: a last activation that
    firmware leaves out. graph: of what is known, with the decision that the configuration asks
    for; without outputs where a layer is not known. unknown: why, by layer. order: names of
    nodes and unknown layers. layers: of the file, by name. parameters: weights and biases.
    notes: sentences.
    """

    file: str
    format: str
    read_by: str
    tail: str
    graph: FixedGraph
    unknown: Mapping[str, str]
    order: tuple[str, ...]
    layers: Mapping[str, Layer]
    parameters: int
    notes: tuple[str, ...] = ()

    @property
    def nonzero(self) -> int | None:
        """Weights and biases that are not zero on their grids; None where some are not known."""
        if self.unknown:
            return None
        return sum(
            int((node.operation.weight != 0).sum() + (node.operation.bias != 0).sum())
            for node in self.graph.nodes
            if isinstance(node.operation, WEIGHTED)
        )


def collect(blockers: list[Blocker], step: Callable[[], object]) -> None:
    """Run a step and keep what stands in its way, so that all of it is told at once."""
    try:
        step()
    except BlockedError as error:
        blockers.extend(error.blockers)


def read_network(path: Path, config: Config, *, full: bool, clock: Stopwatch) -> Network:
    """Read a model file.

    full: let its framework and hls4ml read it, in processes of their own. Raises ModelError with
    everything that a compilation would refuse.
    """
    kind = detect(path)
    if full or kind not in BY_NUMPY:
        return _by_hls4ml(path, config, clock)
    if kind is Format.ONNX:
        # The others do without the package onnx.
        from trigger_ml.frontends.onnx_client import read_onnx

        network = read_onnx(path, config).network
        grid = input_grid(network, config)
    else:
        network = read_whole(path, config)
        grid = require_network(network, config)
    stream = config.firmware.streams(network.streamable)
    return _decided(_direct(network, kind, direct_graph(network, grid, stream=stream)), config)


def _direct(network: KerasNetwork, kind: Format, found: Direct) -> Network:
    notes = []
    if found.unknown:
        notes.append("Layers that are not known without their framework: use --full.")
    return Network(
        network.path.name,
        kind.value,
        DIRECT,
        network.tail,
        found.known if found.unknown else found.graph,
        found.unknown,
        found.order,
        {layer.name: layer for layer in network.layers},
        network.parameters,
        tuple(notes),
    )


def _by_hls4ml(path: Path, config: Config, clock: Stopwatch) -> Network:
    from trigger_ml.frontends.client import firmware_graph, open_model, reading_title, top_name

    with tempfile.TemporaryDirectory(prefix="trigger-ml.") as folder:
        work = Path(folder)
        with clock.stage("load", reading_title(path)):
            frontend = open_model(path, config, work)
        with frontend:
            with clock.stage("convert", "convert it with hls4ml"):
                graph, _ = frontend.convert(config, work / "hls", top_name(path))
            source = frontend.source
    graph = firmware_graph(graph, config)
    return Network(
        source.file,
        source.format,
        HLS4ML,
        source.float_tail[0] if source.float_tail else "",
        graph,
        {},
        tuple(node.name for node in graph.nodes),
        {name: Layer(name, kind, (), {}) for name, kind in source.layers},
        source.parameters,
    )


def _decided(network: Network, config: Config) -> Network:
    """With the decision that the configuration asks for, where the whole network is known."""
    if not network.graph.outputs:
        return network
    tail = network.tail
    match config.firmware.output:
        case OutputKind.ARGMAX:
            graph = with_argmax(network.graph)
        case OutputKind.THRESHOLD:
            graph = with_threshold(network.graph, config.firmware.threshold)
        case OutputKind.SOFTMAX if isinstance(network.graph.output_nodes[0].operation, Softmax):
            return network
        case OutputKind.SOFTMAX if network.tail == "softmax" and _is_row(network.graph):
            bits = config.firmware.softmax_bits
            graph, tail = with_softmax(network.graph, network.tail, bits), ""
        case OutputKind.SOFTMAX:
            note = "The softmax in firmware is not in these figures: use --full."
            return replace(network, notes=(*network.notes, note))
        case _:
            return network
    order = (*network.order, graph.nodes[-1].name)
    return replace(network, graph=graph, order=order, tail=tail)


def _is_row(graph: FixedGraph) -> bool:
    return len(graph.outputs) == 1 and len(graph.output_nodes[0].shape) == 1
