"""The cause of a wrong layer is the one thing that gives what hls4ml gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trigger_ml.default_causes import Cause, Rule, find_cause, input_cause
from trigger_ml.frontends.default_client import DefaultLayer, LayerValues
from trigger_ml.graph.model import Node
from trigger_ml.graph.operations import Quantize
from trigger_ml.graph.types import FixedType

VALUES = np.array([[0.40625, -3.0], [7.5, 0.125], [-1.0, 2.0]])


def layer(**changes: Any) -> DefaultLayer:
    form = {
        "name": "fc",
        "class_name": "Dense",
        "function": "",
        "shape": [2],
        "inputs": ["x"],
        "type": "fixed<16,8>",
        "accumulator": "fixed<20,8>",
        "weights": {},
        "cut": [],
        "table": "",
        "traced": True,
        "settable": True,
    }
    return DefaultLayer.from_json({**form, **changes})


def cast(text: str) -> np.ndarray:
    kind = FixedType.parse(text)
    return kind.decode(kind.encode(VALUES))


def own(text: str) -> Node:
    return Node("fc", Quantize(), ("x",), (2,), FixedType.parse(text))


def test_a_result_type_that_wraps() -> None:
    found = cast("fixed<8,3>")
    cause = find_cause(layer(type="fixed<8,3>"), LayerValues("fc", VALUES, VALUES), found, None)
    assert cause.kind == "result"
    assert cause.text == ("the result type fixed<8,3> ends at -4 and 3.96875, and values reach 7.5")
    assert cause.changes == {"fc": {"Precision": {"result": "ap_fixed<9,4>"}}}


def test_a_result_type_with_coarse_steps_is_given_the_type_that_compile_sets() -> None:
    found = cast("fixed<6,4>")
    values = LayerValues("fc", VALUES, VALUES)
    cause = find_cause(layer(type="fixed<6,4>"), values, found, own("fixed<11,5>"))
    assert cause.text == "the result type fixed<6,4> has steps of 0.25, and values lie between them"
    assert cause.changes == {"fc": {"Precision": {"result": "ap_fixed<11,5>"}}}


def test_sums_that_wrap_are_told_from_results_that_are_cut() -> None:
    found = cast("fixed<20,3>")
    item = layer(type="fixed<10,6>", accumulator="fixed<20,3>")
    cause = find_cause(item, LayerValues("fc", VALUES, VALUES), found, None)
    assert cause.kind == "accumulator"
    assert cause.text.startswith("the accumulator type fixed<20,3> ends at -4 and 3.99999")
    assert cause.changes == {"fc": {"Precision": {"accum": "ap_fixed<9,4>"}}}


def test_weights_that_are_cut() -> None:
    found = VALUES + 0.0625
    item = layer(weights={"weight": "fixed<16,6>", "bias": "fixed<16,6>"}, cut=["weight"])
    values = LayerValues("fc", VALUES, VALUES, None, found)
    cause = find_cause(item, values, found, None)
    assert (cause.kind, cause.text) == ("weights", "its weights are cut: weight to fixed<16,6>")
    assert cause.changes == {"fc": {"Precision": {"weight": "ap_fixed<30,6,RND,SAT>"}}}


def test_weights_that_are_cut_and_do_not_matter_are_not_blamed() -> None:
    found = cast("fixed<8,3>")
    item = layer(type="fixed<8,3>", weights={"weight": "fixed<16,6>"}, cut=["weight"])
    values = LayerValues("fc", VALUES, VALUES, None, VALUES + 2.0**-10)
    assert find_cause(item, values, found, None).kind == "result"


def test_what_hls4ml_has_no_setting_for() -> None:
    values = LayerValues("fc", VALUES, VALUES)
    item = layer(type="fixed<8,3>", settable=False)
    cause = find_cause(item, values, cast("fixed<8,3>"), None)
    assert cause.text.endswith("values reach 7.5; hls4ml has no setting for it")
    assert (cause.kind, cause.changes) == ("result", {})


def test_a_quantizer_that_was_dropped() -> None:
    right = cast("fixed<5,3,RND_CONV,SAT>")
    values = LayerValues("grid", right, right, VALUES, None, "fixed<5,3,RND_CONV,SAT>")
    cause = find_cause(layer(), values, VALUES, own("fixed<10,5>"))
    assert cause.text == "the quantizer of grid (fixed<5,3,RND_CONV,SAT>) was dropped"
    assert cause.changes == {"fc": {"Precision": {"result": "ap_fixed<5,3,RND_CONV,SAT>"}}}


def test_a_table() -> None:
    right = np.tanh(VALUES)
    item = layer(class_name="Activation", table="1024 entries of fixed<18,8>", accumulator="")
    cause = find_cause(item, LayerValues("fc", right, right), right + 0.01, None)
    assert cause.text == "it looks up its results in 1024 entries of fixed<18,8>"
    assert cause.changes["fc"]["TableSize"] == 16384


def softmax_cause(logits: str) -> Cause:
    read = layer(name="logits", type=logits)
    table = "1024 entries of fixed<18,8>"
    item = layer(name="softmax", class_name="Softmax", inputs=["logits"], table=table)
    values = LayerValues("softmax", VALUES, VALUES)
    return find_cause(item, values, VALUES + 0.1, None, read, VALUES)


def test_a_softmax_has_tables_with_few_entries() -> None:
    cause = softmax_cause("fixed<11,4>")
    assert cause.text == (
        "softmax by tables that are too coarse: 1024 entries for the leading bits of fixed<11,4>, "
        "and of the sum of exponentials"
    )
    assert cause.changes == {"softmax": {"TableSize": 2**18}}


def test_a_softmax_reads_more_bits_than_its_tables_have() -> None:
    result = {"result": "ap_fixed<18,4,RND,SAT>"}
    changes = {"softmax": {"TableSize": 2**18}, "logits": {"Precision": result}}
    assert softmax_cause("fixed<38,18>").changes == changes


def test_what_no_type_explains() -> None:
    cause = find_cause(layer(), LayerValues("fc", VALUES, VALUES), VALUES[::-1], None)
    assert (cause.kind, cause.changes) == ("other", {})


def test_an_input_type() -> None:
    cause = input_cause(layer(name="x", type="fixed<6,3>"), VALUES, own("fixed<12,6,RND_CONV,SAT>"))
    assert cause.text == "the input type fixed<6,3> ends at -4 and 3.875, and values reach 7.5"
    assert cause.changes == {"x": {"Precision": {"result": "ap_fixed<12,6,RND_CONV,SAT>"}}}


@pytest.mark.parametrize(("limit", "wrong"), [(0.0, True), (0.02, False)])
def test_an_error_that_a_float_model_may_have(limit: float, wrong: bool) -> None:
    found = VALUES + 0.01
    assert Rule(limit).wrong(found, VALUES) is wrong
    assert Rule(limit).error(found, VALUES) == pytest.approx(0.01 / VALUES.std())
    assert not Rule(limit).wrong(VALUES, VALUES)
    assert Rule(limit).wrong(found + 1, VALUES)
