"""A network that marks cells, compiled with masks for labels and held to its lock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trigger_ml.build_check import check_build
from trigger_ml.check.lock import read_lock
from trigger_ml.config import load_config
from trigger_ml.pipeline import Request, compile_model
from trigger_ml.records import load_build

MODEL = Path(__file__).parents[1] / "data" / "tiny_conv.h5"
QUICK = {
    "firmware.input_type": "ufixed<1,1>",
    "firmware.output": "threshold",
    "firmware.threshold": 1.0,
    "verify.events": 50,
    "verify.csim_events": 10,
    "verify.cosim_events": 5,
    "verify.random_events": 20,
    "verify.simulator": "icarus",
    "verify.synthesis": False,
}


def write_events(path: Path) -> None:
    """60 images of 8 x 32 x 6, a straight track in the first 40."""
    rng = np.random.default_rng(3)
    x = (rng.random((60, 8, 32, 6)) < 0.02).astype(np.uint8)
    y = np.zeros((60, 8, 32), np.uint8)
    row, column = rng.integers(0, 8, 40), rng.integers(0, 32, 40)
    x[np.arange(40), row, column] = y[np.arange(40), row, column] = 1
    pt = np.where(np.arange(60) < 40, rng.uniform(5, 50, 60), np.nan)
    np.savez(path, x=x, y=y, muons=(np.arange(60) < 40).astype(np.uint8), pt=pt,
             float_scores=y * 4.0 - 2.0, float_threshold=0.0)  # fmt: skip


@pytest.mark.slow
def test_masks_are_compiled_reported_and_locked(tmp_path: Path) -> None:
    data, build = tmp_path / "events.npz", tmp_path / "build"
    write_events(data)
    outcome = compile_model(Request(MODEL, load_config(None, QUICK), data, build))
    report = outcome.report
    assert report.passed, report.failures
    assert report.physics is not None and report.physics.masks is not None
    masks = report.physics.masks
    assert report.physics.metric == "efficiency"
    assert [row.figures.images for row in masks.witnesses] == [50] * 3
    assert report.physics.float_ == 1.0
    flips = {(flip.left, flip.right): flip.cells for flip in masks.flips}
    assert flips["quantized", "firmware"] == 0 < flips["float", "firmware"]
    assert "pt" in masks.witnesses[2].bins and masks.event is not None
    assert report.latency.stream is not None and report.pipeline.kernel_stages
    page = (build / "report.html").read_text(encoding="utf-8")
    assert "Efficiency against transverse momentum" in page
    stored = load_build(build).vectors.masks
    assert stored is not None and stored.true.shape == (50, 8, 32)
    lock = read_lock(build)
    assert lock.physics["efficiency firmware"] == report.physics.firmware
    assert "empty_firing float" in lock.physics
    checked = check_build(build)
    assert checked.passed, [verdict for verdict in checked.verdicts if not verdict.passed]
    assert "lock:fakes firmware" in {verdict.name for verdict in checked.verdicts}
