"""Convolutions, windows, rims and normalizations of HGQ2 files: what is read, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.keras_v3_layers import RULES, read_layer
from trigger_ml.frontends.model_file import Layer

QUANTIZER = {
    "class_name": "QuantizerConfig",
    "config": {
        "q_type": "kif",
        "place": "datalane",
        "round_mode": "RND",
        "overflow_mode": "WRAP",
        "homogeneous_axis": [0],
        "heterogeneous_axis": None,
    },
}
CONV = {
    "filters": 4,
    "kernel_size": [3, 2],
    "strides": [1, 1],
    "padding": "valid",
    "data_format": "channels_last",
    "dilation_rate": [1, 1],
    "groups": 1,
    "activation": "relu",
    "use_bias": True,
    "iq_conf": QUANTIZER,
    "kq_conf": QUANTIZER,
    "bq_conf": QUANTIZER,
    "parallelization_factor": 12,
    "kernel_initializer": {"class_name": "GlorotUniform"},
}
ALONG = {"kernel_size": [3], "strides": [1], "dilation_rate": [1]}
POOL = {"pool_size": [2, 2], "strides": [2, 2], "padding": "valid", "iq_conf": QUANTIZER}
NORMAL = {"axis": -1, "epsilon": 1e-3, **{f"{key}_conf": QUANTIZER for key in ("iq", "kq", "bq")}}


def shape_of(kind: str, config: dict[str, Any], shape: tuple[int, ...]) -> Any:
    found = read_layer(kind, "it", config)
    return RULES[kind].shape(Layer("it", kind, ("before",), found), [shape])


def refusal(kind: str, config: dict[str, Any], shape: tuple[int, ...] = (6, 5, 4)) -> str:
    try:
        found = shape_of(kind, config, shape)
    except ModelError as error:
        return str(error)
    assert isinstance(found, Blocker), found
    return f"{found.where}: {found.what} -> {found.fix}"


@pytest.mark.parametrize(
    ("kind", "config", "shape", "made"),
    [
        ("QConv2D", CONV, (6, 5, 4), (4, 4, 4)),
        ("QConv2D", CONV | {"padding": "same", "strides": [2, 2]}, (6, 5, 4), (3, 3, 4)),
        ("QConv2D", CONV | {"dilation_rate": [2, 3]}, (6, 5, 4), (2, 2, 4)),
        ("QConv2D", CONV | {"dilation_rate": 2, "padding": "same"}, (6, 5, 4), (6, 5, 4)),
        ("QConv2D", CONV | {"groups": 2, "use_bias": False}, (6, 5, 4), (4, 4, 4)),
        ("QConv1D", CONV | ALONG, (7, 4), (5, 4)),
        ("QConv1D", CONV | ALONG | {"padding": "causal", "strides": [2]}, (7, 4), (4, 4)),
        ("QMaxPooling2D", POOL, (6, 5, 4), (3, 2, 4)),
        ("QMaxPooling2D", POOL | {"strides": None}, (6, 5, 4), (3, 2, 4)),
        ("QAveragePooling2D", POOL | {"padding": "same"}, (6, 5, 4), (3, 3, 4)),
        ("MaxPooling1D", {"pool_size": [3], "strides": [1], "padding": "same"}, (5, 4), (5, 4)),
        ("QGlobalMaxPooling2D", {"iq_conf": QUANTIZER}, (3, 5, 4), (4,)),
        ("QGlobalAveragePooling1D", {"iq_conf": QUANTIZER}, (8, 4), (4,)),
        ("GlobalAveragePooling2D", {}, (2, 4, 4), (4,)),
        ("ZeroPadding2D", {"padding": [[1, 0], [0, 2]]}, (3, 3, 2), (4, 5, 2)),
        ("ZeroPadding1D", {"padding": [1, 2], "data_format": "channels_last"}, (3, 2), (6, 2)),
        ("Cropping2D", {"cropping": [[1, 0], [0, 2]]}, (3, 3, 2), (2, 1, 2)),
        ("Cropping1D", {"cropping": [1, 0]}, (3, 2), (2, 2)),
        ("UpSampling2D", {"size": [2, 3], "interpolation": "nearest"}, (3, 3, 2), (6, 9, 2)),
        ("UpSampling1D", {"size": 2}, (3, 2), (6, 2)),
        ("QBatchNormalization", NORMAL, (3, 3, 2), (3, 3, 2)),
        ("QBatchNormalization", NORMAL | {"axis": [3]}, (3, 3, 2), (3, 3, 2)),
    ],
)
def test_shapes(
    kind: str, config: dict[str, Any], shape: tuple[int, ...], made: tuple[int, ...]
) -> None:
    assert shape_of(kind, config, shape) == made


@pytest.mark.parametrize(
    ("kind", "config", "part"),
    [
        ("QConv2D", CONV | {"data_format": "channels_first"}, "put the channels last"),
        ("QConv2D", CONV | {"padding": "causal"}, "padding is 'causal'"),
        ("QConv2D", CONV | {"kernel_size": [3]}, "kernel_size is [3], not 2 whole numbers above"),
        ("QConv2D", CONV | {"strides": [0, 1]}, "strides is [0, 1], not 2 whole numbers above 0"),
        ("QConv2D", CONV | {"strides": 2, "dilation_rate": 2}, "no dilation with strides"),
        ("QConv2D", CONV | {"groups": 3}, "4 channels and 4 filters in 3 groups"),
        ("QConv2D", CONV | {"kernel_size": [7, 1]}, "its window is larger than its input"),
        ("QConv2D", CONV | {"activation": "tanh"}, "activation is 'tanh'"),
        ("QConv2D", CONV | {"kq_conf": None}, "kq_conf is None, not a QuantizerConfig"),
        ("QConv1D", CONV | ALONG, "reads a tensor of shape (6, 5, 4), not steps x channels"),
        ("QAveragePooling2D", POOL | {"pool_size": [3, 1]}, "a mean over 3 elements"),
        ("QGlobalAveragePooling2D", {"iq_conf": QUANTIZER}, "a mean over 30 elements"),
        ("GlobalMaxPooling2D", {"keepdims": True}, "keepdims has another shape"),
        ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}, "interpolation 'bilinear'"),
        ("Cropping2D", {"cropping": 3}, "its window is larger than its input"),
        ("ZeroPadding2D", {"padding": [[1, -1], [0, 0]]}, "padding [[1, -1], [0, 0]]"),
        ("QBatchNormalization", NORMAL | {"axis": 1}, "axis 1 of a tensor of shape (6, 5, 4)"),
        ("QBatchNormalization", NORMAL | {"epsilon": -1}, "epsilon is -1, not 0 to 1"),
        ("QBatchNormalization", NORMAL | {"axis": [1, 2]}, "axis is [1, 2]"),
    ],
)
def test_refusals(kind: str, config: dict[str, Any], part: str) -> None:
    assert part in refusal(kind, config)


def test_all_of_a_layer_at_once() -> None:
    text = refusal("QConv2D", CONV | {"filters": 0, "padding": "full", "iq_conf": None})
    for part in ("filters is 0", "padding is 'full'", "iq_conf is None"):
        assert part in text


def test_what_only_training_and_hls_need_is_left_out() -> None:
    found = read_layer("QConv2D", "it", CONV)
    assert found["kernel_initializer"] == "zeros"
    assert "parallelization_factor" not in found
    assert "kernel_initializer" not in read_layer("QBatchNormalization", "it", NORMAL)
