"""What hls4ml's own default conversion of a model would have computed, and where it goes wrong.

Many a model is wrong in firmware because nothing was set: the input type, an accumulator, a
quantizer that was dropped, a softmax by coarse tables. This compiles that conversion too and
compares it with the model, layer by layer, beside the types that :mod:`trigger_ml.pipeline` sets.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import HlsProject
from trigger_ml.config import Config
from trigger_ml.events import read_events
from trigger_ml.frontends.client import Frontend, open_model, top_name
from trigger_ml.graph.model import FixedGraph, Node
from trigger_ml.graph.types import FixedType
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.simulate import csim
from trigger_ml.simulate.vectors import make_vectors

__all__ = ["DefaultGap", "LayerGap", "compare_with_default"]

SLACK: Final = 2.0**-20
"""Relative difference that single precision explains."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LayerGap:
    """One layer of the default conversion beside the source model.

    default_type, default_accumulator: hls4ml's. own_type, own_accumulator: what compile sets;
    empty where the layer has none. differing: share of the events in which a value differs.
    largest: difference. cause: in words, empty where nothing differs.
    """

    layer: str
    kind: str
    default_type: str
    default_accumulator: str
    own_type: str
    own_accumulator: str
    differing: float
    largest: float
    cause: str


@dataclass(frozen=True, slots=True)
class DefaultGap:
    """The whole comparison.

    layers: in evaluation order, the inputs first. events: compared. exact: share of them whose
    outputs are equal. same_decision: share with the same largest output, None with one output.
    """

    layers: tuple[LayerGap, ...]
    events: int
    exact: float
    same_decision: float | None

    @property
    def first(self) -> LayerGap | None:
        """The first layer that differs."""
        return next((layer for layer in self.layers if layer.cause), None)

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {**asdict(self), "first": asdict(self.first) if self.first else None}


def compare_with_default(
    model: Path,
    config: Config,
    data: Path | None,
    events: int,
    listener: Listener | None = None,
) -> DefaultGap:
    """Convert a model both ways, run hls4ml's default and compare it with the model.

    data: events, otherwise draws over the input type. Raises TriggerMLError as a compilation.
    """
    clock = Stopwatch(listener or Quiet())
    top = top_name(model)
    with tempfile.TemporaryDirectory(prefix="trigger-ml.") as folder:
        work = Path(folder)
        with clock.stage("load", "read the model"):
            frontend = open_model(model, config, work)
        with frontend:
            top = frontend.free_name(top)
            with clock.stage("own", "convert it as compile does"):
                network, _ = frontend.convert(config, work / "own", top)
            with clock.stage("default", "convert it as hls4ml does by default"):
                layers = frontend.convert_by_default(config, work / "default", top)
            values = _inputs(network, config, data, events)
            with clock.stage("source", "source model, layer by layer"):
                source = frontend.trace(values.astype(np.float32))
                outputs = _outputs(frontend, values)
        with clock.stage("csim", "C simulation of the default"):
            project = HlsProject(work / "default", top, config.firmware.backend, "")
            traced = [layer for layer in layers if layer["traced"]]
            found, shown = _run(project, network, values, layers, traced, work / "csim")
    gaps = [_input_gap(layers[0], network, values)]
    by_source = {node.source: node for node in network.nodes if node.source}
    for layer in traced:
        name = layer["name"]
        wanted = outputs if layer is traced[-1] else source.get(name)
        if wanted is not None and wanted.size == shown[name].size:
            gaps.append(_gap(layer, by_source.get(name), shown[name], wanted))
    exact = np.isclose(found, outputs, rtol=SLACK, atol=SLACK).all(axis=1)
    decision = None
    if outputs.shape[1] > 1:
        decision = float((found.argmax(axis=1) == outputs.argmax(axis=1)).mean())
    return DefaultGap(tuple(gaps), len(values), float(exact.mean()), decision)


def _inputs(network: FixedGraph, config: Config, data: Path | None, events: int) -> Values:
    """Flat rows of inputs on the grid that compile gives them."""
    given = None
    if data is not None:
        given = read_events(data, network.input_size, network.output_size, events).inputs
    vectors = make_vectors(
        network, given, None, total=events, random_events=0, seed=config.verify.seed
    )
    rows = vectors.rows("events") if data is not None else slice(-events, None)
    return network.decode_inputs(vectors.codes[rows])


def _outputs(frontend: Frontend, values: Values) -> Values:
    said = frontend.evaluate(values.astype(np.float32))
    chosen = said.logits if said.tail is None else said.tail
    return np.asarray(chosen, np.float64).reshape(len(values), -1)


def _run(
    project: HlsProject,
    network: FixedGraph,
    values: Values,
    layers: list[dict[str, Any]],
    traced: list[dict[str, Any]],
    work: Path,
) -> tuple[Values, dict[str, Values]]:
    """Outputs, and values of the traced layers by name, each (events, size)."""
    library = csim.build(project, network, work)
    sizes = {layer["name"]: int(np.prod(layer["shape"])) for layer in traced}
    out = int(np.prod(layers[-1]["shape"]))
    raw = library.run_values(values, [out], sizes, 0)
    shown, start = {}, out
    for name, size in sizes.items():
        shown[name] = raw[:, start : start + size]
        start += size
    return raw[:, :out], shown


def _input_gap(layer: Mapping[str, Any], network: FixedGraph, values: Values) -> LayerGap:
    node = network.input_nodes[0]
    kind = FixedType.parse(layer["type"])
    cast = kind.decode(kind.encode(values))
    return _gap(layer, node, cast, values)


def _gap(layer: Mapping[str, Any], node: Node | None, found: Values, wanted: Values) -> LayerGap:
    wanted = wanted.reshape(len(found), -1)
    slack = SLACK * float(np.abs(wanted).max(initial=1.0))
    distance = np.abs(found - wanted)
    different = (distance > slack).any(axis=1)
    accumulator = getattr(node.operation, "accumulator", "") if node else ""
    return LayerGap(
        layer["name"],
        layer["class_name"],
        layer["type"],
        layer["accumulator"],
        str(node.type) if node else "",
        str(accumulator),
        float(different.mean()),
        float(distance.max(initial=0.0)),
        _cause(layer, found, wanted) if different.any() else "",
    )


def _cause(layer: Mapping[str, Any], found: Values, wanted: Values) -> str:
    """Why a layer whose inputs may already be wrong does not give what it should."""
    if layer["class_name"] == "Softmax":
        return "softmax by tables that are too coarse"
    for what in ("type", "accumulator"):
        if not layer[what]:
            continue
        kind = FixedType.parse(layer[what])
        name = f"the {'result' if what == 'type' else 'accumulator'} type {kind}"
        low, high = kind.min_code * kind.step, kind.max_code * kind.step
        worst = float(wanted.flat[np.abs(wanted).argmax()])
        if wanted.min() < low or wanted.max() > high:
            return f"{name} ends at {low:g} and {high:g}, and values reach {worst:g}"
        if not np.array_equal(np.rint(wanted / kind.step), wanted / kind.step):
            return f"{name} has steps of {kind.step:g}, and values lie between them"
    if np.array_equal(np.abs(found) > 0, np.abs(wanted) > 0):
        return "rounded or cut elsewhere than in the model: a quantizer was dropped or moved"
    return "what it reads is already wrong, or a quantizer was dropped"
