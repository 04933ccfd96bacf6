"""What a stream of columns can hold of a Keras file, and why not the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.frontends.test_keras_windows import CONV, GRID, IMAGE, chain
from trigger_ml.errors import ModelError
from trigger_ml.frontends.keras_images import layer_shapes, streamable
from trigger_ml.frontends.keras_streams import stream_problems

VALID = {"padding": "valid"}
DEPTHWISE = {**CONV, "kernel_size": [3, 3], "padding": "same", "depthwise_quantizer": GRID}


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("QConv2D", {**IMAGE, "strides": [1, 2]}),
        ("QConv2D", {**IMAGE, "strides": [2, 2]}),
        ("QDepthwiseConv2D", {**DEPTHWISE, "strides": [2, 2], "depth_multiplier": 2}),
        ("QSeparableConv2D", {**DEPTHWISE, "pointwise_quantizer": GRID, "filters": 2}),
        ("BatchNormalization", {"axis": [3]}),
        ("LeakyReLU", {"alpha": 0.5}),
        ("PReLU", {}),
        ("AveragePooling2D", {"pool_size": [2, 2], "strides": [2, 2], **VALID}),
        ("AveragePooling2D", {"pool_size": [1, 2], "strides": [1, 2], "padding": "same"}),
        ("MaxPooling2D", {"pool_size": [2, 3], "strides": [2, 3], **VALID}),
        ("MaxPooling2D", {"pool_size": [3, 3], "strides": [2, 2], **VALID}),
        ("ZeroPadding2D", {"padding": [[1, 0], [0, 2]]}),
        ("Cropping2D", {"cropping": [[1, 0], [0, 2]]}),
    ],
)
def test_a_stream_holds_a_layer_before_a_convolution(kind: str, config: dict[str, Any]) -> None:
    layers = chain((9, 8, 1), ("QConv2D", IMAGE), (kind, config), ("QConv2D", IMAGE))
    assert streamable(layers) and not layer_shapes(layers)[1]
    assert stream_problems(layers) == []


def test_what_a_stream_cannot_hold_is_all_named() -> None:
    layers = chain(
        (9, 8, 1),
        ("QConv2D", {**IMAGE, "strides": [1, 2]}),
        ("Reshape", {"target_shape": [9, 4, 2]}),
        ("MaxPooling2D", {"pool_size": [2, 2], "strides": [2, 2], "padding": "same"}),
        ("MaxPooling2D", {"pool_size": [1, 2], "strides": [2, 1], **VALID}),
        ("QConv2D", {**IMAGE, "kernel_size": [1, 2], "strides": [2, 1], **VALID}),
    )
    assert streamable(layers)
    text = str(ModelError(stream_problems(layers)))
    for part in (
        "layer l1: a Reshape has no place in a stream of columns",
        "firmware.io_type: io_parallel for a small image",
        "layer l2: windows of 2x2 each 2x2 reach beyond 9x4",
        "layer l3: a window of one row with strides [2, 1]",
        "layer l4: a kernel of one row with strides [2, 1]",
    ):
        assert part in text
    assert "layer l0" not in text


def test_a_wider_image_is_one_that_windows_take_in_again() -> None:
    rim = ("ZeroPadding2D", {"padding": [[1, 1], [2, 0]]})
    act = ("QActivation", {"activation": GRID})
    inside = chain((4, 4, 1), rim, act, rim, ("QConv2D", IMAGE))
    assert stream_problems(inside) == []
    for layers in (
        chain((4, 4, 1), ("QConv2D", IMAGE), rim),
        chain((4, 4, 1), ("QConv2D", IMAGE), rim, act),
        chain((4, 4, 1), ("QConv2D", IMAGE), rim, ("BatchNormalization", {}), ("QConv2D", IMAGE)),
        chain((4, 4, 1), rim, ("UpSampling2D", {"size": [1, 2]}), ("QConv2D", IMAGE)),
    ):
        (blocker,) = stream_problems(layers)
        assert "makes the image 2 columns wider" in blocker.what
    rows = ("ZeroPadding2D", {"padding": [[1, 1], [0, 0]]})
    assert stream_problems(chain((4, 4, 1), ("QConv2D", IMAGE), rows)) == []


def test_slopes_are_those_of_all_columns() -> None:
    layers = chain((2, 3, 2), ("PReLU", {}), ("QConv2D", IMAGE))
    slopes = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    assert stream_problems(layers, {"l0": (slopes[:, :1],)}) == []
    assert stream_problems(layers, {"l0": (np.repeat(slopes[:, :1], 3, axis=1),)}) == []
    (blocker,) = stream_problems(layers, {"l0": (slopes,)})
    assert (blocker.where, blocker.fix) == ("layer l0", "share them: PReLU(shared_axes=[1, 2])")
