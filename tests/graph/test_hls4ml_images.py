"""hls4ml's layers on images: what is refused because a value could change unseen."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hls4ml.model.types import FixedPrecisionType

from trigger_ml.errors import ModelError
from trigger_ml.graph.hls4ml_images import (
    is_wire,
    read_concatenate,
    read_conv,
    read_cropping,
    read_global_pooling,
    read_padding,
    read_pooling,
    read_resize,
    read_transpose,
    wire_edges,
)
from trigger_ml.graph.hls4ml_values import NO_PADDING, Edge, Reading
from trigger_ml.graph.image_operations import AveragePool, Crop, MaxPool, ZeroPad
from trigger_ml.graph.model import Concatenate, Conv2D, Input, MaxPool2D, Node, Transpose
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
    operation, _ = read_pooling(wide, [READING], KIND)
    assert isinstance(operation, MaxPool2D) and operation.size == (2, 2)
    for narrow in (typed(5, 2), typed(6, 4)):
        with pytest.raises(ModelError, match="compares values of"):
            read_pooling(layer("Pooling2D", **POOL, accum_t=narrow), [READING], KIND)
            read_global_pooling(layer("GlobalPooling2D", **POOL, accum_t=narrow), [READING], KIND)


@pytest.mark.parametrize(
    ("change", "made"),
    [
        ({"pool_op": "Average"}, AveragePool((2, 2), (2, 2), NO_PADDING, FixedType(8, 4))),
        ({"stride_width": 1}, MaxPool((2, 2), (2, 1), NO_PADDING)),
        ({"pad_left": 1}, MaxPool((2, 2), (2, 2), (0, 0, 1, 0))),
    ],
)
def test_windows_of_any_kind(change: dict[str, Any], made: Any) -> None:
    pooling = layer("Pooling2D", **{**POOL, **change}, accum_t=typed(8, 4))
    operation, _ = read_pooling(pooling, [READING], KIND)
    assert type(operation) is type(made)
    for key in made.__slots__:
        assert getattr(operation, key) == getattr(made, key)


def test_windows_that_hls4ml_gets_wrong_are_refused() -> None:
    """Beyond the image it puts a large value where there is no sign; zeros count in no mean."""
    around = layer("Pooling2D", **POOL, pad_left=1, accum_t=typed(8, 4))
    unsigned = Reading(FixedType(5, 3, False), (4, 4, 2), NO_PADDING)
    with pytest.raises(ModelError, match="use ZeroPadding before it"):
        read_pooling(around, [unsigned], KIND)
    counted = layer("Pooling2D", **POOL, count_pad=True, accum_t=typed(8, 4))
    with pytest.raises(ModelError, match="counts the zeros"):
        read_pooling(counted, [READING], KIND)
    with pytest.raises(ModelError, match="L2 pooling"):
        kind = {**POOL, "pool_op": "L2"}
        read_global_pooling(layer("GlobalPooling2D", **kind), [READING], KIND)


def test_pooling_of_everything() -> None:
    whole = layer("GlobalPooling2D", pool_op="Max", accum_t=typed(8, 4))
    operation, _ = read_global_pooling(whole, [READING], KIND)
    assert isinstance(operation, MaxPool) and operation.size == operation.strides == (4, 4)
    sequence = Reading(KIND, (5, 2), NO_PADDING)
    operation, _ = read_global_pooling(whole, [sequence], KIND)
    assert isinstance(operation, MaxPool) and operation.size == (1, 5)


def test_sequences_have_one_row() -> None:
    pooling = layer("Pooling1D", pool_op="Max", pool_width=3, stride_width=3, accum_t=typed(8, 4))
    operation, _ = read_pooling(pooling, [Reading(KIND, (6, 2), NO_PADDING)], KIND)
    assert isinstance(operation, MaxPool2D) and operation.size == (1, 3)
    operation, _ = read_padding(layer("ZeroPadding1D", pad_left=1, pad_right=2), [READING], KIND)
    assert isinstance(operation, ZeroPad) and operation.padding == (0, 0, 1, 2)
    sides = {"crop_top": 1, "crop_bottom": 2, "crop_left": 3, "crop_right": 4}
    operation, _ = read_cropping(layer("Cropping2D", **sides), [READING], KIND)
    assert isinstance(operation, Crop) and operation.cropping == (1, 2, 3, 4)


def test_a_convolution_of_a_sequence() -> None:
    values = {"weight": np.arange(12.0).reshape(3, 2, 2) / 8, "bias": np.array([0.5, -0.5])}
    weights = {name: SimpleNamespace(data=data, type=typed(8, 4)) for name, data in values.items()}
    sizes = {"filt_width": 3, "n_chan": 2, "n_filt": 2, "stride_width": 2, "pad_left": 1}
    convolution = layer("Conv1D", **sizes, accum_t=typed(12, 6))
    convolution.weights = weights
    operation, _ = read_conv(convolution, [Reading(KIND, (6, 2), NO_PADDING)], KIND)
    assert isinstance(operation, Conv2D)
    assert operation.strides == (1, 2) and operation.padding == (0, 0, 1, 0)
    assert np.array_equal(operation.weight[0] / 16, values["weight"])


@pytest.mark.parametrize(
    ("name", "wire"), [("zp2d_conv", True), ("zp1d_conv", True), ("zeros", False)]
)
def test_zeros_are_those_before_a_convolution_or_a_layer(name: str, wire: bool) -> None:
    around = layer("ZeroPadding2D")
    around.name = name
    around.get_output_nodes = lambda: [SimpleNamespace(name=n) for n in ("other", "conv")]
    assert is_wire(around) == wire


@pytest.mark.parametrize(("shape", "wire"), [((4, 4, 2), True), ((32,), False)])
def test_a_repack_is_a_wire_or_a_reshape(shape: tuple[int, ...], wire: bool) -> None:
    repack = layer("Repack")
    repack.get_input_variable = lambda: SimpleNamespace(shape=shape)
    assert is_wire(repack) == wire
    assert is_wire(layer("Clone"))


def test_resizing_and_joining() -> None:
    with pytest.raises(ModelError, match="carries"):
        read_resize(layer("Resize", algorithm="nearest"), [READING], FixedType(5, 3))
    with pytest.raises(ModelError, match="bilinear"):
        read_resize(layer("Resize", algorithm="bilinear"), [READING], KIND)
    joined, _ = read_concatenate(layer("Concatenate", axis=3), [READING, READING], KIND)
    assert isinstance(joined, Concatenate)
    with pytest.raises(ModelError, match="axis 1"):
        read_concatenate(layer("Concatenate", axis=1), [READING, READING], KIND)


def test_transpositions() -> None:
    operation, _ = read_transpose(layer("Transpose", perm=[2, 1, 0]), [READING], KIND)
    assert isinstance(operation, Transpose) and operation.axes == (2, 1, 0)
