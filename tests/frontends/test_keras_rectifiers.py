"""The family of ReLU in Keras files."""

from typing import Any

import numpy as np
import pytest

from tests.frontends.keras_json import dense, keras_input, layer, network, quantizer
from trigger_ml.errors import ModelError
from trigger_ml.frontends.keras_layers import read_layer


def read(kind: str, **config: Any) -> dict[str, Any]:
    return read_layer(kind, "r", config)


def test_numbers_of_few_bits_are_kept() -> None:
    assert read("ReLU", max_value=None, negative_slope=0.0, threshold=0.0)["max_value"] is None
    assert read("ReLU", max_value=6.0)["max_value"] == 6.0
    assert read("ReLU", negative_slope=0.125)["negative_slope"] == 0.125
    assert read("LeakyReLU", alpha=0.25)["alpha"] == 0.25
    assert read("LeakyReLU", negative_slope=0.5) == {"name": "r", "alpha": 0.5, "dtype": "float32"}
    assert read("ThresholdedReLU", theta=1.5)["theta"] == 1.5
    assert read("Activation", activation="relu6")["activation"] == "relu6"
    assert read("Activation", activation="linear")["activation"] == "linear"


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        ("ReLU", {"max_value": 2.5}, "max_value 2.5: hls4ml cuts at whole numbers"),
        ("ReLU", {"max_value": 0}, "max_value 0"),
        ("ReLU", {"threshold": 1.0}, "threshold 1.0 leaves a jump"),
        ("ReLU", {"max_value": 6, "negative_slope": 0.5}, "together with negative_slope 0.5"),
        ("ReLU", {"negative_slope": 0.3}, "negative_slope 0.3 is not a multiple of"),
        ("LeakyReLU", {}, "alpha 0.3 is not a multiple of"),
        ("LeakyReLU", {"alpha": -0.5}, "alpha -0.5"),
        ("LeakyReLU", {"alpha": 1.5}, "alpha 1.5"),
        ("LeakyReLU", {"alpha": [0.5]}, r"alpha \[0.5\]"),
        ("LeakyReLU", {"alpha": float("nan")}, "alpha nan"),
        ("ThresholdedReLU", {"theta": 0.1}, "theta 0.1"),
        ("ELU", {"alpha": 1.0}, "results of ELU are real numbers"),
        ("Activation", {"activation": "selu"}, "results of selu are real numbers"),
        ("Activation", {"activation": "leaky_relu"}, "slope of 0.2"),
    ],
)
def test_what_cannot_be_exact_is_refused(kind: str, config: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read(kind, **config)


def prelu(slopes: list[float], *shape: int) -> dict[str, tuple[np.ndarray, ...]]:
    """Slopes that a network of an image of 2x2x3 gives its PReLU; what is read of them."""
    items = [
        keras_input("x", 2, 2, 3),
        quantizer("grid", "x"),
        layer("PReLU", "r", ("grid",), shared_axes=[1, 2]),
        layer("Flatten", "flat", ("r",)),
        dense("fc", "flat", 2),
    ]
    weights = {"r": (np.array(slopes, np.float32).reshape(shape),)}
    file = network(items, weights=weights)
    assert next(item for item in file.layers if item.name == "r").config["shared_axes"] is None
    return dict(file.weights)


def test_shared_slopes_are_repeated() -> None:
    (slopes,) = prelu([0.5, -0.25, 1], 1, 1, 3)["r"]
    assert slopes.shape == (2, 2, 3) and slopes.dtype == np.float32
    assert np.array_equal(slopes[1, 0], [0.5, -0.25, 1])


def test_slopes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ModelError, match=r"layer r: its slopes are not all multiples of 2\*\*-8"):
        prelu([0.5, 0.3, 0], 1, 1, 3)
    with pytest.raises(ModelError, match="not all multiples"):
        prelu([0.5, 2, 0], 1, 1, 3)
    with pytest.raises(ModelError, match=r"slopes of shape \(4,\) for values of shape \(2, 2, 3\)"):
        prelu([0.5] * 4, 4)
