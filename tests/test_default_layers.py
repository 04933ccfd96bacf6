"""Which layer of hls4ml's default conversion is named as the first that is wrong."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from trigger_ml.default_causes import Rule
from trigger_ml.default_layers import LayerGap, first_wrong, layer_gaps, only_own
from trigger_ml.default_models import Compared
from trigger_ml.frontends.default_client import Conversion, DefaultLayer, LayerValues
from trigger_ml.graph.model import FixedGraph, Node
from trigger_ml.graph.operations import Input, Quantize
from trigger_ml.graph.types import FixedType

KIND = FixedType(12, 6)
NODES = (
    Node("x", Input(), (), (2,), KIND, "x"),
    Node("fc", Quantize(), ("x",), (2,), KIND, "fc"),
    Node("fc_act", Quantize(), ("fc",), (2,), FixedType(8, 4), "fc_act"),
)
VALUES = np.array([[0.5, -2.0], [1.5, 3.0]])


def converted(*layers: tuple[str, tuple[str, ...]]) -> Conversion:
    """Layers by name, and what they read; the last is the output."""
    made = [
        DefaultLayer(name, "Dense", "", (2,), reads, "fixed<16,6>", "", {}, (), "", True, True)
        for name, reads in layers
    ]
    return Conversion(tuple(made), (made[0].name,), (made[-1].name,), "")


def gap(name: str, wrong: bool) -> LayerGap:
    own = ("", "", 0.5 if wrong else 0.0, 1.0, 0.1, 0.1, wrong, "", "", {})
    return LayerGap(name, "Dense", "fixed<16,6>", "", *own)


def compared(largest_error: float, outputs: Any = VALUES) -> Compared:
    network = FixedGraph("net", NODES, ("fc_act",))
    rule = Rule(largest_error)
    return Compared(cast("Any", None), network, "net", VALUES, outputs, rule, ())


def test_a_layer_that_is_put_right_again_is_not_named() -> None:
    layers = converted(("x", ()), ("fc", ("x",)), ("grid", ("fc",)), ("end", ("grid",)))
    wrong = {"x": False, "fc": True, "grid": False, "end": True}
    assert (
        first_wrong(layers, {name: gap(name, is_wrong) for name, is_wrong in wrong.items()})
        == "end"
    )
    wrong["grid"] = True
    assert (
        first_wrong(layers, {name: gap(name, is_wrong) for name, is_wrong in wrong.items()}) == "fc"
    )


def test_a_layer_that_is_not_shown_passes_it_on() -> None:
    layers = converted(("x", ()), ("fc", ("x",)), ("flat", ("fc",)), ("end", ("flat",)))
    wrong = {"x": False, "fc": True, "end": True}
    assert (
        first_wrong(layers, {name: gap(name, is_wrong) for name, is_wrong in wrong.items()}) == "fc"
    )


def test_a_layer_that_only_reads_wrong_numbers_is_not_blamed() -> None:
    layers = converted(("x", ()), ("fc", ("x",)), ("end", ("fc",)))
    found = {"x": VALUES, "fc": VALUES + 0.5, "end": VALUES + 0.5}
    right = {
        "fc": LayerValues("fc", VALUES, VALUES),
        "end": LayerValues("end", VALUES, VALUES + 0.5),
    }
    gaps = layer_gaps(layers, found, right, compared(0.0))
    assert gaps["end"].wrong and gaps["end"].cause == "what it reads is already wrong"
    assert gaps["end"].own_error == 0 and gaps["end"].changes == {}
    assert gaps["fc"].own_error > 0 and gaps["fc"].own_type == str(KIND)
    assert not gaps["x"].wrong and first_wrong(layers, gaps) == "fc"


def test_small_errors_of_a_float_model_that_add_up() -> None:
    layers = converted(("x", ()), ("fc", ("x",)), ("end", ("fc",)))
    spread = float(VALUES.std())
    found = {"x": VALUES, "fc": VALUES + 0.015 * spread, "end": VALUES + 0.025 * spread}
    right = {
        "fc": LayerValues("fc", VALUES, VALUES),
        "end": LayerValues("end", VALUES, VALUES + 0.015 * spread),
    }
    gaps = layer_gaps(layers, found, right, compared(0.02))
    assert not gaps["fc"].wrong and gaps["end"].wrong
    assert gaps["end"].cause.startswith("small errors add up; the largest, 1.50%, is of fc: ")


def test_the_outputs_are_what_the_file_itself_says() -> None:
    layers = converted(("x", ()), ("fc", ("x",)))
    right = {"fc": LayerValues("fc", VALUES, VALUES)}
    gaps = layer_gaps(layers, {"x": VALUES, "fc": VALUES}, right, compared(0.0, VALUES + 1))
    assert gaps["fc"].wrong and gaps["fc"].largest == 1


def test_the_node_of_an_activation_within_a_float_layer() -> None:
    both = compared(0.0)
    assert both.own_node("fc_relu", "fc_relu") is NODES[2]
    assert both.own_node("fc", "fc") is NODES[1]
    assert both.own_node("other_relu", "other_relu") is None


def test_a_node_alone() -> None:
    alone = only_own(NODES[1])
    assert (alone.layer, alone.default_type, alone.own_type) == ("fc", "", str(KIND))
