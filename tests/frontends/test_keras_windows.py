"""Layers that pool, stretch, pad and crop, and convolutions: what is read, shapes, refusals."""

from typing import Any

import pytest

from trigger_ml.errors import ModelError
from trigger_ml.frontends.keras_images import layer_shapes, streamable
from trigger_ml.frontends.keras_layers import read_layer
from trigger_ml.frontends.keras_streams import stream_problems
from trigger_ml.frontends.model_file import Layer

GRID = "quantized_bits(4,0,alpha=1)"
CONV = {"kernel_quantizer": GRID, "bias_quantizer": GRID, "padding": "valid", "strides": [1, 1]}
SEQUENCE = {**CONV, "filters": 3, "kernel_size": [3], "strides": [1]}
DEPTHWISE = {**CONV, "depthwise_quantizer": GRID, "kernel_size": [2, 2]}


def chain(shape: tuple[int, ...], *layers: tuple[str, dict[str, Any]]) -> list[Layer]:
    """The layers as a file has them, one after another."""
    config = read_layer("InputLayer", "x", {"batch_input_shape": [None, *shape]})
    made = [Layer("x", "InputLayer", (), config)]
    for number, (kind, options) in enumerate(layers):
        name = f"l{number}"
        made.append(Layer(name, kind, (made[-1].name,), read_layer(kind, name, options)))
    return made


def shape_after(shape: tuple[int, ...], kind: str, config: dict[str, Any]) -> Any:
    shapes, blockers = layer_shapes(chain(shape, (kind, config)))
    return shapes["l0"] if not blockers else str(ModelError(blockers))


