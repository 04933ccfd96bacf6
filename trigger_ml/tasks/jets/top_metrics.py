"""Figures of a tagger before and after compression, in the columns that taggers are compared by.

For two classes they are those of the top-tagging landscape (A. Butter et al.,
arXiv:1902.09914, table 1): accuracy, AUC, 1 / background efficiency at 30 % signal efficiency,
and parameters. For more classes, the last two are given for each class against all others.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.dataset import Dataset, read_dataset
from trigger_ml.compress.judging import graph_scores
from trigger_ml.compress.metrics.find import compare_metric, find_metric
from trigger_ml.compress.networks.network import FloatNetwork, read_network
from trigger_ml.compress.objective import Cost, measure_cost
from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ModelError
from trigger_ml.files import write_text
from trigger_ml.frontends.client import open_model, top_name
from trigger_ml.graph.model import FixedGraph
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.splits import Split

__all__ = ["SIGNAL_EFFICIENCY", "compare_taggers", "write_metrics"]

SCHEMA: Final = 1
SIGNAL_EFFICIENCY: Final = 0.3
CONFIDENCE: Final = 0.95
SEED: Final = 1
"""Of the bootstrap over events, which the rejection's intervals come from."""


def compare_taggers(
    reference: NDArray[np.float64],
    candidate: NDArray[np.float64],
    labels: NDArray[np.int64],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Every metric of both networks and of their difference, by name, with intervals.

    reference, candidate: logits of the same events, shape (events, outputs). Of two classes the
    second is the signal. Raises DataError for scores and labels that do not fit.
    """
    signals = classes if len(classes) > 2 else classes[-1:]
    names = ["accuracy"]
    for signal in signals:
        names += [f"auc:{signal}", f"rejection@{SIGNAL_EFFICIENCY:g}:{signal}"]
    found = {}
    for name in names:
        metric = find_metric(name, classes)
        change = compare_metric(
            metric, reference, candidate, labels, confidence=CONFIDENCE, seed=SEED
        )
        found[name] = {key: item.to_json() for key, item in change.shown().items()}
    return found


def write_metrics(
    float_model: Path, model: Path, data: Path, output: Path, listener: Listener | None = None
) -> dict[str, Any]:
    """Measure a compressed tagger against its float one and write the figures as JSON.

    float_model: a float Keras file. model: the compressed one, as ``trigger-ml compile`` takes
    it; what counts is its fixed-point graph, as everywhere. data: the events with their sides;
    the test side is measured.

    Raises ModelError, DataError or ConfigError with what is wrong, BuildError where the output
    cannot be written.
    """
    watch = Stopwatch(listener or Quiet())
    config = Config()
    with watch.stage("read", "read the models and the events"):
        network = read_network(float_model)
        events = read_dataset(data, network.input_shape, network.outputs, Split(), SEED)
        graph, nonzero = _graph(model, config)
        _require_same(graph, network, model)
    with watch.stage("measure", "measure both") as stage:
        before = network.logits(events.x_test)
        after = graph_scores(graph, events.x_test)
        names = events.classes or tuple(str(k) for k in range(max(network.outputs, 2)))
        metrics = compare_taggers(before, after, events.y_test, names)
        cost = measure_cost(graph, config)
        stage.note = f"{cost.lut:,.0f} LUT, {cost.latency_ns:.1f} ns"
    found = _record(network, nonzero, events, names, metrics, cost, config)
    write_text(output, json.dumps(found, indent=2, allow_nan=False))
    return found


def _graph(model: Path, config: Config) -> tuple[FixedGraph, int]:
    """The model's fixed-point graph, and how many of its parameters are not zero."""
    with tempfile.TemporaryDirectory(prefix="trigger_ml_measure_") as folder:
        work = Path(folder)
        with open_model(model, config, work) as frontend:
            graph, _ = frontend.convert(config, work / "hls", top_name(model))
            return graph, frontend.source.nonzero


def _require_same(graph: FixedGraph, network: FloatNetwork, model: Path) -> None:
    inputs, outputs = int(np.prod(network.input_shape)), network.outputs
    found = graph.input_nodes[0].size, graph.output_nodes[0].size
    if found != (inputs, outputs):
        what = f"takes {found[0]} numbers and gives {found[1]}, the float one {inputs}, {outputs}"
        raise ModelError(Blocker(str(model), what, "give the float model that it was made from"))


def _record(
    network: FloatNetwork,
    nonzero: int,
    events: Dataset,
    classes: Sequence[str],
    metrics: Mapping[str, Any],
    cost: Cost,
    config: Config,
) -> dict[str, Any]:
    def side(name: str) -> dict[str, Any]:
        return {metric: item[name] for metric, item in metrics.items()}

    return {
        "schema": SCHEMA,
        "task": "jets",
        "classes": list(classes),
        "data": {
            "file": events.source,
            "digest": events.digest,
            "jets": {
                "train": len(events.x_train),
                "validation": len(events.x_validation),
                "test": len(events.x_test),
            },
        },
        "interval_level": CONFIDENCE,
        "signal_efficiency": SIGNAL_EFFICIENCY,
        "target": {"part": config.target.part, "clock_mhz": config.target.clock_mhz},
        "float": {"parameters": network.parameters, **side("reference")},
        "quantized": {
            "nonzero_parameters": nonzero,
            "lut_cost_model": cost.lut,
            "ff_cost_model": cost.ff,
            "latency_cycles": cost.latency_cycles,
            "latency_ns": cost.latency_ns,
            **side("candidate"),
        },
        "change": side("change"),
    }
