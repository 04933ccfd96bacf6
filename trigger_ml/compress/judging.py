"""A prototype: a compressed network with its model file and its graph, judged as firmware.

What counts is the fixed-point graph: its integers are the scores, its traced logic is the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.front.pareto import Point
from trigger_ml.compress.metrics.find import Metric, MetricChange, compare_metric
from trigger_ml.compress.networks.network import FloatNetwork
from trigger_ml.compress.objective import Cost, measure_cost
from trigger_ml.config import Config
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.operations import Dense, EinsumDense

__all__ = ["Judged", "Prototype", "Reference", "graph_scores", "judge", "to_point"]

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Prototype:
    """A compressed network before it is judged.

    file: model file that ``trigger-ml compile`` takes and that gives ``graph``. origin: the step
    that made it. ebops: effective bit operations, where training counted them. details: what
    the step has to say of it, for JSON.
    """

    name: str
    file: Path
    graph: FixedGraph
    origin: str
    ebops: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Scores of the network that is compressed: logits, shape (events, outputs)."""

    validation: Scores
    test: Scores

    @classmethod
    def of(cls, network: FloatNetwork, data: Dataset) -> Reference:
        """Run a float network on both sides."""
        return cls(network.logits(data.x_validation), network.logits(data.x_test))


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A prototype with its cost and what it loses.

    validation: decides which prototype is chosen. test: what is stated of it.
    """

    prototype: Prototype
    cost: Cost
    validation: MetricChange
    test: MetricChange


def graph_scores(graph: FixedGraph, events: NDArray[np.float32]) -> Scores:
    """What the firmware answers: logits of shape (events, outputs), exact.

    events: shape (events, *input_shape), put on the grid of the graph's input as the firmware's
    surroundings would.
    """
    codes = graph.input_nodes[0].type.encode(events.reshape(len(events), -1))
    values = evaluate(graph, codes)
    return np.asarray(graph.output_nodes[0].type.decode(values), dtype=np.float64)


def judge(
    prototype: Prototype,
    reference: Reference,
    data: Dataset,
    metric: Metric,
    config: Config,
    *,
    confidence: float,
    seed: int,
) -> Judged:
    """Measure cost and loss. Raises ModelError for a network that has no live bit left."""
    cost = measure_cost(prototype.graph, config)
    changes = [
        compare_metric(
            metric,
            before,
            graph_scores(prototype.graph, events),
            labels,
            confidence=confidence,
            seed=seed,
        )
        for before, events, labels in (
            (reference.validation, data.x_validation, data.y_validation),
            (reference.test, data.x_test, data.y_test),
        )
    ]
    return Judged(prototype, cost, changes[0], changes[1])


def to_point(judged: Judged, model: str, trial: int | None = None) -> Point:
    """The judged prototype as a point of a frontier. model: path relative to its folder."""
    prototype, cost, test = judged.prototype, judged.cost, judged.test
    return Point(
        name=prototype.name,
        lut=cost.lut,
        latency_cycles=cost.latency_cycles,
        latency_ns=cost.latency_ns,
        metric=test.candidate.value,
        metric_low=test.candidate.low,
        metric_high=test.candidate.high,
        reference=test.reference.value,
        change_low=test.change.low,
        change_high=test.change.high,
        parameters=_nonzero(prototype.graph),
        ebops=prototype.ebops,
        model=model,
        trial=trial,
        origin=prototype.origin,
        details={
            **prototype.details,
            "validation": judged.validation.candidate.value,
            "validation_change": judged.validation.change.value,
            "lut_binary_adders": cost.lut_binary_adders,
            "ff": cost.ff,
            "graph": prototype.graph.digest,
        },
    )


def _nonzero(graph: FixedGraph) -> int:
    """Weights and biases that are not zero; a bias that every position shares counts once."""
    total = 0
    for node in graph.nodes:
        if isinstance(node.operation, Dense | EinsumDense):
            bias = node.operation.bias
            shared = bias.ndim == 3 and bool((bias == bias[:, :1]).all())
            total += int(np.count_nonzero(node.operation.weight))
            total += int(np.count_nonzero(bias[:, :1] if shared else bias))
    return total
