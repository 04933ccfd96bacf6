"""Post-training compression: fixed point, pruning and fewer signed digits, without training.

Every candidate minimizes divergence + price x LUTs for its price (:mod:`.surgery`). The search
starts with wide types, finds the price at which the metric gives way, takes bits off the edges
while that pays at this price, and closes in on the price again. A rough count of LUTs orders the
candidates; what is returned was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.fixed_point.candidates import Calibration, Candidate, Choice
from trigger_ml.compress.fixed_point.curvature import divergence, is_binary
from trigger_ml.compress.fixed_point.layer_types import LayerTypes, activation_type
from trigger_ml.compress.fixed_point.ranges import LayerRange, choose_ranges
from trigger_ml.compress.judging import graph_scores
from trigger_ml.compress.metrics.find import Metric, MetricChange, compare_metric, not_worse
from trigger_ml.compress.networks.network import FloatNetwork
from trigger_ml.compress.objective import Cost, measure_cost
from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.types import FixedType
from trigger_ml.progress import Listener, Quiet, Stopwatch

__all__ = ["Goal", "Measured", "PostTrained", "SearchStep", "compress_after_training"]

CALIBRATION_EVENTS: Final = 6144
"""Training events that curvatures come from; as many again judge the widths."""
RANGE_EVENTS: Final = 50_000
START_FRACTION: Final = 6
"""Fraction bits behind every layer to begin with."""
FIRST_PRICE: Final = 1e-7
"""In nats a LUT: a network of 10,000 LUTs gives 0.001 nats away for all of them."""
PRICE_FACTOR: Final = 4.0
PRICE_STEPS: Final = 14
ROUNDS: Final = 2
HALVINGS: Final = 5
MEASURED: Final = 4
"""Candidates that are traced; their rough order is right within some percent."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What may be lost: the metric may be worse by the tolerance, at this confidence."""

    metric: Metric
    tolerance: float
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class SearchStep:
    """One accepted step of the search.

    divergence: from the float network, in nats an event, on training events. lut: the rough
    count. change: of the metric on validation events, None where it was not looked at.
    """

    what: str
    price: float
    divergence: float
    lut: float
    change: MetricChange | None


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A candidate that keeps the goal, traced.

    network: weights on their grids. change: of the metric on validation events, against the
    network that was given.
    """

    network: FloatNetwork
    types: LayerTypes
    graph: FixedGraph
    cost: Cost
    change: MetricChange


@dataclass(frozen=True, slots=True, eq=False)
class PostTrained:
    """What a search found.

    measured: candidates that keep the goal, the fewest LUTs first; at least one. ranges: of the
    layers whose outputs are cast, by layer. seconds: in all.
    """

    measured: tuple[Measured, ...]
    ranges: dict[str, LayerRange]
    steps: tuple[SearchStep, ...]
    seconds: float

    @property
    def network(self) -> FloatNetwork:
        """Of the candidate with the fewest LUTs."""
        return self.measured[0].network

    @property
    def types(self) -> LayerTypes:
        """Of the candidate with the fewest LUTs."""
        return self.measured[0].types

    @property
    def graph(self) -> FixedGraph:
        """Of the candidate with the fewest LUTs."""
        return self.measured[0].graph


def compress_after_training(
    network: FloatNetwork,
    dataset: Dataset,
    goal: Goal,
    config: Config,
    input_type: FixedType,
    *,
    overflow: float = 1e-4,
    events: int = 30_000,
    reference: NDArray[np.float64] | None = None,
    listener: Listener | None = None,
) -> PostTrained:
    """Find the candidate with the fewest LUTs whose metric keeps the goal.

    input_type: of the inputs; it stays as it is. overflow: largest probability that an element
    behind a hidden layer saturates, to begin with. events: validation events, at most.
    reference: logits of the validation events that the metric is held to, shape (events,
    outputs); the network's own when None.
    Raises ConfigError where not even the widest types keep the goal, DataError for too few
    events.
    """
    watch = Stopwatch(listener or Quiet())
    with (
        threadpool_limits(1, "blas"),
        watch.stage("post_training", "post-training search") as stage,
    ):
        search = _Search(network, dataset, goal, input_type, overflow, events, reference)
        for done, total in search.run():
            stage.moved(done, total)
        measured = search.measured(config)
        change = measured[0].change
        stage.note = f"{measured[0].cost.lut:,.0f} LUT, {change.metric} {change.change.value:+.4f}"
    return PostTrained(measured, search.ranges, tuple(search.steps), watch.total)


class _Search:
    """The state of one search."""

    def __init__(
        self,
        network: FloatNetwork,
        dataset: Dataset,
        goal: Goal,
        input_type: FixedType,
        overflow: float,
        events: int,
        reference: NDArray[np.float64] | None,
    ) -> None:
        self._goal = goal
        self._binary = is_binary(network)
        train = dataset.x_train
        self._calibration = Calibration(network, train[:CALIBRATION_EVENTS], input_type)
        behind = train[CALIBRATION_EVENTS : 2 * CALIBRATION_EVENTS]
        # A small sample has to serve for both; the metric is judged on other events anyway.
        self._judge = behind if len(behind) >= CALIBRATION_EVENTS // 2 else train
        self._judge_logits = network.logits(self._judge)
        self._values, self._labels = dataset.x_validation[:events], dataset.y_validation[:events]
        self._reference = network.logits(self._values) if reference is None else reference[:events]
        hidden = [layer for layer in network.dense if layer is not network.layers[-1]]
        names = [layer.name for layer in hidden]
        self.ranges = choose_ranges(network, train[:RANGE_EVENTS], input_type, overflow, names)
        activations = {}
        for layer in hidden:
            relu, integer = layer.activation == "relu", self.ranges[layer.name].integer
            integer += int(not relu and not self.ranges[layer.name].signed)
            activations[layer.name] = activation_type(integer + START_FRACTION, integer, relu=relu)
        self._choice = Choice(FIRST_PRICE, input_type, activations)
        self._passed: dict[float, tuple[Candidate, MetricChange]] = {}
        self.steps: list[SearchStep] = []

    def run(self) -> Iterator[tuple[int, int]]:
        """Search; yields (done, all) after every part."""
        total = 2 + 2 * ROUNDS
        low, high = self._bracket()
        yield 1, total
        for number in range(ROUNDS):
            self._narrow(replace(self._choice, price=low))
            yield 2 + 2 * number, total
            # New widths move the price at which the goal is just kept, either way.
            if number > 0:
                low, high = low / PRICE_FACTOR, low * PRICE_FACTOR
            low, high = self._close_in(low, high)
            yield 3 + 2 * number, total

    def measured(self, config: Config) -> tuple[Measured, ...]:
        """The candidates with the fewest LUTs among those that kept the goal, traced."""
        ordered = sorted(self._passed.values(), key=lambda item: item[0].lut)[:MEASURED]
        found = []
        for item, change in ordered:
            cost = measure_cost(item.graph, config)
            found.append(Measured(item.network, item.types, item.graph, cost, change))
        return tuple(sorted(found, key=lambda item: item.cost.lut))

    def _bracket(self) -> tuple[float, float]:
        """The highest price on a coarse scale that keeps the goal, and the next."""
        price = FIRST_PRICE
        found = self._try("wide types", replace(self._choice, price=price))
        if found is not None:
            raise ConfigError(
                Blocker(
                    "goal.tolerance",
                    f"with the widest types {found.metric} changes by {found.change.value:+.5f} "
                    f"(lower bound {found.lower_bound:+.5f}), and -{self._goal.tolerance:g} is "
                    "allowed",
                    "allow more, give more validation events, or a finer input type",
                )
            )
        for _ in range(PRICE_STEPS):
            failed = self._try("price", replace(self._choice, price=price * PRICE_FACTOR))
            if failed is not None:
                break
            price *= PRICE_FACTOR
        return price, price * PRICE_FACTOR

    def _close_in(self, low: float, high: float) -> tuple[float, float]:
        """Halve the gap, on a logarithmic scale, between a price that is kept and one not."""
        for _ in range(HALVINGS):
            middle = float(np.sqrt(low * high))
            if self._try("price", replace(self._choice, price=middle)) is None:
                low = middle
            else:
                high = middle
        return low, high

    def _narrow(self, choice: Choice) -> None:
        """Take bits off, edge by edge, as long as that lowers divergence + price x LUTs."""
        best = self._value(choice)
        improved = True
        while improved:
            improved = False
            for layer in choice.activations:
                for fraction, integer in ((1, 0), (0, 1)):
                    while (narrower := choice.narrowed(layer, fraction, integer)) is not None:
                        value = self._value(narrower)
                        if value[0] >= best[0]:
                            break
                        choice, best, improved = narrower, value, True
                        what = f"{layer}: {choice.activations[layer]}"
                        self.steps.append(SearchStep(what, choice.price, *value[1:], None))
        self._choice = choice

    def _candidate(self, choice: Choice) -> Candidate:
        return self._calibration.settled(self._calibration.candidate(choice))

    def _value(self, choice: Choice) -> tuple[float, float, float]:
        """What is minimized, and the divergence and LUTs in it."""
        candidate = self._candidate(choice)
        logits = graph_scores(candidate.graph, self._judge)
        lost = divergence(self._judge_logits, logits, binary=self._binary)
        return lost + choice.price * candidate.lut, lost, candidate.lut

    def _try(self, what: str, choice: Choice) -> MetricChange | None:
        """Judge a candidate by the metric and keep it; the change where it is too much."""
        candidate = self._candidate(choice)
        logits = graph_scores(candidate.graph, self._values)
        change = compare_metric(
            self._goal.metric,
            self._reference,
            logits,
            self._labels,
            confidence=self._goal.confidence,
        )
        if not not_worse(change, self._goal.tolerance):
            return change
        lost = divergence(self._reference, logits, binary=self._binary)
        self.steps.append(SearchStep(what, choice.price, lost, candidate.lut, change))
        self._passed[candidate.lut] = candidate, change
        return None
