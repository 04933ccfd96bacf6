"""hls4ml's default conversion is compiled beside ours, and its first wrong layer is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.flow.conftest import TINY, quick
from trigger_ml.default_gap import _cause, compare_with_default
from trigger_ml.errors import ModelError

LAYER = {"class_name": "Dense", "type": "fixed<8,3>", "accumulator": ""}


def test_the_softmax_of_the_tiny_model(tmp_path: Path) -> None:
    gap = compare_with_default(TINY, quick(), None, 500)
    shown = [layer.layer for layer in gap.layers]
    assert shown[0] == "features" and "fc1" in shown and gap.events == 500
    first = gap.first
    assert first is not None and first.kind == "Softmax"
    assert "softmax by tables" in first.cause
    assert gap.exact < 0.5 and gap.same_decision is not None and gap.same_decision > 0.5
    dense = next(layer for layer in gap.layers if layer.layer == "fc1")
    assert dense.default_type.startswith("fixed<") and dense.own_type.startswith("fixed<")
    assert dense.cause == ""


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ([5.0, 0.25], "ends at -4 and 3.96875, and values reach 5"),
        ([1.0, 0.01], "has steps of 0.03125, and values lie between them"),
        ([1.0, 0.25], "a quantizer was dropped"),
    ],
)
def test_the_cause_is_the_type(wanted: list[float], words: str) -> None:
    found = np.array([[0.5, 0.5]])
    assert words in _cause(LAYER, found, np.array([wanted]))


def test_an_accumulator_that_is_too_short() -> None:
    layer = {**LAYER, "type": "fixed<16,8>", "accumulator": "fixed<6,3>"}
    words = _cause(layer, np.array([[0.0]]), np.array([[7.5]]))
    assert "the accumulator type fixed<6,3> ends at -4 and 3.875" in words


def test_another_front_end_is_refused() -> None:
    hgq = TINY.with_name("tiny_hgq.keras")
    with pytest.raises(ModelError, match="is not compared"):
        compare_with_default(hgq, quick(), None, 10)
