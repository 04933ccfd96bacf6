"""Compiling without RTL: recurrent layers against their model, and a broken project noticed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.flow.conftest import TINY
from tests.recurrent_models import SIGMOID, TANH, write_h5
from trigger_ml.cli import cli
from trigger_ml.config import load_config
from trigger_ml.errors import ConfigError, ModelError
from trigger_ml.hls_only import HlsOutcome, check_hls_only, compile_hls_only
from trigger_ml.pipeline import Request, compile_model

EVENTS = 1000


def compiled(folder: Path, kind: str, backend: str = "Vitis", **options: Any) -> HlsOutcome:
    """A tiny model of three classes, with the agreement asked for that was found, and a margin."""
    config = load_config(
        None,
        {
            "firmware.rtl": False,
            "firmware.input_type": "fixed<8,3>",
            "firmware.backend": backend,
            "target.part": "Arria10" if backend == "Quartus" else None,
            "verify.events": EVENTS,
            "verify.random_events": EVENTS // 2,
            "verify.decision_agreement": 0.97,
        },
    )
    model = write_h5(folder / f"{kind.lower()}.h5", kind, **options)
    return compile_hls_only(Request(model, config, output=folder / "build"))


def require_close(outcome: HlsOutcome, largest: float) -> None:
    row = outcome.report.judged
    assert outcome.report.passed, outcome.report.verdicts
    assert row is not None
    assert row.vectors >= EVENTS
    assert row.agree is not None
    assert row.error is not None
    assert 0 < row.error < 0.02
    assert row.largest is not None
    assert row.largest < largest


def test_a_gru(tmp_path: Path) -> None:
    outcome = compiled(tmp_path, "GRU")
    require_close(outcome, 0.03)
    assert outcome.folder == tmp_path / "build"
    names = {path.name for path in outcome.folder.iterdir()}
    expected = {"config.yaml", "hls", "model", "report.json", "summary.md", "vectors.npz"}
    assert names == expected
    with np.load(outcome.folder / "vectors.npz") as arrays:
        assert arrays["source"].shape == arrays["csim"].shape == (len(arrays["inputs"]), 3)
        assert np.abs(arrays["source"] - arrays["csim"]).max() > 0
    data = json.loads((outcome.folder / "report.json").read_text())
    assert (data["rtl"], data["latency"], data["resources"]) == (None, None, None)
    assert "no RTL was made" in (outcome.folder / "summary.md").read_text()
    assert not (outcome.folder / "hls" / "keras_model.keras").exists()


@pytest.mark.slow
def test_a_qlstm_with_all_its_quantizers(tmp_path: Path) -> None:
    quantizers = {"activation": TANH, "recurrent_activation": SIGMOID}
    outcome = compiled(tmp_path, "QLSTM", state_quantizer="quantized_bits(12,3)", **quantizers)
    require_close(outcome, 0.2)
    layer = next(row for row in outcome.report.project.layers if row.layer == "rec")
    assert layer.types["table"] == "fixed<9,1,RND_CONV,SAT>"
    assert layer.types["result"] == "fixed<12,4,RND_CONV,SAT>"


@pytest.mark.slow
def test_every_step_of_an_lstm_without_bias(tmp_path: Path) -> None:
    """Weights of an LSTM alone: what leaves it has steps and units, and no decision."""
    import h5py

    model = write_h5(tmp_path / "m.h5", "LSTM", use_bias=False, return_sequences=True)
    with h5py.File(model, "a") as file:
        config = json.loads(file.attrs["model_config"])
        del config["config"]["layers"][-1]
        file.attrs["model_config"] = json.dumps(config)
        group = file["model_weights/rec"]
        group.attrs["weight_names"] = ["rec/kernel:0", "rec/recurrent_kernel:0"]
    options = {"firmware.rtl": False, "firmware.input_type": "fixed<8,3>", "verify.events": EVENTS}
    config = load_config(None, {**options, "verify.random_events": 0})
    outcome = compile_hls_only(Request(model, config, output=tmp_path / "build"))
    row = outcome.report.judged
    assert outcome.report.passed, outcome.report.verdicts
    assert row is not None
    assert row.agree is None
    assert outcome.report.project.outputs[0].shape == (4, 3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["SimpleRNN", "QSimpleRNN"])
def test_a_simple_rnn_in_the_backend_that_has_it(tmp_path: Path, kind: str) -> None:
    require_close(compiled(tmp_path, kind, "Quartus"), 0.03)


@pytest.mark.slow
def test_a_broken_project_fails_its_check(
    tmp_path: Path, trigger_ml_check: Callable[[Path], None]
) -> None:
    """A weight in the project on disk is changed: it is another network than the model then."""
    build = compiled(tmp_path, "GRU").folder
    trigger_ml_check(build)
    file = next((build / "hls" / "firmware" / "weights").glob("wr*.txt"))
    values = file.read_text().split(",")
    file.write_text(",".join(["0.96875", *values[1:]]))
    outcome = check_hls_only(build)
    failed = {verdict.name for verdict in outcome.verdicts if not verdict.passed}
    assert {"csim:outputs", "lock:outputs", "lock:files"} <= failed
    assert not {"lock:model", "lock:source"} & failed


@pytest.mark.slow
def test_a_model_that_rtl_has_is_equal(tmp_path: Path) -> None:
    options = {"firmware.rtl": False, "verify.events": EVENTS, "verify.random_events": 0}
    build = tmp_path / "build"
    outcome = compile_hls_only(Request(TINY, load_config(None, options), output=build))
    row = outcome.report.judged
    assert row is not None
    assert row.equal == row.vectors >= EVENTS
    assert "EQUAL" in (build / "summary.md").read_text()


def test_without_the_flag_the_way_out_is_named(tmp_path: Path) -> None:
    model = write_h5(tmp_path / "m.h5", "QGRU")
    config = load_config(None, {"firmware.input_type": "fixed<8,3>"})
    with pytest.raises(ModelError, match="RTL has no recurrent layers yet") as caught:
        compile_model(Request(model, config, output=tmp_path / "build"))
    assert "--hls-only" in str(caught.value)
    assert not (tmp_path / "build").exists()


def test_the_flow_with_rtl_refuses_to_leave_it_out(tmp_path: Path) -> None:
    config = load_config(None, {"firmware.rtl": False})
    with pytest.raises(ConfigError, match="compile_hls_only"):
        compile_model(Request(TINY, config, output=tmp_path / "build"))


def test_a_vendor_tool_is_not_promised(tmp_path: Path) -> None:
    config = load_config(None, {"firmware.rtl": False, "verify.synth": "vitis"})
    with pytest.raises(ConfigError, match=r"build_prj\.tcl"):
        compile_hls_only(Request(TINY, config, output=tmp_path / "build"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"target.part": "VU999"}, "VU999"),
        ({"firmware.backend": "Quartus"}, "no part of Intel"),
    ],
)
def test_the_part_belongs_to_the_backend(
    tmp_path: Path, options: dict[str, str], says: str
) -> None:
    config = load_config(None, {"firmware.rtl": False, **options})
    with pytest.raises(ConfigError, match=says):
        compile_hls_only(Request(TINY, config, output=tmp_path / "build"))


def test_report_of_what_is_no_whole_build(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"schema": "hls-only/1"}', encoding="utf-8")
    for arguments in (["report", str(tmp_path)], ["check", str(tmp_path)]):
        result = CliRunner().invoke(cli, arguments)
        assert "the file was altered" in str(result.exception)
