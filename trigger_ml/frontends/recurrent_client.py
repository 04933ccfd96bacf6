"""Open a network with recurrent layers: a project of hls4ml, and no graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trigger_ml.artifacts import HlsProject
from trigger_ml.config import Config, OutputKind
from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.client import Frontend
from trigger_ml.frontends.formats import detect
from trigger_ml.frontends.keras_client import MODULE, keras_process
from trigger_ml.frontends.keras_hls_layers import read_recurrent_network
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.keras_recurrent import RECURRENT
from trigger_ml.frontends.opened import Opened, Process
from trigger_ml.graph.model import FixedGraph, Input, Node
from trigger_ml.graph.opaque_operation import Opaque
from trigger_ml.graph.types import FixedType

__all__ = ["HlsLayer", "open_recurrent", "write_project"]

BACKENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "SimpleRNN": ("Quartus",),
    "LSTM": ("Vitis", "Vivado"),
    "GRU": ("Vitis", "Vivado"),
}
"""hls4ml 1.3's backends whose C++ of the layer was compared with Keras, of two the first:
Vivado has the same. Others have none, or none that was tried."""


@dataclass(frozen=True, slots=True)
class HlsLayer:
    """What was set in a layer of a project: its types by name, and entries of its tables."""

    layer: str
    types: Mapping[str, str]
    table_size: int | None


def open_recurrent(path: Path, config: Config, work: Path) -> Frontend | None:
    """Read a network with recurrent layers and load it; None for a model without any.

    work: an existing folder for what the processes exchange. Raises ModelError or ConfigError
    with all blockers.
    """
    network = read_recurrent_network(path)
    if network is None:
        return None
    blockers = [*_form_problems(network), *_choice_problems(network, config)]
    try:
        process = keras_process(network, config, work)
    except BlockedError as error:
        raise ModelError([*blockers, *error.blockers]) from error
    if blockers:
        raise ModelError(blockers)
    load = {**process.load, "recurrent": True}
    opened = Opened(network, detect(path).value, Process(MODULE, load), "", "io_parallel")
    return Frontend(opened, work)


def write_project(
    frontend: Frontend, config: Config, directory: Path, top: str
) -> tuple[FixedGraph, HlsProject, tuple[HlsLayer, ...]]:
    """Write the hls4ml project: what goes in and comes out, the project, what was set in it."""
    answer = frontend.convert_recurrent(config, directory, top)
    layers = tuple(
        HlsLayer(item["layer"], item["types"], item["table_size"]) for item in answer["layers"]
    )
    inputs = [_node(item, Input(), ()) for item in answer["inputs"]]
    reads = tuple(node.name for node in inputs)
    outputs = [_node(item, Opaque(), reads) for item in answer["outputs"]]
    ports = FixedGraph(top, (*inputs, *outputs), tuple(node.name for node in outputs))
    return ports, HlsProject(directory, top, config.firmware.backend, "io_parallel"), layers


def _node(item: Mapping[str, Any], operation: Input | Opaque, reads: tuple[str, ...]) -> Node:
    kind = FixedType.from_json(item["type"])
    return Node(item["name"], operation, reads, tuple(item["shape"]), kind)


def _form_problems(network: KerasNetwork) -> list[Blocker]:
    """A chain of layers is what was compared."""
    read: list[str] = [name for layer in network.layers for name in layer.inputs]
    if len(network.inputs) == 1 and len(set(read)) == len(read) and not network.outputs:
        return []
    what = "branches, and networks with recurrent layers are chains yet"
    return [Blocker("model", what, "put its layers one behind the other")]


def _choice_problems(network: KerasNetwork, config: Config) -> list[Blocker]:
    """What cannot be had with recurrent layers."""
    blockers = []
    backend = config.firmware.backend
    for layer in network.layers:
        known = BACKENDS.get(layer.kind.removeprefix("Q"), ())
        if layer.kind in RECURRENT and backend.lower() not in map(str.lower, known):
            what = f"hls4ml 1.3 has no {layer.kind} for {backend}, or none that was compared"
            blockers.append(Blocker(f"layer {layer.name}", what, _backend_fix(known)))
    if config.firmware.io_type == "io_stream":
        what = "recurrent layers are compared with io_parallel alone"
        blockers.append(Blocker("firmware.io_type", what, "leave it out"))
    if config.firmware.output is OutputKind.SOFTMAX:
        what = "a network with recurrent layers ends in its logits"
        blockers.append(Blocker("firmware.output", what, "use firmware.output: logits"))
    return blockers


def _backend_fix(known: Sequence[str]) -> str:
    fix = f"use --backend {known[0]}"
    return f"{fix} and a part of Intel, or a GRU" if known == ("Quartus",) else fix
