"""Streamed tops in simulators: framing, borders, gaps, resets, and faults that must be found."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.lower.stream.networks import chain, edges_and_nodes, residual, strided, u_net
from trigger_ml.artifacts import CosimRun, RtlProject
from trigger_ml.config import load_config
from trigger_ml.errors import ToolFailedError
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.types import Codes
from trigger_ml.lower.stream.plan import plan
from trigger_ml.lower.stream.write import trace_stream, write_stream
from trigger_ml.simulate.rtl import Stress, cosimulate, simulator

STRESS = Stress(events=8, gap=0.3, resets=3)


def written(graph: FixedGraph, lanes: int, folder: Path, flag_bits: int = 0) -> RtlProject:
    config = load_config(None, {"firmware.flag_bits": flag_bits})
    logic = trace_stream(plan(graph, lanes), config.target, config.firmware)
    return write_stream(logic, config.target, "chamber", folder / "rtl")


def corner_images(graph: FixedGraph, count: int = 14) -> Codes:
    """Empty, full, a pixel in every corner, alternating; then draws."""
    height, width, channels = graph.input_nodes[0].shape
    rows = (np.random.default_rng(3).random((count, height, width, channels)) < 0.4).astype(
        np.int64
    )
    rows[:7] = 0
    rows[1] = 1
    rows[2, 0, 0], rows[3, 0, -1], rows[4, -1, 0], rows[5, -1, -1] = 1, 1, 1, 1
    rows[6, :, ::2] = 1
    return rows.reshape(count, -1)


def simulate(
    project: RtlProject, graph: FixedGraph, folder: Path, name: str = "icarus"
) -> tuple[CosimRun, Codes]:
    codes = corner_images(graph)
    expected = evaluate(graph, codes)
    assert len(np.unique(expected)) > 4
    run = cosimulate(
        project,
        codes,
        expected=expected,
        input_types=graph.input_types,
        output_types=graph.output_types,
        simulator=simulator(name),
        work=folder / "work",
        stress=STRESS,
    )
    return run, expected


@pytest.mark.parametrize(
    ("graph", "lanes", "groups"),
    [
        (chain(1, (3, 29, 2)), 7, 5),
        (chain(2, (3, 28, 2)), 7, 4),
        (chain(3, (2, 12, 2)), 12, 1),
        (chain(4, (2, 12, 2)), 1, 12),
        (chain(5, (2, 5, 2)), 2, 3),
        (u_net(6, (4, 16, 2)), 4, 4),
        (u_net(7, (4, 18, 2)), 4, 5),
        (strided(5, (2, 33, 2)), 12, 3),
        (residual(8, (2, 10, 2)), 2, 5),
        (edges_and_nodes(18, 1, 0), 1, 1),
        (edges_and_nodes(18, 5, 1), 2, 3),
    ],
    ids=[
        "odd",
        "even",
        "one group",
        "one column",
        "narrow",
        "u-net",
        "u-net odd",
        "strided",
        "joins",
        "graph at once",
        "graph in columns",
    ],
)
def test_back_to_back_gaps_and_resets(
    graph: FixedGraph, lanes: int, groups: int, tmp_path: Path
) -> None:
    project = written(graph, lanes, tmp_path)
    run, expected = simulate(project, graph, tmp_path)
    assert np.array_equal(run.run.codes, expected)
    assert run.ii_cycles == groups
    assert run.latency_cycles == project.latency_cycles


def test_verilator_shares_a_kernel_between_its_instances(tmp_path: Path) -> None:
    graph = chain(1, (3, 29, 2))
    project = written(graph, 7, tmp_path)
    run, expected = simulate(project, graph, tmp_path, "verilator")
    assert np.array_equal(run.run.codes, expected)
    objects = sorted(path.stem for path in (tmp_path / "work").glob("*.o"))
    assert sum(name.startswith("Vchamber_kernel0") for name in objects) == 1


@pytest.mark.parametrize(
    ("lanes", "file", "before", "after"),
    [
        (7, "chamber.v", r"~\(kernel1_first\[\d\]\)", "1'b1"),
        (7, "chamber.v", r"~\(kernel1_last\[\d\]\)", "1'b1"),
        (2, "chamber.v", r"step_at\[\d+\]\), \.columns\(s1\)", "1'b1), .columns(s1)"),
        (7, "trigger_ml_stream_frame.v", r"take \| empty;", "take;"),
        (7, "trigger_ml_stream_frame.v", r"in_start \| started\)", "1'b1)"),
    ],
    ids=["left border", "right border", "window moves in a gap", "no empty steps", "no framing"],
)
def test_faults_are_found(lanes: int, file: str, before: str, after: str, tmp_path: Path) -> None:
    graph = chain(2, (3, 28, 2))
    project = written(graph, lanes, tmp_path)
    path = project.directory / file
    text, count = re.subn(before, after, path.read_text(encoding="utf-8"))
    assert count
    path.write_text(text, encoding="utf-8")
    try:
        run, expected = simulate(project, graph, tmp_path)
    except ToolFailedError:
        return
    assert not np.array_equal(run.run.codes, expected)


def test_a_wrong_latency_is_found(tmp_path: Path) -> None:
    graph = chain(2, (3, 28, 2))
    project = replace(written(graph, 7, tmp_path), latency_cycles=3)
    with pytest.raises(ToolFailedError, match="states a latency of 3 clocks and takes"):
        simulate(project, graph, tmp_path)


@pytest.mark.parametrize(
    ("graph", "lanes", "bits"),
    [(chain(1, (3, 29, 2)), 7, 2), (chain(3, (2, 12, 2)), 12, 1), (chain(4, (2, 12, 2)), 1, 8)],
    ids=["two", "one group", "one column"],
)
def test_flags_leave_with_their_image(
    graph: FixedGraph, lanes: int, bits: int, tmp_path: Path
) -> None:
    project = written(graph, lanes, tmp_path, bits)
    text = (project.directory / "chamber.v").read_text(encoding="utf-8")
    assert f"input  wire [{bits - 1}:0] in_flags," in text
    assert f"output wire [{bits - 1}:0] out_flags," in text
    for name in ("icarus", "verilator") if bits == 1 else ("icarus",):
        run, expected = simulate(project, graph, tmp_path / name, name)
        assert np.array_equal(run.run.codes, expected)


def test_without_flags_there_are_no_such_ports(tmp_path: Path) -> None:
    project = written(chain(1, (3, 29, 2)), 7, tmp_path)
    assert project.stream is not None and project.stream.flag_bits == 0
    assert "flags" not in (project.directory / "chamber.v").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            r"assign out_flags = (bx_window\[\d+:12\]);",
            r"reg [1:0] later; always @(posedge clk) later <= \1; assign out_flags = later;",
            # The first image's are not there yet; the register before it knows no reset.
            "out_flags is XX at clock",
        ),
        (r"(out_flags = bx_window)\[13:12\]", r"\1[27:26]", r"group 4 .*with flags"),
        (r"assign out_flags = bx_window\[13:12\]", "assign out_flags = in_flags", "with flags"),
        (r"bx <= \{in_flags, in_bx\}", "bx <= {in_flags[0], in_flags[1], in_bx}", "with flags"),
        (r"if \(in_valid & in_start\) bx", "if (in_valid) bx", "came out as crossing"),
    ],
    ids=["a clock late", "a step early", "not kept", "swapped", "taken with any group"],
)
def test_wrong_flags_are_found(before: str, after: str, said: str, tmp_path: Path) -> None:
    graph = chain(1, (3, 29, 2))
    project = written(graph, 7, tmp_path, 2)
    path = project.directory / "chamber.v"
    text, count = re.subn(before, after, path.read_text(encoding="utf-8"))
    assert count == 1
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ToolFailedError, match=said):
        simulate(project, graph, tmp_path)
