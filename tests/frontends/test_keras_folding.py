"""QKeras layers that hold a batch normalization: read, and folded as QKeras folds them."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.frontends.keras_json import Item, keras_input, layer, network, quantizer
from trigger_ml.errors import ModelError
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_folding import FOLDED, fold
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.quantizers import canonical_quantizer

BITS = "quantized_bits(6,2,alpha=1)"
NORMAL = {"axis": [1], "epsilon": 0.0, "center": True, "scale": True}
Arrays = tuple[Any, ...]


def vector(*values: float) -> Any:
    return np.array(values, np.float32)


def dense(**config: Any) -> Item:
    options = {"units": 2, "kernel_quantizer": BITS, "bias_quantizer": BITS, **NORMAL}
    return layer("QDenseBatchnorm", "fc", ("grid",), **{**options, **config})


def items(last: Item) -> list[Item]:
    return [keras_input("x", 2), quantizer("grid", "x"), last]


KERNEL = np.array([[1, -1], [0.5, 2]], np.float32)
STATISTICS = (vector(2, 3), vector(0.5, -1), vector(1, 2), vector(4, 16))
"""gamma, beta, mean and variance."""


def test_kernel_and_bias_are_folded() -> None:
    weights: dict[str, Arrays] = {"fc": (KERNEL, vector(3, 0), *STATISTICS)}
    made = network(items(dense()), weights=weights)
    kernel, bias = made.weights["fc"]
    # gamma / sqrt(variance) is 1 and 0.75.
    assert np.array_equal(kernel, KERNEL * vector(1, 0.75))
    assert np.array_equal(bias, vector(1 * (3 - 1) + 0.5, 0.75 * (0 - 2) - 1))
    last = made.layers[-1]
    assert (last.kind, last.config["use_bias"], FOLDED in last.config) == ("QDense", True, False)
    assert "QDenseBatchnorm" in made.notes[0]
    assert "Batchnorm" not in made.architecture(tail=False, input_quantizer=None)


def test_without_a_bias_gamma_and_beta() -> None:
    config = {"use_bias": False, "scale": False, "center": False, "epsilon": 0.5}
    weights = {"fc": (KERNEL, vector(1, 2), vector(3.5, 15.5))}
    made = network(items(dense(**config)), weights=weights)
    kernel, bias = made.weights["fc"]
    assert made.layers[-1].config["use_bias"]
    assert np.array_equal(kernel, KERNEL * vector(0.5, 0.25))
    assert np.array_equal(bias, vector(-0.5, -0.5))


def test_channels_of_a_depthwise_kernel_have_their_own_factors() -> None:
    normal = {"class": "QDepthwiseConv2DBatchnorm", "use_bias": False, "scale": True}
    config = {FOLDED: {**normal, "center": True, "epsilon": 0.0}}
    gamma, zeros = vector(1, 2, 4, 8), np.zeros(4, np.float32)
    arrays = (np.ones((2, 1, 2, 2), np.float32), gamma, zeros, zeros, np.ones(4, np.float32))
    made = fold([Layer("dw", "QDepthwiseConv2D", ("x",), config)], {"dw": arrays})
    # Channel 0 makes results 0 and 1, channel 1 results 2 and 3.
    assert np.array_equal(made.weights["dw"][0][0, 0], [[1, 2], [4, 8]])
    assert not made.blockers


def test_weights_on_the_edge_are_counted() -> None:
    bits = canonical_quantizer("quantized_bits(4,1,alpha=1)", "here")
    normal = {"class": "QDenseBatchnorm", "use_bias": False, "scale": False, "center": False}
    config = {
        FOLDED: {**normal, "epsilon": 0.0},
        "kernel_quantizer": bits,
        "bias_quantizer": bits,
    }
    # Steps of 1/4: 0.125 and -0.375 lie in the middle, 5.125 outside, 0.126 beside it.
    kernel = np.array([[0.125, -0.375, 5.125, 0.126]], np.float32)
    ones = np.ones(4, np.float32)
    made = fold([Layer("fc", "QDense", ("x",), config)], {"fc": (kernel, 0 * ones, ones)})
    assert "; 2 of them lie" in made.notes[0]


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"bias_quantizer": None}, "fc bias_quantizer: is missing"),
        ({"bias_quantizer": None, "use_bias": False}, "fc bias_quantizer: is missing"),
        ({"axis": [0]}, "fc: normalizes axis 0"),
        ({"renorm": True}, "fc: renorm=True"),
        ({"units": 0}, "fc: 0 units"),
    ],
)
def test_refused_layers(config: dict[str, Any], part: str) -> None:
    with pytest.raises(ModelError, match=part):
        network(items(dense(**config)))


def test_weights_that_do_not_belong_together() -> None:
    weights: dict[str, Arrays] = {"fc": (KERNEL, vector(3, 0), *STATISTICS[:3])}
    with pytest.raises(ModelError, match="does not hold the weights of its batch normalization"):
        network(items(dense()), weights=weights)
    weights = {"fc": (KERNEL, vector(3, 0), *STATISTICS[:3], vector(1, 2, 3))}
    with pytest.raises(ModelError, match="do not belong together"):
        network(items(dense()), weights=weights)
    weights = {"fc": (KERNEL, vector(3, 0), *STATISTICS[:3], vector(0, -1))}
    with pytest.raises(ModelError, match="6 of 6 weights are NaN or infinite"):
        network(items(dense()), weights=weights)


def stored(path: Path, arrays: dict[str, Any]) -> None:
    """A file as Keras 2 writes it, its arrays in another order than the layer takes them."""
    model = {"name": "net", "layers": items(dense())}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": model})
        group = file.create_group("model_weights/fc")
        for name, values in arrays.items():
            group[name] = values
        group.attrs["weight_names"] = [name.encode() for name in arrays]


def test_arrays_are_found_by_name_in_files_of_keras_2(tmp_path: Path) -> None:
    gamma, beta, mean, variance = STATISTICS
    arrays = {
        "fc/kernel:0": KERNEL,
        "fc/bias:0": vector(3, 0),
        "fc/batch_normalization/gamma:0": gamma,
        "fc/batch_normalization/beta:0": beta,
        "fc/iteration:0": np.int64(-1),
        "fc/batch_normalization/moving_mean:0": mean,
        "fc/batch_normalization/moving_variance:0": variance,
    }
    stored(tmp_path / "net.h5", arrays)
    kernel, bias = read_keras(tmp_path / "net.h5").weights["fc"]
    assert np.array_equal(kernel, KERNEL * vector(1, 0.75))
    assert np.array_equal(bias, vector(2.5, -2.5))


def test_arrays_in_files_of_keras_3(tmp_path: Path) -> None:
    gamma, beta, mean, variance = STATISTICS
    model = {"class_name": "Functional", "config": {"name": "net", "layers": items(dense())}}
    (tmp_path / "net.json").write_text(json.dumps(model))
    with h5py.File(tmp_path / "net.weights.h5", "w") as file:
        group = file.create_group("layers/q_dense_batchnorm")
        for key, own in (("0", KERNEL), ("1", vector(3, 0)), ("iteration", np.int64(-1))):
            group[f"vars/{key}"] = own
        for number, values in enumerate((gamma, beta, mean, variance)):
            group[f"batchnorm/vars/{number}"] = values
    kernel, bias = read_keras(tmp_path / "net.json").weights["fc"]
    assert np.array_equal(kernel, KERNEL * vector(1, 0.75))
    assert np.array_equal(bias, vector(2.5, -2.5))
