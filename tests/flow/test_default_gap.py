"""hls4ml's default conversion is compiled beside ours, and its first wrong layer is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.flow.conftest import TINY, quick
from trigger_ml.cli_explain import _show
from trigger_ml.default_gap import DefaultGap, compare_with_default
from trigger_ml.default_layers import LayerGap
from trigger_ml.errors import DataError, ModelError

DATA = TINY.parent


def gap(name: str, wrong: bool) -> LayerGap:
    own = ("", "", 0.5 if wrong else 0.0, 1.0, 0.1, 0.1, wrong, "", "", {})
    return LayerGap(name, "Dense", "fixed<16,6>", "", *own)


@pytest.mark.slow
def test_the_softmax_of_the_tiny_model() -> None:
    found = compare_with_default(TINY, quick(), None, 500)
    shown = [layer.layer for layer in found.layers]
    assert shown[0] == "features" and "fc1" in shown and found.events == 500
    first = found.first
    assert first is not None and first.kind == "Softmax"
    assert "softmax by tables" in first.cause
    assert found.exact < 0.5 and found.same_decision is not None and found.same_decision > 0.5
    dense = next(layer for layer in found.layers if layer.layer == "fc1")
    assert dense.default_type.startswith("fixed<") and dense.own_type.startswith("fixed<")
    assert not dense.wrong and dense.cause == ""
    assert found.notes == () and found.refused == "" and found.confirmation is None


def test_a_saved_conversion_has_no_default() -> None:
    with pytest.raises(ModelError, match="hls4ml's own conversion already"):
        compare_with_default(DATA / "tiny.fml", quick(), None, 10)


def test_a_float_model_without_events_is_refused_as_by_compile() -> None:
    with pytest.raises(ModelError, match="give --data events"):
        compare_with_default(DATA / "tiny_float.h5", quick(), None, 10)


@pytest.mark.parametrize("shape", [(0, 5), (10, 4)])
def test_events_that_do_not_fit_a_float_model(tmp_path: Path, shape: tuple[int, int]) -> None:
    events = tmp_path / "events.npz"
    np.savez(events, x=np.zeros(shape, np.float32))
    with pytest.raises(DataError, match=r"no events|an event has 4 numbers"):
        compare_with_default(DATA / "tiny_float.h5", quick(), events, None)


@pytest.mark.parametrize("values", [np.zeros((0, 4)), np.full((3, 4), np.nan)])
def test_events_that_suit_no_model_are_refused_at_once(tmp_path: Path, values: np.ndarray) -> None:
    events = tmp_path / "events.npz"
    np.savez(events, x=values)
    with pytest.raises(DataError, match=r"no events|NaN"):
        compare_with_default(TINY, quick(), events, None)


@pytest.mark.slow
def test_a_conversion_that_hls4ml_refuses_is_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    refused = "Exception: ERROR: Unsupported layer type: Dot"
    own = replace(gap("fc", False), default_type="", own_type="fixed<9,4>")
    found = DefaultGap((own,), "", 0, 0.0, 0.0, 0.0, None, refused, ("a note",))
    _show(found, confirm=True)
    text = capsys.readouterr().out
    assert f"make nothing of this model that runs: {refused}" in text
    assert "fixed<9,4>" in text and "note: a note" in text and "same outputs" not in text
    assert found.to_json()["refused"] == refused and found.to_json()["first"] is None


@pytest.mark.slow
def test_an_input_type_that_is_too_short_is_confirmed(tmp_path: Path) -> None:
    events = tmp_path / "events.npz"
    random = np.random.default_rng(5)
    np.savez(events, x=(30 * random.normal(0, 1, (2000, 5))).astype(np.float32))
    found = compare_with_default(DATA / "tiny_float.h5", quick(), events, None, confirm=True)
    first = found.first
    assert first is not None and first.layer == "features" and first.cause_kind == "input"
    assert "fixed<16,6> ends at -32 and 31.999" in first.cause
    assert found.largest_error == 0.02 and found.events == 1000
    assert found.confirmation is not None and found.confirmation.confirmed
    assert found.confirmation.error < 0.02 < first.error


@pytest.mark.slow
def test_hgq2_is_exact_by_itself_up_to_its_softmax() -> None:
    found = compare_with_default(DATA / "tiny_hgq.keras", quick(), None, 200)
    *inner, last = found.layers
    assert last.kind == "Softmax" and found.first_wrong == last.layer
    assert len(inner) > 5 and not any(layer.wrong for layer in inner)
    assert "bit-exact" in found.notes[0]


@pytest.mark.slow
def test_what_hls4ml_says_of_an_onnx_file() -> None:
    found = compare_with_default(DATA / "tiny_qcdq.onnx", quick(), None, 200)
    assert "Unsupported operation type: QuantizeLinear" in found.notes[0]
    assert len(found.layers) > 4 and found.refused == ""
