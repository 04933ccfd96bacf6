"""Realistic inputs of a report: the pruned 6-bit jet tagger 16-64-32-32-5 on a VU13P."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trigger_ml.artifacts import (
    CosimRun,
    Hdl,
    Resources,
    RtlProject,
    Run,
    Segment,
    SourceModel,
    Synthesis,
    Vectors,
    Verdict,
)
from trigger_ml.check.divergence import Divergence
from trigger_ml.check.physics import compare
from trigger_ml.config import Config
from trigger_ml.graph.interpreter import trace_edges
from trigger_ml.graph.model import Dense, FixedGraph, Input, Node, Relu
from trigger_ml.graph.types import FixedType, Overflow, Rounding
from trigger_ml.report.build import build_report
from trigger_ml.report.inputs import ReportInputs
from trigger_ml.report.ranges import ObservedRange
from trigger_ml.report.schema import Report
from trigger_ml.report.sections import Device
from trigger_ml.report.trace_sections import Span

CLASSES = ("gluon", "quark", "W", "Z", "top")
SIZES = (16, 64, 32, 32, 5)
STAGES = 23
EVENTS = 3000
VU13P = Device.of(
    "VU13P",
    4,
    Resources(lut=1_728_000, ff=3_456_000, dsp=12_288, bram36=2_688, carry8=216_000),
    Resources(lut=432_000, ff=864_000, dsp=3_072, bram36=672, carry8=54_000),
    "AMD DS890, UltraScale+ product table",
)


@cache
def demo_graph() -> FixedGraph:
    generator = np.random.default_rng(7)
    nodes = [Node("inputs", Input(), (), (16,), FixedType(16, 6), "inputs")]
    weight_type, data = FixedType(6, 1), FixedType(6, 2, False, Rounding.RND, Overflow.SAT)
    for index, (fan_in, fan_out) in enumerate(pairwise(SIZES), 1):
        weight = generator.integers(-20, 21, (fan_in, fan_out))
        weight *= generator.random((fan_in, fan_out)) < 0.25
        bias = generator.integers(-8, 9, fan_out)
        wide = FixedType(18 if index == 1 else 14, 8)
        dense = Dense(weight, weight_type, bias, weight_type, wide)
        name = f"fc{index}" if index < 4 else "output"
        nodes.append(Node(name, dense, (nodes[-1].name,), (fan_out,), wide, name))
        if index < 4:
            nodes.append(Node(f"relu{index}", Relu(), (name,), (fan_out,), data, f"relu{index}"))
    return FixedGraph("jet_tagger", tuple(nodes), ("output",))


@cache
def demo_vectors() -> tuple[Vectors, dict[str, ObservedRange], np.ndarray]:
    """Vectors, ranges of all nodes and the output codes."""
    graph = demo_graph()
    generator = np.random.default_rng(1)
    events = np.clip(generator.normal(0, 900, (EVENTS, 16)), -32768, 32767).astype(np.int64)
    corners = np.stack([np.full(16, value) for value in (-32768, 32767, -1, 0)] * 3)
    draws = generator.integers(-32768, 32768, (1000, 16))
    codes = np.concatenate([corners, events, draws])
    segments = (
        Segment("corner:types", 0, 8),
        Segment("corner:neurons", 8, 12),
        Segment("events", 12, 12 + EVENTS),
        Segment("random", 12 + EVENTS, 1012 + EVENTS),
    )
    labels = generator.integers(0, 5, EVENTS)
    edges = trace_edges(graph, events)
    kinds = {node.name: node.type for node in graph.nodes}
    ranges = {name: ObservedRange.of(edge, kinds[name]) for name, edge in edges.items()}
    outputs = trace_edges(graph, codes)["output"]
    return Vectors(codes, segments, 1, labels), ranges, outputs


@cache
def demo_physics() -> dict[str, Any]:
    generator = np.random.default_rng(4)
    labels = generator.integers(0, 5, 6000)
    logits = generator.normal(size=(6000, 5)) * (1.1, 1.3, 1.0, 0.9, 0.8)
    logits[np.arange(6000), labels] += 2.2
    quantized = np.round((logits + generator.normal(size=logits.shape) * 0.12) * 8) / 8
    return compare(logits, quantized, quantized, labels, CLASSES).to_json()


def demo_synthesis() -> tuple[Synthesis, ...]:
    by_layer = {
        name: Resources(lut=lut)
        for name, lut in {
            "inputs": 0.0,
            "fc1": 2310.0,
            "relu1": 96.0,
            "fc2": 1455.0,
            "relu2": 48.0,
            "fc3": 702.0,
            "relu3": 48.0,
            "output": 197.0,
        }.items()
    }
    return (
        Synthesis("cost_model", "alkaid 0.8.2", Resources(lut=4856.0), by_layer, {}, 1.2),
        Synthesis(
            "yosys",
            "yosys 0.53",
            Resources(lut=5142, ff=3112, dsp=0, bram36=0, carry8=679),
            {},
            {"family": "xcup"},
            33.0,
        ),
    )


def demo_timeline() -> tuple[Span, ...]:
    """As of a pipeline of STAGES clocks."""
    ends = {"fc1": 9.5, "fc2": 15.0, "fc3": 20.25, "output": float(STAGES)}
    starts = (1.0, *ends.values())
    return (
        Span(name="input register", kind="register", start_cycles=0, stop_cycles=1),
        *(
            Span(name=name, kind="layer", start_cycles=start, stop_cycles=stop, estimated=True)
            for (name, stop), start in zip(ends.items(), starts, strict=False)
        ),
    )


def demo_inputs() -> ReportInputs:
    """A build in which everything was measured and passed."""
    vectors, ranges, outputs = demo_vectors()
    generator = np.random.default_rng(2)
    delays = tuple(np.round(generator.uniform(1.12, 1.66, STAGES), 3).tolist())
    rtl = RtlProject(
        Path("rtl/verilog"), Hdl.VERILOG, "jet_tagger_top", "jet_tagger", (), STAGES, 256, 70,
        360.0, delays,
    )  # fmt: skip
    run = Run("rtl", outputs, 0.61)
    cosim = CosimRun(run, "Verilator", "5.048", Hdl.VERILOG, len(outputs), STAGES, 1, 97.0)
    icarus = CosimRun(
        Run("rtl-icarus", outputs[:100], 1.1), "Icarus", "11.0", Hdl.VERILOG, 100, STAGES, 1, 1.0
    )
    pairs = ("graph~source", "csim~graph", "rtl~graph", "rtl-icarus~graph")
    return ReportInputs(
        config=Config(),
        source=SourceModel(
            "jet_tagger.h5", "5b1f" * 16, "QKeras 0.9 .h5", 4389, 1183,
            (("fc1", "QDense"), ("relu1", "QActivation"), ("output", "QDense")),
            ("softmax",), {"QKeras": "0.9.0", "tf_keras": "2.21.0"},
        ),
        graph=demo_graph(),
        vectors=vectors,
        runs=tuple(Run(name, outputs, t) for name, t in
                   (("source", 2.3), ("graph", 0.7), ("csim", 13.0))),
        mismatches=dict.fromkeys(pairs, 0),
        verdicts=(
            Verdict("bits:source", True, "graph equals source on 4,012 of 4,012 events"),
            Verdict("bits:csim", True, "csim equals graph on 4,012 of 4,012 events"),
            Verdict("bits:rtl", True, "rtl equals graph on 4,012 of 4,012 events"),
            Verdict("latency", True, "63.9 ns of 100 ns"),
            Verdict("ii", True, "2.8 ns of 25 ns"),
            Verdict("resources", True, "0.30 % of the LUTs"),
        ),
        rtl=rtl,
        cosim=cosim,
        cross=(icarus,),
        synthesis=demo_synthesis(),
        device=VU13P,
        ranges=ranges,
        physics=demo_physics(),
        timeline=demo_timeline(),
        timing_s={
            "load": 11.8, "lower_hls": 3.1, "csim_build": 8.6, "csim": 13.0, "lower_rtl": 2.2,
            "rtl_build": 97.0, "rtl_sim": 0.6, "synth": 33.0, "total": 171.4,
        },
        versions={"trigger_ml": "0.1.0", "hls4ml": "1.3.0", "alkaid": "0.8.2", "cocotb": "2.1.0",
                  "numpy": "2.4.6", "Python": "3.11.7"},
        commands=("trigger-ml compile jet_tagger.h5 --data events.npz --out build/jet_tagger",),
        files={"graph.json": "ab12" * 16, "rtl/verilog/jet_tagger_top.v": "cd34" * 16,
               "hls/firmware/jet_tagger.cpp": "ef56" * 16},
        created_utc="2026-08-14T09:30:00Z",
    )  # fmt: skip


def failing_inputs() -> ReportInputs:
    """The same build with a wrong RTL, a late answer and no synthesis."""
    good = demo_inputs()
    assert good.cosim is not None
    config = Config.model_validate({"budget": {"latency_ns": 50.0}, "target": {"clock_mhz": 360.0}})
    return replace(
        good,
        config=config,
        mismatches={**good.mismatches, "rtl~graph": 37, "rtl-icarus~graph": None},
        cross=(),
        synthesis=good.synthesis[:1],
        first_divergence=Divergence(
            "rtl~graph",
            "fc2",
            17,
            2048,
            -120,
            -119,
            "fixed<14,8>",
            "rounding: every difference is one last bit; 37 of 4012 events differ here",
            "events",
        ).to_json(),
        verdicts=(
            *good.verdicts[:2],
            Verdict("bits:rtl", False, "rtl differs from graph on 37 of 4,012 events"),
            Verdict("latency", False, "63.9 ns, the budget is 50 ns"),
        ),
    )


@pytest.fixture
def inputs() -> ReportInputs:
    return demo_inputs()


@pytest.fixture
def failing() -> ReportInputs:
    return failing_inputs()


@pytest.fixture(scope="session")
def report() -> Report:
    return build_report(demo_inputs())


@pytest.fixture(scope="session")
def failed_report() -> Report:
    return build_report(failing_inputs())
