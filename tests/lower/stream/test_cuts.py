"""Cuts on products with a bit, in front of the products."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.lower.stream.networks import BIT, LOGIT, Sketch
from trigger_ml.config import Config
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph, Multiply, Node, Relu, Threshold
from trigger_ml.graph.tail import with_threshold
from trigger_ml.graph.types import FixedType, Overflow, Rounding
from trigger_ml.lower.stream.cuts import cut_before_product
from trigger_ml.lower.stream.plan import plan
from trigger_ml.lower.stream.write import trace_stream

FLAG = FixedType(1, 1, False, Rounding.RND_CONV, Overflow.SAT)


def gated(seed: int, *, flag: FixedType = FLAG, product: FixedType | None = None) -> FixedGraph:
    """Logits times "the sum around here is at least one half"."""
    net = Sketch(seed)
    hits = net.input((4, 24, 3))
    logits = net.conv("c2", net.conv("c1", hits, (3, 3), 2), (1, 5), 1, relu=False)
    shape = net.shape(logits)
    net.conv("sum", hits, (1, 1), 1, relu=False)
    net.add("any", Relu(), ("sum",), shape, flag)
    kind = product or FixedType(LOGIT.width + 1, LOGIT.integer + 1)
    order = (logits, "any") if seed % 2 else ("any", logits)
    net.add("product", Multiply(), order, shape, kind)
    return FixedGraph("gated", tuple(net.nodes), ("product",))


def images(graph: FixedGraph, count: int) -> np.ndarray:
    shape = (count, graph.input_size)
    return (np.random.default_rng(2).random(shape) < 0.3).astype(np.int64)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("threshold", [2.0**-6, 0.4, 1.0])
def test_the_mask_is_the_same(seed: int, threshold: float) -> None:
    graph = with_threshold(gated(seed), threshold)
    changed = cut_before_product(graph)
    kinds = {node.name: type(node.operation) for node in changed.nodes}
    assert (kinds["product"], kinds["threshold"]) == (Threshold, Multiply)
    assert changed.outputs == graph.outputs
    assert changed.output_nodes[0].type == graph.output_nodes[0].type
    codes = images(graph, 20)
    mask = evaluate(graph, codes)
    assert 0 < mask.mean() < 1
    assert np.array_equal(evaluate(changed, codes), mask)


def test_the_kernel_of_the_logits_leaves_bits() -> None:
    config, graph = Config(), with_threshold(gated(1), 0.25)
    logic = trace_stream(plan(graph, 4), config.target, config.firmware)
    kernels = {part.name: part for part in logic.plan.kernels}
    assert list(kernels) == ["c1", "c2", "sum", "threshold"]
    assert kernels["c2"].output.kind.width == 1
    codes = images(graph, 4)
    assert np.array_equal(logic.predict(codes), evaluate(graph, codes))


def read_twice() -> FixedGraph:
    graph = with_threshold(gated(1), 0.25)
    last = graph.output_nodes[0]
    again = Node("again", last.operation, last.inputs, last.shape, last.type)
    both = Node("both", Multiply(), (last.name, "again"), last.shape, BIT)
    return FixedGraph("gated", (*graph.nodes, again, both), ("both",))


@pytest.mark.parametrize(
    "graph",
    [
        with_threshold(gated(1), 0.0),
        with_threshold(gated(1), -0.5),
        with_threshold(gated(1, flag=replace(FLAG, width=2)), 0.25),
        with_threshold(gated(1, flag=replace(FLAG, integer=2)), 0.25),
        with_threshold(gated(1, product=FixedType(LOGIT.width, LOGIT.integer + 1)), 0.25),
        with_threshold(gated(1, product=FixedType(LOGIT.width - 1, LOGIT.integer - 1)), 0.25),
        with_threshold(gated(1, product=replace(LOGIT, signed=False)), 0.25),
        read_twice(),
    ],
    ids=["zero", "below", "two bits", "worth two", "coarser", "narrower", "unsigned", "read twice"],
)
def test_what_is_not_the_same_stays(graph: FixedGraph) -> None:
    assert cut_before_product(graph) is graph
