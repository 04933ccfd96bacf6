"""Edges of a small network by every witness, verdicts on them, and labels on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trigger_ml import records
from trigger_ml.artifacts import EdgeLabels, Run, Segment, Vectors
from trigger_ml.check.edge_results import EdgeComparison
from trigger_ml.check.equality import compare
from trigger_ml.config import load_config
from trigger_ml.design import Design, SourceCheck
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph, Input, Node, Relu
from trigger_ml.graph.tail import with_threshold
from trigger_ml.graph.types import FixedType
from trigger_ml.measure_edges import edge_decisions, judge_edges

IMAGES, GRID = 40, (9, 2)
LOGIT = FixedType(8, 4)


def network() -> FixedGraph:
    """Logits that are what came in, without what is below 0."""
    shape = (*GRID, 1)
    start = Node("edges", Input(), (), shape, LOGIT)
    return FixedGraph("net", (start, Node("logits", Relu(), ("edges",), shape, LOGIT)), ("logits",))


def designed(threshold: float = 2.0, output: str = "threshold", **labels: Any) -> Design:
    """A logit of exactly 2 on true edges, 1 on fakes but 3 on some; padding shouts."""
    rng = np.random.default_rng(2)
    candidates = rng.random((IMAGES, *GRID)) < 0.6
    true = candidates & (rng.random(candidates.shape) < 0.7)
    logits = np.where(true, 2, np.where(rng.random(true.shape) < 0.1, 3, 1))
    codes = np.where(candidates, logits, 7).reshape(IMAGES, -1) << 4
    corners = np.stack([np.full(18, -128), np.full(18, 127)])
    segments = (Segment("corner:types", 0, 2), Segment("events", 2, IMAGES + 2))
    edges = EdgeLabels(true, candidates, **labels)
    vectors = Vectors(np.concatenate([corners, codes]), segments, 1, edges=edges)
    config = load_config(None, {"firmware.output": output, "firmware.threshold": threshold})
    firmware = with_threshold(network(), threshold) if output == "threshold" else network()
    parts: dict[str, Any] = dict.fromkeys(("device", "hls", "logic"))
    scores = true.reshape(IMAGES, -1) * 4.0
    return Design(config, **parts, network=network(), firmware=firmware, rtl={}, vectors=vectors,
                  float_scores=scores, class_names=())  # fmt: skip


def checked(design: Design) -> tuple[SourceCheck, Run]:
    codes = evaluate(design.network, design.vectors.codes)
    run = Run("graph", codes, 0.0)
    logits = LOGIT.decode(codes).reshape(-1, *GRID, 1)
    comparison = compare(run, replace(run, witness="source"))
    source = SourceCheck(run, logits, None, run, comparison, None)
    return source, Run("graph", evaluate(design.firmware, design.vectors.codes), 0.0)


def judged(design: Design, graph: Run | None = None) -> EdgeComparison:
    source, run = checked(design)
    assert design.vectors.edges is not None
    return judge_edges(design, design.vectors.edges, source, graph or run)


@pytest.mark.parametrize("output", ["threshold", "logits"])
def test_every_witness_on_candidates_alone(output: str) -> None:
    design = designed(output=output)
    found = judged(design)
    labels = design.vectors.edges
    assert labels is not None
    rows, true = labels.candidates, int(labels.true.sum())
    assert [item.witness for item in found.witnesses] == ["float", "quantized", "firmware"]
    assert (found.candidates, found.true) == (rows.sum(), true)
    codes = design.vectors.codes[2:].reshape(rows.shape)
    loud = int((rows & (codes == 3 << 4)).sum())
    for item, fakes in zip(found.witnesses, (0, loud, loud), strict=True):
        purity, efficiency = item.figures.purity, item.figures.efficiency
        assert (purity.passed, purity.total) == (true, true + fakes)
        assert efficiency.value == 1.0
        assert item.figures.accuracy.passed == rows.sum() - fakes
    assert loud > 0
    areas = [item.roc.auc.value for item in found.witnesses if item.roc]
    assert areas[0] == 1.0 > areas[1] == areas[2]
    flips = found.flipped("quantized", "firmware")
    assert flips is not None and flips.edges.passed == 0


def test_the_float_model_may_have_a_threshold_of_its_own() -> None:
    found = judged(designed(float_threshold=4.5))
    float_, firmware = found.of("float"), found.of("firmware")
    assert float_ is not None and firmware is not None
    assert (float_.figures.threshold, float_.figures.efficiency.value) == (4.5, 0.0)
    assert (float_.best.threshold, float_.best.accuracy.value) == (4.0, 1.0)
    assert (firmware.figures.threshold, firmware.figures.efficiency.value) == (2.0, 1.0)


def flipped(design: Design, place: tuple[int, int]) -> Run:
    """The firmware's output with the first ``place[0]`` images inverted in one kind of slot."""
    assert design.vectors.edges is not None
    _, graph = checked(design)
    codes = graph.codes.copy()
    slots = design.vectors.edges.candidates[: place[0]].reshape(place[0], -1)
    codes[2 : 2 + place[0]] ^= (slots == place[1]).astype(codes.dtype)
    return Run("graph", codes, 0.0)


def test_firmware_that_keeps_other_edges_fails() -> None:
    design = designed()
    source, _ = checked(design)
    (verdict,) = edge_decisions(judged(design), source)
    assert (verdict.name, verdict.passed) == ("edges", True)
    assert verdict.message.startswith("0 of ")
    # Bits of padding are nobody's business.
    assert edge_decisions(judged(design, flipped(design, (5, 0))), source)[0].passed
    found = judged(design, flipped(design, (3, 1)))
    (verdict,) = edge_decisions(found, source)
    assert not verdict.passed
    assert design.vectors.edges is not None
    count = design.vectors.edges.candidates[:3].sum()
    assert verdict.message.startswith(f"{count} of {found.candidates} candidate edges are decided")
    other = replace(source.run, witness="source", codes=source.run.codes + 1)
    inexact = replace(source, comparison=compare(source.run, other))
    assert edge_decisions(found, inexact)[0].passed
    assert edge_decisions(None, source) == ()


def test_firmware_that_keeps_nothing_fails() -> None:
    design = designed(7.5)
    (verdict,) = edge_decisions(judged(design), checked(design)[0])
    assert not verdict.passed
    assert verdict.message == (
        f"the firmware keeps none of {judged(design).candidates} candidate edges at the "
        "threshold 7.5, so there is no purity; the best one is 2"
    )


@pytest.mark.parametrize("known", [True, False])
def test_edges_on_disk(tmp_path: Path, known: bool) -> None:
    shape = (IMAGES, *GRID)
    values = {
        "pt": np.where(np.random.default_rng(1).random(shape) < 0.5, np.nan, 7.5).astype("f4"),
        "flags": np.arange(IMAGES) % 4,
        "float_threshold": 0.25,
    }
    design = designed(**(values if known else {}))
    path = tmp_path / "vectors.npz"
    records._save_vectors(path, design, np.zeros((42, 18), np.int64))
    with np.load(path, allow_pickle=False) as file:
        read = records._vectors({name: file[name] for name in file.files})
    assert read.masks is None and read.labelled
    assert read.edges is not None and design.vectors.edges is not None
    for name in ("true", "candidates", "pt", "eta", "flags"):
        before, now = getattr(design.vectors.edges, name), getattr(read.edges, name)
        assert (before is None) == (now is None), name
        if before is not None:
            assert before.dtype == now.dtype
            np.testing.assert_array_equal(before, now)
    assert read.edges.float_threshold == design.vectors.edges.float_threshold
