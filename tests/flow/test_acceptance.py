"""The committed jet tagger and the other hls4ml backends, end to end. Slow."""

from pathlib import Path

import pytest

from tests.flow.conftest import TINY, quick
from trigger_ml.config import load_config
from trigger_ml.pipeline import Request, compile_model

JETS = Path(__file__).parents[2] / "models" / "jet_tagger"

pytestmark = pytest.mark.slow


def test_the_jet_tagger_meets_its_bars(tmp_path: Path) -> None:
    config = load_config(JETS / "compile.yaml")
    request = Request(JETS / "model.h5", config, JETS / "events.npz", tmp_path / "jets")
    report = compile_model(request).report
    assert report.passed, report.failures
    pairs = {pair.name: pair for pair in report.fidelity.pairs}
    assert all(pair.mismatches == 0 for pair in pairs.values())
    for name in ("graph~source", "csim~graph", "alkaid~graph"):
        assert (pairs[name].events or 0) >= 100_000
    assert (pairs["rtl~graph"].events or 0) >= 10_000
    assert (report.latency.ns or 1e9) < 60
    assert report.latency.ii_cycles == 1
    assert report.model.nonzero <= 0.25 * report.model.parameters
    assert report.pipeline.margin_kept
    assert (report.timing_s["total"] or 1e9) < 300


@pytest.mark.parametrize("backend", ["Vivado", "VivadoAccelerator", "Quartus", "Catapult"])
def test_other_backends_are_exact_too(tmp_path: Path, backend: str) -> None:
    config = quick(**{"firmware.backend": backend})
    report = compile_model(Request(TINY, config, output=tmp_path / "tiny")).report
    assert report.passed, report.failures
