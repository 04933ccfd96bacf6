"""hls4ml's layers on images: what is refused because a value could change unseen."""

from types import SimpleNamespace
from typing import Any

import pytest
from hls4ml.model.types import FixedPrecisionType

from trigger_ml.errors import ModelError
from trigger_ml.graph.hls4ml_images import (
    read_concatenate,
    read_merge,
    read_pooling2d,
    read_resize,
    read_transpose,
    wire_edges,
)
from trigger_ml.graph.hls4ml_values import NO_PADDING, Edge, Reading
from trigger_ml.graph.model import Concatenate, Input, MaxPool2D, Multiply, Node, Transpose
from trigger_ml.graph.types import FixedType

KIND = FixedType(6, 3)
NODE = Node("x", Input(), (), (4, 4, 2), KIND)
READING = Reading(KIND, (4, 4, 2), NO_PADDING)


def typed(width: int, integer: int) -> SimpleNamespace:
    return SimpleNamespace(precision=FixedPrecisionType(width, integer, True))


def layer(kind: str, out: tuple[int, int] = (6, 3), **attributes: Any) -> Any:
    variable = SimpleNamespace(type=typed(*out), shape=(4, 4, 2))
    return SimpleNamespace(
        name="it",
        class_name=kind,
        inputs=["x"],
        outputs=["it_1", "it_2"],
        get_output_variable=lambda output=None: variable,
        get_attr=lambda key, default=None: attributes.get(key, default),
    )


def test_copies_and_zeros_are_wires() -> None:
    edges = {"x": Edge("x")}
    assert wire_edges(layer("Clone"), edges, {"x": NODE}) == {
        "it_1": edges["x"],
        "it_2": edges["x"],
    }
    around = layer("ZeroPadding2D", pad_top=1, pad_bottom=2, pad_left=3, pad_right=4)
    once = wire_edges(around, edges, {"x": NODE})["it_1"]
    assert once == Edge("x", (1, 2, 3, 4))
    again = layer("ZeroPadding2D", pad_left=1)
    assert wire_edges(again, {"x": once}, {"x": NODE})["it_2"] == Edge("x", (1, 2, 4, 4))


@pytest.mark.parametrize("kind", ["Clone", "Repack", "ZeroPadding2D"])
def test_a_wire_that_casts_is_refused(kind: str) -> None:
    with pytest.raises(ModelError, match=r"it: carries fixed<6,3> as fixed<5,3>"):
        wire_edges(layer(kind, (5, 3)), {"x": Edge("x")}, {"x": NODE})


POOL = {"pool_op": "Max", "pool_height": 2, "pool_width": 2, "stride_height": 2, "stride_width": 2}


def test_pooling_compares_what_it_reads() -> None:
    wide = layer("Pooling2D", **POOL, accum_t=typed(8, 4))
    operation, _ = read_pooling2d(wide, [READING], KIND)
    assert isinstance(operation, MaxPool2D) and operation.size == (2, 2)
    for narrow in (typed(5, 2), typed(6, 4)):
        with pytest.raises(ModelError, match="compares values of"):
            read_pooling2d(layer("Pooling2D", **POOL, accum_t=narrow), [READING], KIND)


@pytest.mark.parametrize("change", [{"pool_op": "Average"}, {"stride_width": 1}, {"pad_left": 1}])
def test_other_pooling_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="use MaxPooling2D"):
        read_pooling2d(
            layer("Pooling2D", **{**POOL, **change}, accum_t=typed(8, 4)), [READING], KIND
        )


def test_resizing_and_joining() -> None:
    with pytest.raises(ModelError, match="carries"):
        read_resize(layer("Resize", algorithm="nearest"), [READING], FixedType(5, 3))
    with pytest.raises(ModelError, match="bilinear"):
        read_resize(layer("Resize", algorithm="bilinear"), [READING], KIND)
    joined, _ = read_concatenate(layer("Concatenate", axis=3), [READING, READING], KIND)
    assert isinstance(joined, Concatenate)
    with pytest.raises(ModelError, match="axis 1"):
        read_concatenate(layer("Concatenate", axis=1), [READING, READING], KIND)


def test_merges_and_transpositions() -> None:
    operation, out = read_merge(layer("Merge", op="multiply"), [READING, READING], KIND)
    assert isinstance(operation, Multiply) and out == KIND
    with pytest.raises(ModelError, match=r"it: hls4ml's merge of kind average (?s:.*)use Multiply"):
        read_merge(layer("Merge", op="average"), [READING, READING], KIND)
    operation, _ = read_transpose(layer("Transpose", perm=[2, 1, 0]), [READING], KIND)
    assert isinstance(operation, Transpose) and operation.axes == (2, 1, 0)
