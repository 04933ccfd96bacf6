"""Depthwise and separable convolutions written as plain ones: the same sums."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.expanding import expanded_convolutions
from trigger_ml.frontends.folding import rebuilt

WINDOW = {"kernel_size": [2, 2], "strides": [1, 1], "padding": "valid"}
LAYER = {
    **WINDOW,
    "name": "c",
    "data_format": "channels_last",
    "depthwise_quantizer": "D",
    "bias_quantizer": "B",
    "activation": "A",
}


def convolved(
    image: NDArray[Any], kernel: NDArray[Any], bias: NDArray[Any] | float = 0.0
) -> NDArray[Any]:
    """A plain convolution: kernel (height, width, channels, filters), no zeros around."""
    rows, columns = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
    out = np.zeros((rows, columns, kernel.shape[3]))
    for i, j in np.ndindex(rows, columns):
        window = image[i : i + kernel.shape[0], j : j + kernel.shape[1]]
        out[i, j] = np.tensordot(window, kernel, axes=3) + bias
    return out


def depthwise(image: NDArray[Any], kernel: NDArray[Any]) -> NDArray[Any]:
    """Filter m of channel c is output channel c * multiplier + m, as TensorFlow orders them."""
    parts = [
        convolved(image[..., c : c + 1], kernel[:, :, c : c + 1, m : m + 1])
        for c in range(kernel.shape[2])
        for m in range(kernel.shape[3])
    ]
    return np.concatenate(parts, axis=-1)


def network(kind: str, config: dict[str, Any]) -> str:
    first = {"class_name": "InputLayer", "config": {"name": "x"}, "inbound_nodes": []}
    node = {"class_name": kind, "config": config, "inbound_nodes": [[["x", 0, 0, {}]]]}
    return json.dumps({"class_name": "Functional", "config": {"layers": [first, node]}})


def layers_of(text: str) -> dict[str, Any]:
    return {item["config"]["name"]: item for item in json.loads(text)["config"]["layers"]}


def test_a_depthwise_convolution_mixes_no_channels() -> None:
    random = np.random.default_rng(1)
    kernel = random.integers(-3, 4, (2, 2, 3, 2)).astype(np.float32)
    bias = random.integers(-3, 4, 6).astype(np.float32)
    text = network("QDepthwiseConv2D", {**LAYER, "use_bias": True, "depth_multiplier": 2})
    changes, arrays = expanded_convolutions(text, {"c": [kernel, bias]})
    made = layers_of(rebuilt(text, changes))["c"]
    assert made["class_name"] == "QConv2D"
    options = {**WINDOW, "filters": 6, "kernel_quantizer": "D", "bias_quantizer": "B"}
    assert made["config"].items() >= {**options, "use_bias": True, "activation": "A"}.items()
    image = random.integers(-4, 5, (4, 3, 3)).astype(float)
    expected = depthwise(image, kernel) + bias
    assert np.array_equal(convolved(image, *arrays["c"]), expected)


def test_a_separable_convolution_is_two() -> None:
    random = np.random.default_rng(2)
    kernel = random.integers(-3, 4, (2, 2, 3, 2)).astype(np.float32)
    mixing = random.integers(-3, 4, (1, 1, 6, 2)).astype(np.float32)
    config = {**LAYER, "use_bias": False, "bias_quantizer": None, "pointwise_quantizer": "P"}
    text = network("QSeparableConv2D", config)
    changes, arrays = expanded_convolutions(text, {"c": [kernel, mixing]})
    made = layers_of(rebuilt(text, changes))
    first, second = made["c_mixed"], made["c"]
    assert first["config"]["activation"] == "linear" and first["config"]["kernel_quantizer"] == "D"
    assert second["inbound_nodes"] == [[["c_mixed", 0, 0, {}]]]
    assert second["config"]["kernel_size"] == [1, 1] and second["config"]["activation"] == "A"
    assert second["config"]["kernel_quantizer"] == "P" and not second["config"]["use_bias"]
    image = random.integers(-4, 5, (4, 3, 3)).astype(float)
    expected = convolved(depthwise(image, kernel), mixing)
    between = convolved(image, *arrays["c_mixed"])
    assert np.array_equal(convolved(between, *arrays["c"]), expected)


def test_sequences_and_other_layers() -> None:
    config = {**LAYER, "kernel_size": [3], "strides": [2], "padding": "causal"}
    config |= {"use_bias": True, "pointwise_quantizer": "P"}
    text = network("QSeparableConv1D", config)
    arrays = [np.ones(shape, np.float32) for shape in ((3, 2, 1), (1, 2, 4), (4,))]
    changes, made = expanded_convolutions(text, {"c": arrays})
    first, second = changes["c"]
    assert first.kind == second.kind == "QConv1D"
    assert first.config["padding"] == "causal" and first.config["strides"] == [2]
    assert second.config["strides"] == [1] and second.config["padding"] == "valid"
    assert [values.shape for values in made["c_mixed"]] == [(3, 2, 2)]
    assert not made["c_mixed"][0][:, [0, 1], [1, 0]].any()
    again = text.replace('"name": "x"', '"name": "C_mixed"')
    assert set(expanded_convolutions(again, {"c": arrays})[1]) == {"c_mixed_", "c"}
    plain = network("QConv2D", {**LAYER, "use_bias": True})
    assert expanded_convolutions(plain, {"c": []}) == ({}, {})