@pytest.mark.parametrize(
    ("kind", "config", "read", "made"),
    [
        ("QConv1D", SEQUENCE, (7, 2), (5, 3)),
        ("QConv1D", {**SEQUENCE, "padding": "same", "strides": [2]}, (7, 2), (4, 3)),
        ("QConv1D", {**SEQUENCE, "padding": "causal", "kernel_size": 3}, (7, 2), (7, 3)),
        ("QDepthwiseConv2D", {**DEPTHWISE, "padding": "VALID"}, (4, 5, 2), (3, 4, 2)),
        ("QDepthwiseConv2D", {**DEPTHWISE, "depth_multiplier": 3}, (4, 5, 2), (3, 4, 6)),
        (
            "QSeparableConv2D",
            {**DEPTHWISE, "pointwise_quantizer": GRID, "filters": 5, "depth_multiplier": 2},
            (4, 5, 2),
            (3, 4, 5),
        ),
        ("MaxPooling2D", {"pool_size": [2, 2], "padding": "valid"}, (5, 7, 3), (2, 3, 3)),
        (
            "MaxPooling2D",
            {"pool_size": 3, "strides": [1, 2], "padding": "same"},
            (5, 7, 3),
            (5, 4, 3),
        ),
        ("AveragePooling2D", {"pool_size": 2, "padding": "same"}, (5, 7, 3), (3, 4, 3)),
        ("MaxPooling1D", {"pool_size": [3], "strides": [1], "padding": "valid"}, (7, 2), (5, 2)),
        ("AveragePooling1D", {"pool_size": 4, "padding": "valid"}, (9, 2), (2, 2)),
        ("AveragePooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, (3, 1), (2, 1)),
        ("GlobalAveragePooling2D", {}, (2, 4, 3), (3,)),
        ("GlobalMaxPooling2D", {}, (3, 5, 3), (3,)),
        ("GlobalMaxPooling1D", {"keepdims": False}, (3, 2), (2,)),
        ("UpSampling1D", {"size": 3}, (4, 2), (12, 2)),
        ("UpSampling2D", {"size": [1, 2]}, (4, 2, 1), (4, 4, 1)),
        ("ZeroPadding1D", {"padding": [1, 2]}, (4, 2), (7, 2)),
        ("ZeroPadding2D", {"padding": [[1, 0], [0, 2]]}, (4, 2, 1), (5, 4, 1)),
        ("ZeroPadding2D", {"padding": [1, 2]}, (4, 2, 1), (6, 6, 1)),
        ("Cropping1D", {"cropping": 1}, (4, 2), (2, 2)),
        ("Cropping2D", {"cropping": [[1, 0], [0, 1]]}, (4, 2, 1), (3, 1, 1)),
    ],
)
def test_shapes(
    kind: str, config: dict[str, Any], read: tuple[int, ...], made: tuple[int, ...]
) -> None:
    assert shape_after(read, kind, config) == made


@pytest.mark.parametrize(
    ("kind", "config", "read", "reason"),
    [
        ("AveragePooling2D", {"pool_size": 3, "padding": "valid"}, (6, 6, 1), "mean over 9"),
        ("AveragePooling2D", {"pool_size": [1, 4], "padding": "same"}, (2, 7, 1), "mean over 3"),
        ("GlobalAveragePooling2D", {}, (3, 4, 1), "mean over 12 elements"),
        ("GlobalAveragePooling1D", {}, (5, 1), "use windows of 2, 4, 8"),
        ("MaxPooling2D", {"pool_size": 9, "padding": "valid"}, (6, 6, 1), "window is larger"),
        ("Cropping1D", {"cropping": [2, 2]}, (4, 1), "window is larger"),
        ("QConv1D", SEQUENCE, (7, 2, 1), "not steps x channels"),
        ("MaxPooling2D", {"pool_size": 2, "padding": "valid"}, (7, 2), "not height x width"),
    ],
)
def test_shapes_that_cannot_be(
    kind: str, config: dict[str, Any], read: tuple[int, ...], reason: str
) -> None:
    assert reason in shape_after(read, kind, config)


@pytest.mark.parametrize(
    ("kind", "config", "reasons"),
    [
        (
            "QConv1D",
            {**SEQUENCE, "padding": "causal", "strides": [2], "filters": 0},
            ["strides with padding='causal'", "0 filters"],
        ),
        ("QConv1D", {**SEQUENCE, "dilation_rate": [2]}, ["dilation_rate [2]"]),
        ("QConv1D", {**SEQUENCE, "padding": "full"}, ["padding 'full'"]),
        ("QDepthwiseConv2D", {**DEPTHWISE, "strides": [1, 2]}, ["use equal strides"]),
        ("QDepthwiseConv2D", {**DEPTHWISE, "depth_multiplier": 0}, ["depth_multiplier 0"]),
        ("QDepthwiseConv2D", {**DEPTHWISE, "padding": "causal"}, ["padding 'causal'"]),
        (
            "QSeparableConv2D",
            {**DEPTHWISE, "filters": 2, "kernel_size": None},
            ["l pointwise_quantizer: is missing", "kernel_size None"],
        ),
        (
            "MaxPooling2D",
            {"pool_size": 0, "padding": "causal", "data_format": "channels_first"},
            ["pool_size 0", "padding 'causal'", "data_format 'channels_first'"],
        ),
        ("GlobalMaxPooling2D", {"keepdims": True}, ["use Reshape after it"]),
        ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}, ["interpolation 'bilinear'"]),
        ("ZeroPadding2D", {"padding": [1, -1]}, ["padding [1, -1]"]),
        ("QAveragePooling2D", {"pool_size": 0}, ["pool_size 0", "padding 'none'"]),
        ("SeparableConv1D", SEQUENCE, ["float weights", "use QSeparableConv1D with"]),
        ("Cropping1D", {"cropping": [1, 2, 3]}, ["cropping [1, 2, 3]"]),
    ],
)
def test_parameters_that_are_refused(kind: str, config: dict[str, Any], reasons: list[str]) -> None:
    with pytest.raises(ModelError) as caught:
        read_layer(kind, "l", config)
    for reason in reasons:
        assert reason in str(caught.value)


IMAGE = {**CONV, "filters": 2, "kernel_size": [3, 3], "padding": "same"}


def test_an_image_after_convolutions_is_a_stream_and_a_vector_is_not() -> None:
    image = chain((8, 8, 1), ("QConv2D", IMAGE))
    assert streamable(image) and not stream_problems(image)
    assert not streamable(chain((8, 8, 1), ("QConv2D", IMAGE), ("Flatten", {})))
    assert not streamable(chain((8, 8, 1), ("QConv2D", IMAGE), ("GlobalMaxPooling2D", {})))
    assert not streamable(chain((8, 1), ("QConv1D", SEQUENCE)))
    assert not streamable(chain((8, 8, 1), ("UpSampling2D", {"size": 2})))
