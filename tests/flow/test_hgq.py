"""HGQ2 models through the whole flow: every witness, the build on disk, and its check."""

from pathlib import Path

import pytest

from tests.flow.conftest import quick
from trigger_ml.build_check import check_build
from trigger_ml.pipeline import Request, compile_model

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("name", ["tiny_hgq", "tiny_set_hgq", "tiny_norm_hgq"])
def test_every_witness_agrees_and_the_check_repeats_it(tmp_path: Path, name: str) -> None:
    model = DATA / f"{name}.keras"
    outcome = compile_model(Request(model, quick(), output=tmp_path / name))
    report = outcome.report
    assert report.passed, report.failures
    assert report.model.format == "HGQ2 .keras (Keras 3)"
    assert report.fidelity.exact
    assert set(report.fidelity.mismatches) >= {"graph~source", "csim~graph", "rtl~graph"}
    assert not any(report.fidelity.mismatches.values())
    stored = outcome.folder / "model" / model.name
    assert stored.read_bytes() == model.read_bytes()
    if name == "tiny_set_hgq":
        checked = check_build(outcome.folder, synthesis=False)
        assert checked.passed, [verdict for verdict in checked.verdicts if not verdict.passed]
