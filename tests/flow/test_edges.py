"""A network that keeps edges, compiled with true edges for labels and held to its lock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trigger_ml.build_check import check_build
from trigger_ml.check.lock import compare_locks, read_lock
from trigger_ml.config import load_config
from trigger_ml.pipeline import Request, compile_model
from trigger_ml.records import load_build

MODEL = Path(__file__).parents[1] / "data" / "tiny_conv.h5"
QUICK = {
    "firmware.input_type": "ufixed<1,1>",
    "firmware.output": "threshold",
    "firmware.flag_bits": 2,
    "verify.events": 50,
    "verify.csim_events": 10,
    "verify.cosim_events": 5,
    "verify.random_events": 20,
    "verify.simulator": "icarus",
    "verify.synthesis": False,
}


def write_events(path: Path) -> int:
    """60 images of 8 x 32 slots, half of them candidates; the candidates of the first 50."""
    rng = np.random.default_rng(3)
    candidates = rng.random((60, 8, 32)) < 0.5
    true = candidates & (rng.random((60, 8, 32)) < 0.6)
    x = candidates[..., None] & (rng.random((60, 8, 32, 6)) < 0.2)
    pt = np.where(true, rng.uniform(1, 20, true.shape), np.nan)
    flags = (rng.random(60) < 0.2).astype(np.uint8)
    np.savez(path, x=x.astype(np.uint8), y=true, candidates=candidates, pt=pt.astype(np.float32),
             flags=flags, float_scores=true * 4.0 - 2.0)  # fmt: skip
    return int(candidates[:50].sum())


@pytest.mark.slow
def test_edges_are_compiled_reported_and_locked(tmp_path: Path) -> None:
    data, build = tmp_path / "events.npz", tmp_path / "build"
    candidates = write_events(data)
    outcome = compile_model(Request(MODEL, load_config(None, QUICK), data, build))
    report = outcome.report
    assert report.passed, report.failures
    assert report.physics is not None and report.physics.edges is not None
    edges = report.physics.edges
    assert (report.physics.metric, report.physics.float_) == ("purity", 1.0)
    assert (edges.images, edges.candidates) == (50, candidates)
    assert [row.figures.accuracy.total for row in edges.witnesses] == [candidates] * 3
    flips = {(flip.left, flip.right): flip.edges.passed for flip in edges.flips}
    assert flips["quantized", "firmware"] == 0 < flips["float", "firmware"]
    assert "pt" in edges.witnesses[2].bins and edges.truncated is not None
    assert edges.truncated.nodes.passed > 0 == edges.truncated.edges.passed
    page = (build / "report.html").read_text(encoding="utf-8")
    assert "ROC curves of the edges" in page
    stored = load_build(build)
    assert stored.vectors.edges is not None
    assert stored.vectors.edges.candidates.sum() == candidates
    assert {project.stream.flag_bits for project in stored.rtl.values() if project.stream} == {2}
    lock = read_lock(build)
    assert lock.physics["purity firmware"] == report.physics.firmware
    checked = check_build(build)
    assert checked.passed, [verdict for verdict in checked.verdicts if not verdict.passed]
    names = {verdict.name for verdict in checked.verdicts}
    assert {"edges", "lock:efficiency firmware", "lock:auc float"} <= names
    moved = {**lock.physics, "purity firmware": lock.physics["purity firmware"] + 1e-6}
    verdicts = compare_locks(replace(lock, physics=moved), lock)
    wrong = [verdict.name for verdict in verdicts if not verdict.passed]
    assert wrong == ["lock:purity firmware"]
