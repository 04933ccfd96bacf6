"""Streamed tops of layers that are not convolutions alone, with gaps and resets."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.lower.stream.layer_networks import elementwise, narrowed, pools, rims, strides
from tests.simulate.test_stream import simulate, written
from trigger_ml.errors import ToolFailedError
from trigger_ml.graph.model import FixedGraph


@pytest.mark.parametrize(
    ("graph", "lanes", "groups"),
    [
        (elementwise(7, (2, 7, 2)), 2, 4),
        (strides(9, (4, 17, 2)), 4, 5),
        (strides(9, (3, 10, 2)), 12, 1),
        (pools(11, (5, 19, 2)), 4, 5),
        (rims(4, (3, 17, 2)), 4, 5),
        (narrowed(7, (2, 14, 2)), 2, 7),
        (narrowed(7, (2, 14, 2)), 1, 14),
    ],
    ids=["elementwise", "strides", "strides at once", "pools", "rims", "narrowed", "one column"],
)
def test_back_to_back_gaps_and_resets(
    graph: FixedGraph, lanes: int, groups: int, tmp_path: Path
) -> None:
    project = written(graph, lanes, tmp_path)
    run, expected = simulate(project, graph, tmp_path)
    assert np.array_equal(run.run.codes, expected)
    assert run.ii_cycles == groups
    assert run.latency_cycles == project.latency_cycles


@pytest.mark.parametrize(
    ("graph", "lanes", "before", "after"),
    [
        (narrowed(7, (2, 14, 2)), 2, r" & ~\{\d+\{out_last\[\d+\]\}\}", ""),
        (narrowed(7, (2, 14, 2)), 2, r"(kernel2_first\[\d+\]) & ~\|kernel2_first\[\d+:0\]", "1'b0"),
        (narrowed(7, (2, 14, 2)), 2, r"(kernel2_first\[\d+\]) & ~\|kernel2_first\[\d+:0\]", r"\1"),
        (strides(9, (4, 17, 2)), 4, r"~\(kernel0_first\[(\d+)\]\)", "1'b1"),
    ],
    ids=["columns beyond", "border before the last group", "border of another image", "stride"],
)
@pytest.mark.slow
def test_faults_are_found(
    graph: FixedGraph, lanes: int, before: str, after: str, tmp_path: Path
) -> None:
    project = written(graph, lanes, tmp_path)
    path = project.directory / "chamber.v"
    text, count = re.subn(before, after, path.read_text(encoding="utf-8"))
    assert count
    path.write_text(text, encoding="utf-8")
    try:
        run, expected = simulate(project, graph, tmp_path)
    except ToolFailedError:
        return
    assert not np.array_equal(run.run.codes, expected)
