"""Layers of constants are the batch normalizations that say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.float_graph.networks import Model, conv, draw, normal
from tests.frontends.keras_json import keras_input, layer
from trigger_ml.errors import ModelError
from trigger_ml.float_graph.network import simplified
from trigger_ml.float_graph.scalings import without_scalings
from trigger_ml.frontends.normalization import constants

MEAN = np.array([1.0, -2.0], np.float32)
VARIANCE = np.array([4.0, 0.25], np.float32)


def model(kind: str, *shape: int, weights: Any = (), **config: Any) -> Model:
    items = [
        keras_input("x", *shape),
        layer(kind, "scaled", ("x",), **config),
        layer("Flatten", "flat", ("scaled",)),
        layer("Dense", "out", ("flat",), units=2),
    ]
    size = int(np.prod(shape))
    return Model(items, {"scaled": weights, "out": (draw(1, size, 2), draw(2, 2))})


def constants_of(made: Model) -> tuple[np.ndarray, np.ndarray]:
    network = without_scalings(made.read())
    (found,) = (item for item in network.layers if item.name == "scaled")
    assert found.kind == "BatchNormalization"
    return constants("scaled", found.config, network.weights["scaled"])


@pytest.mark.parametrize(
    ("config", "scale", "shift"),
    [
        ({"scale": 1 / 255}, [1 / 255] * 2, [0, 0]),
        ({"scale": [2, 0.5], "offset": 1}, [2, 0.5], [1, 1]),
        ({"scale": {"class_name": "__numpy__", "config": {"value": [3.0]}}}, [3, 3], [0, 0]),
    ],
)
def test_rescaling(config: dict[str, Any], scale: list[float], shift: list[float]) -> None:
    found = constants_of(model("Rescaling", 3, 2, **config))
    np.testing.assert_allclose(found, (scale, shift), rtol=1e-6)


@pytest.mark.parametrize("axis", [-1, [2], [-1], 2])
def test_normalization_with_what_adapt_stored(axis: Any) -> None:
    stored = (MEAN, VARIANCE, np.float32(50))
    found = constants_of(model("Normalization", 3, 2, weights=stored, axis=axis))
    np.testing.assert_allclose(found, ([0.5, 2], [-0.5, 4]), rtol=1e-6)


def test_normalization_with_its_own_constants() -> None:
    own = {"axis": None, "mean": 3.0, "variance": [[0.25]]}
    found = constants_of(model("Normalization", 3, 2, **own))
    np.testing.assert_allclose(found, ([2, 2], [-6, -6]), rtol=1e-6)
    found = constants_of(model("Normalization", 3, 2, invert=True, **own))
    np.testing.assert_allclose(found, ([0.5, 0.5], [3, 3]), rtol=1e-6)
    # Keras divides by 1e-7 where nothing varies.
    found = constants_of(model("Normalization", 3, 2, mean=1.0, variance=0.0))
    np.testing.assert_allclose(found, ([1e7, 1e7], [-1e7, -1e7]), rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "config", "weights", "text"),
    [
        ("Rescaling", {"scale": "code"}, (), "its scale is no number, and no list of numbers"),
        ("Rescaling", {"scale": float("nan")}, (), "its scale is no number"),
        ("Rescaling", {"scale": [1, 2, 3]}, (), r"shapes \(3,\) and \(\) for 2 channels"),
        ("Normalization", {"axis": [1, 2]}, (), r"the places of axes \[1, 2\]"),
        ("Normalization", {"axis": 1}, (MEAN, VARIANCE), "of axis 1, not of the last one"),
        ("Normalization", {}, (), "has no mean and no variance"),
        ("Normalization", {}, (MEAN, -VARIANCE), "its variance is negative"),
    ],
)
def test_what_is_refused(kind: str, config: dict[str, Any], weights: Any, text: str) -> None:
    with pytest.raises(ModelError, match=text):
        without_scalings(model(kind, 3, 2, weights=weights, **config).read())


def test_constants_go_into_the_weights_behind_a_flatten() -> None:
    """Each channel comes again for each place."""
    made = without_scalings(model("Normalization", 3, 2, weights=(MEAN, VARIANCE)).read())
    kernel, bias = (values.astype(np.float64) for values in made.weights["out"])
    network = simplified(made)
    assert [item.kind for item in network.layers] == ["InputLayer", "Flatten", "Dense"]
    x = np.random.default_rng(1).normal(size=(20, 3, 2))
    wanted = ((x - MEAN) / np.sqrt(VARIANCE)).reshape(20, -1) @ kernel + bias
    folded, added = network.weights["out"]
    np.testing.assert_allclose(x.reshape(20, -1) @ folded + added, wanted, atol=1e-5)


@pytest.mark.parametrize(("offset", "left"), [(0.0, 0), (0.5, 1)])
def test_zeros_around_an_image_stay_zero_without_a_shift(offset: float, left: int) -> None:
    items = [
        keras_input("x", 4, 4, 1),
        layer("Rescaling", "scaled", ("x",), scale=0.25, offset=offset),
        conv("conv", "scaled", 2, padding="same", activation="relu"),
        layer("Flatten", "flat", ("conv",)),
        layer("Dense", "out", ("flat",), units=2),
    ]
    weights = {
        "conv": (draw(1, 3, 3, 1, 2), draw(2, 2)),
        "out": (draw(3, 32, 2), draw(4, 2)),
    }
    network = simplified(without_scalings(Model(items, weights).read()))
    kinds = [item.kind for item in network.layers]
    assert kinds.count("BatchNormalization") == left
    quarter = np.array_equal(network.weights["conv"][0], weights["conv"][0] / 4)
    assert quarter is not bool(left)


def test_normalization_behind_a_pool_goes_into_the_dense_layer() -> None:
    items = [
        keras_input("x", 4, 4, 2),
        layer("MaxPooling2D", "pool", ("x",), pool_size=[2, 2], padding="valid"),
        layer("BatchNormalization", "bn", ("pool",)),
        layer("Flatten", "flat", ("bn",)),
        layer("Dense", "out", ("flat",), units=2),
    ]
    weights = {"bn": normal(5, 2), "out": (draw(3, 8, 2), draw(4, 2))}
    kinds = [item.kind for item in simplified(Model(items, weights).read()).layers]
    assert "BatchNormalization" not in kinds
