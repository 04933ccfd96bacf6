"""The search: what it returns keeps the goal, computes what it says, and is far smaller."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.compress.small_networks import chain, labelled
from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.fixed_point.candidates import Calibration, Choice
from trigger_ml.compress.fixed_point.curvature import divergence
from trigger_ml.compress.fixed_point.layer_types import (
    DenseTypes,
    LayerTypes,
    activation_type,
    fixed_graph,
)
from trigger_ml.compress.fixed_point.post_training import Goal, PostTrained, compress_after_training
from trigger_ml.compress.judging import graph_scores
from trigger_ml.compress.metrics.find import compare_metric, find_metric, not_worse
from trigger_ml.compress.networks.network import FloatNetwork, GlobalAverage, read_network
from trigger_ml.compress.objective import measure_cost
from trigger_ml.config import Config
from trigger_ml.errors import ConfigError, DataError
from trigger_ml.graph.types import FixedType

GRID = FixedType.parse("fixed<6,3,RND_CONV,SAT>")
ACCURACY = find_metric("accuracy", ())
TAGGER = Path(__file__).parents[3] / "models" / "jet_tagger"


def search(network: FloatNetwork, data: Dataset, tolerance: float) -> PostTrained:
    goal = Goal(ACCURACY, tolerance)
    return compress_after_training(network, data, goal, Config(), GRID, overflow=1e-3)


@pytest.fixture(scope="module")
def small() -> tuple[FloatNetwork, Dataset, PostTrained]:
    network = chain((6, 12, 8, 3))
    data = labelled(network, GRID, 4000)
    return network, data, search(network, data, 0.02)


def uniform(network: FloatNetwork, bits: int) -> LayerTypes:
    weight = FixedType(bits, 3)
    act = activation_type(bits, 3, relu=True)
    return LayerTypes(
        GRID,
        {
            layer.name: DenseTypes(weight, weight, act if layer.activation == "relu" else None)
            for layer in network.dense
        },
    )


def test_the_goal_is_kept(small: tuple[FloatNetwork, Dataset, PostTrained]) -> None:
    network, data, found = small
    assert found.measured
    for item in found.measured:
        scores = graph_scores(item.graph, data.x_validation)
        change = compare_metric(
            ACCURACY, network.logits(data.x_validation), scores, data.y_validation
        )
        assert change == item.change and not_worse(change, 0.02)
        assert item.cost.lut == measure_cost(item.graph, Config()).lut
    luts = [item.cost.lut for item in found.measured]
    assert luts == sorted(luts) and found.graph is found.measured[0].graph
    fresh = graph_scores(found.graph, data.x_test)
    right = (fresh.argmax(1) == data.y_test).mean()
    reference = (network.logits(data.x_test).argmax(1) == data.y_test).mean()
    assert reference > 0.6 and right > reference - 0.03


def test_weights_are_on_their_grids(small: tuple[FloatNetwork, Dataset, PostTrained]) -> None:
    found = small[2]
    assert fixed_graph(found.network, found.types).digest == found.graph.digest
    for layer in found.network.dense:
        own = found.types.layers[layer.name]
        for values, kind in ((layer.kernel, own.weight), (layer.bias, own.bias)):
            assert np.array_equal(kind.decode(kind.encode(values)), values)
    assert found.network.nonzero < 0.8 * found.network.parameters


def test_it_is_smaller_than_equal_widths(
    small: tuple[FloatNetwork, Dataset, PostTrained],
) -> None:
    """The best of plain rounding to equal widths that keeps the same goal."""
    network, data, found = small
    reference = network.logits(data.x_validation)
    for bits in range(5, 12):
        graph = fixed_graph(network, uniform(network, bits))
        scores = graph_scores(graph, data.x_validation)
        change = compare_metric(ACCURACY, reference, scores, data.y_validation)
        if not_worse(change, 0.02):
            break
    else:
        pytest.fail("no width keeps the goal")
    assert found.measured[0].cost.lut < 0.6 * measure_cost(graph, Config()).lut


def test_the_trace_tells_every_step(small: tuple[FloatNetwork, Dataset, PostTrained]) -> None:
    found = small[2]
    judged = [step for step in found.steps if step.change is not None]
    assert judged[0].what == "wide types" and judged[0].lut == max(s.lut for s in judged)
    assert all(not_worse(step.change, 0.02) for step in judged if step.change)
    assert set(found.ranges) == {"fc0", "fc1"}
    first = found.types.layers["fc0"].activation
    assert first is not None and first.integer <= found.ranges["fc0"].integer


def test_a_tolerance_out_of_reach_is_told() -> None:
    network = chain((6, 12, 8, 3))
    data = labelled(network, GRID, 400)
    coarse = FixedType.parse("fixed<2,2,RND_CONV,SAT>")
    with pytest.raises(ConfigError, match="with the widest types accuracy changes by "):
        compress_after_training(
            network, data, Goal(ACCURACY, 1e-4), Config(), coarse, overflow=1e-2
        )


def test_too_few_events_for_the_overflow_are_told() -> None:
    network = chain((6, 12, 8, 3))
    data = labelled(network, GRID, 400)
    with pytest.raises(DataError, match="cannot show an overflow probability of 1e-06"):
        compress_after_training(network, data, Goal(ACCURACY, 0.1), Config(), GRID, overflow=1e-6)


def test_the_metric_may_be_held_to_another_network() -> None:
    network = chain((6, 12, 8, 3))
    data = labelled(network, GRID, 1500)
    perfect = 10.0 * np.eye(3)[data.y_validation]
    with pytest.raises(ConfigError, match="with the widest types"):
        compress_after_training(
            network, data, Goal(ACCURACY, 0.02), Config(), GRID, overflow=1e-2, reference=perfect
        )


def test_a_set_network() -> None:
    network = chain((3, 6, 5, 2), particles=4)
    data = labelled(network, GRID, 1500)
    found = search(network, data, 0.05)
    assert any(isinstance(layer, GlobalAverage) for layer in found.network.layers)
    scores = graph_scores(found.graph, data.x_test)
    assert (scores.argmax(1) == network.logits(data.x_test).argmax(1)).mean() > 0.8


@pytest.mark.slow
def test_the_jet_tagger() -> None:
    """From 30,000 LUTs at 8 bits to a quarter, within a point of accuracy."""
    network = read_network(TAGGER / "float_baseline.h5")
    events = np.load(TAGGER / "events.npz")
    x, y = events["x"], events["y"].astype(np.int64)
    data = Dataset(
        x[:5000], y[:5000], x[5000:], y[5000:], x[:10], y[:10], classes=(), source="", digest=""
    )
    grid = replace(GRID, width=8, integer=2)
    goal = Goal(ACCURACY, 0.015)
    found = compress_after_training(network, data, goal, Config(), grid, overflow=1e-3)
    assert found.measured[0].cost.lut < 7500
    assert found.seconds < 600


def test_settled_biases_bring_it_nearer() -> None:
    network = chain((6, 12, 8, 3))
    data = labelled(network, GRID, 4000)
    calibration = Calibration(network, data.x_train, GRID)
    act = activation_type(5, 2, relu=True)
    candidate = calibration.candidate(Choice(3e-5, GRID, {"fc0": act, "fc1": act}))
    settled = calibration.settled(candidate)
    reference = network.logits(data.x_test)
    before, after = (
        divergence(reference, graph_scores(item.graph, data.x_test), binary=False)
        for item in (candidate, settled)
    )
    assert after < 0.95 * before
    for old, new in zip(candidate.network.dense, settled.network.dense, strict=True):
        assert np.array_equal(old.kernel, new.kernel)
        kind = settled.types.layers[new.name].bias
        assert np.array_equal(kind.decode(kind.encode(new.bias)), new.bias)
        assert kind.fraction <= (act.fraction + 2 if new.name != "fc2" else 8)
