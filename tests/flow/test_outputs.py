"""What may leave the firmware, and what the input may be."""

import json
import shutil
from pathlib import Path

import h5py
import pytest

from tests.flow.conftest import TINY, quick
from trigger_ml.check.lock import read_lock
from trigger_ml.errors import ModelError
from trigger_ml.pipeline import Request, compile_model
from trigger_ml.records import load_build
from trigger_ml.report.schema import load_report


@pytest.mark.parametrize(("output", "shape"), [("argmax", (1,)), ("threshold", (3,))])
def test_decisions_in_the_rtl(tmp_path: Path, output: str, shape: tuple[int, ...]) -> None:
    config = quick(**{"firmware.output": output, "firmware.threshold": 0.25})
    outcome = compile_model(Request(TINY, config, output=tmp_path / "tiny"))
    assert outcome.report.passed, outcome.report.failures
    assert load_build(outcome.folder).firmware.output_nodes[0].shape == shape


def test_a_folder_of_the_name_of_a_layer(tmp_path: Path) -> None:
    """In hls4ml's C++ the function and the input's array would have the same name."""
    outcome = compile_model(Request(TINY, quick(), output=tmp_path / "features"))
    assert outcome.report.passed, outcome.report.failures
    assert load_build(outcome.folder).hls.top == "nn_features"


def test_the_softmax_says_how_many_decisions_it_changes(softmax_build: Path) -> None:
    verdicts = {verdict.name: verdict.message for verdict in load_report(softmax_build).verdicts}
    assert "decisions differ from the float softmax" in verdicts["softmax decisions"]


def without_input_quantizer(path: Path) -> Path:
    shutil.copyfile(TINY, path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        layers = config["config"]["layers"]
        kept = [layer for layer in layers if layer["name"] != "input_grid"]
        text = json.dumps(kept).replace('"input_grid"', '"features"')
        config["config"]["layers"] = json.loads(text)
        file.attrs["model_config"] = json.dumps(config)
    return path


def test_an_input_type_from_the_configuration(logits_build: Path, tmp_path: Path) -> None:
    """The same type in the configuration as in a quantizer gives the same graph."""
    model = without_input_quantizer(tmp_path / "bare.h5")
    config = quick(**{"firmware.input_type": "fixed<8,3>"})
    outcome = compile_model(Request(model, config, output=tmp_path / "tiny"))
    assert outcome.report.passed, outcome.report.failures
    assert read_lock(outcome.folder).outputs == read_lock(logits_build).outputs


def test_an_input_without_a_type_is_refused(tmp_path: Path) -> None:
    model = without_input_quantizer(tmp_path / "bare.h5")
    with pytest.raises(ModelError, match=r"firmware\.input_type: fixed<16,6>"):
        compile_model(Request(model, quick(), output=tmp_path / "tiny"))
