"""Masks of the witnesses of a design, at one threshold, and their way to disk and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trigger_ml import records
from trigger_ml.artifacts import MaskLabels, Run, Segment, Vectors
from trigger_ml.check.equality import compare
from trigger_ml.check.masks import MaskComparison
from trigger_ml.config import load_config
from trigger_ml.design import Design, SourceCheck
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph, Input, Node, Relu
from trigger_ml.graph.tail import with_threshold
from trigger_ml.graph.types import FixedType
from trigger_ml.measure_masks import judge_masks, mask_decisions, mask_grid

IMAGES, GRID = 40, (3, 12)
LOGIT = FixedType(8, 4)


def network(shape: tuple[int, ...] = (*GRID, 1)) -> FixedGraph:
    """Logits that are what came in, without what is below 0."""
    start = Node("hits", Input(), (), shape, LOGIT)
    return FixedGraph("net", (start, Node("logits", Relu(), ("hits",), shape, LOGIT)), ("logits",))


def designed(threshold: float, output: str = "threshold", **labels: Any) -> Design:
    """Images behind two corners: a logit of exactly 2 in the true cells, a few of 3 elsewhere."""
    rng = np.random.default_rng(2)
    true = np.zeros((IMAGES, *GRID), bool)
    true[np.arange(30), rng.integers(0, 3, 30), rng.integers(0, 12, 30)] = True
    codes = true.reshape(IMAGES, -1) * (2 << 4) + (rng.random((IMAGES, 36)) < 0.01) * (3 << 4)
    corners = np.stack([np.full(36, -128), np.full(36, 127)])
    segments = (Segment("corner:types", 0, 2), Segment("events", 2, IMAGES + 2))
    masks = MaskLabels(true, **labels)
    vectors = Vectors(np.concatenate([corners, codes]), segments, 1, None, masks)
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


def judged(design: Design) -> MaskComparison:
    source, graph = checked(design)
    assert design.vectors.masks is not None
    return judge_masks(design, design.vectors.masks, source, graph)


def test_only_one_logit_for_each_cell_is_a_mask() -> None:
    assert mask_grid(network()) == GRID
    assert mask_grid(network((*GRID, 2))) is None
    assert mask_grid(network((5,))) is None


@pytest.mark.parametrize("output", ["threshold", "logits"])
@pytest.mark.parametrize(("threshold", "matched"), [(2.0, 30), (2.0625, 0)])
def test_a_logit_at_the_threshold_is_marked(output: str, threshold: float, matched: int) -> None:
    found = judged(designed(threshold, output))
    names = [row.witness for row in found.witnesses]
    assert names == ["float", "quantized", "firmware"]
    counts = [row.figures.efficiency.passed for row in found.witnesses]
    assert counts[0] == 30
    assert counts[1:] == [pytest.approx(matched, abs=2)] * 2
    flips = found.flipped("quantized", "firmware")
    assert flips is not None and flips.cells == 0
    assert found.threshold == found.float_threshold == threshold


def test_every_witness_is_cut_where_the_firmware_cuts() -> None:
    found = judged(designed(2.0 + 1e-9))
    assert found.threshold == 2.0
    assert [row.figures.efficiency.passed for row in found.witnesses] == [30] * 3


def test_the_float_model_may_have_a_threshold_of_its_own() -> None:
    found = judged(designed(2.0, float_threshold=4.5))
    assert found.float_threshold == 4.5
    assert [row.figures.efficiency.passed for row in found.witnesses] == [0, 30, 30]


def test_the_first_image_with_true_cells_is_shown() -> None:
    design = designed(2.0)
    event = judged(design).event
    assert event is not None and design.vectors.masks is not None
    assert (event.number, event.shape) == (0, (*GRID, 1))
    assert event.true == (int(design.vectors.masks.true[0].argmax()),)
    assert set(event.true) <= set(event.hits) == set(event.marked)


def test_firmware_that_marks_other_cells_fails() -> None:
    design = designed(2.0)
    source, graph = checked(design)
    assert design.vectors.masks is not None
    (verdict,) = mask_decisions(judged(design), source)
    assert (verdict.name, verdict.passed) == ("masks", True)
    codes = graph.codes.copy()
    codes[5, :3] ^= 1
    found = judge_masks(design, design.vectors.masks, source, Run("graph", codes, 0.0))
    (verdict,) = mask_decisions(found, source)
    assert not verdict.passed
    assert verdict.message.startswith("3 cells of 40 images are marked differently")
    other = replace(source.run, witness="source", codes=source.run.codes + 1)
    inexact = replace(source, comparison=compare(source.run, other))
    assert mask_decisions(found, inexact)[0].passed
    assert mask_decisions(None, source) == ()


@pytest.mark.parametrize("known", [True, False])
def test_masks_on_disk(tmp_path: Path, known: bool) -> None:
    rng = np.random.default_rng(1)
    values = {
        "muons": rng.integers(0, 3, IMAGES),
        "pt": np.where(rng.random((IMAGES, 2)) < 0.5, np.nan, 7.5),
        "background": np.ones(IMAGES),
        "float_threshold": 0.25,
    }
    design = designed(2.0, **(values if known else {}))
    path = tmp_path / "vectors.npz"
    records._save_vectors(path, design, np.zeros((42, 36), np.int64))
    with np.load(path, allow_pickle=False) as file:
        read = records._vectors({name: file[name] for name in file.files})
    assert read.masks is not None and design.vectors.masks is not None
    for name in ("true", "muons", "pt", "eta", "background"):
        before, now = getattr(design.vectors.masks, name), getattr(read.masks, name)
        assert (before is None) == (now is None), name
        if before is not None:
            assert before.dtype == now.dtype
            np.testing.assert_array_equal(before, now)
    assert read.masks.float_threshold == design.vectors.masks.float_threshold
