"""Tanh and Sigmoid of ONNX with a quantizer behind them: which table, and by whose numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.onnx_models import QCDQ, QONNX, Builder
from trigger_ml.errors import ModelError
from trigger_ml.frontends.onnx_grids import Grid
from trigger_ml.frontends.onnx_network import read_onnx_network
from trigger_ml.frontends.onnx_tables import by_onnxruntime, function_quantizer
from trigger_ml.frontends.onnx_walk import Function
from trigger_ml.frontends.quantizers import canonical_quantizer, needs_table, quantizer_type


def quantizer(op: str, exponent: int, low: int, high: int) -> dict[str, Any]:
    return function_quantizer(Function(op, "node f"), Grid(exponent, low, high), "node q")


@pytest.mark.parametrize(
    ("op", "grid", "bits", "symmetric"),
    [
        ("Tanh", (-7, -128, 127), 8, 0),
        ("Tanh", (-7, -127, 127), 8, 1),
        ("Tanh", (-3, -8, 7), 4, 0),
        ("Sigmoid", (-8, 0, 255), 8, 0),
        ("Sigmoid", (-7, -128, 127), 7, 0),
        ("Sigmoid", (-7, -127, 127), 7, 0),
    ],
)
def test_the_quantizer_of_qkeras(
    op: str, grid: tuple[int, int, int], bits: int, symmetric: int
) -> None:
    found = quantizer(op, *grid)
    assert found["config"] == {
        "bits": bits,
        "symmetric": symmetric,
        f"use_real_{op.lower()}": True,
    }
    assert needs_table(canonical_quantizer(found, "node q") or {})
    kind = quantizer_type(found)
    exponent, low, high = grid
    assert kind.max_code * kind.step == high * 2.0**exponent
    assert kind.fraction == -exponent
    assert kind.min_code * kind.step == (low if op == "Tanh" else 0) * 2.0**exponent


@pytest.mark.parametrize(
    ("op", "grid"),
    [
        ("Tanh", (-6, -128, 127)),
        ("Tanh", (-7, 0, 127)),
        ("Tanh", (-7, -64, 63)),
        ("Tanh", (0, -1, 0)),
        ("Sigmoid", (-8, 1, 255)),
        ("Sigmoid", (-6, 0, 255)),
        ("Sigmoid", (0, 0, 0)),
    ],
)
def test_grids_that_end_elsewhere(op: str, grid: tuple[int, int, int]) -> None:
    with pytest.raises(ModelError, match=r"node q: the codes .* and a table ends one step below 1"):
        quantizer(op, *grid)


class quantized_tanh:
    """QKeras' quantizer, as far as it is asked."""

    bits, symmetric, use_real_tanh = 6, True, True


class quantized_sigmoid:
    bits, symmetric, use_real_sigmoid = 5, False, True


class Layer:
    def __init__(self, of: Any) -> None:
        self.quantizer = of


def test_entries_are_those_of_onnxruntime() -> None:
    values = (np.arange(-512, 512) / 64).astype(np.float32)
    tanh = by_onnxruntime(Layer(quantized_tanh()), "activation", values)
    exact = np.clip(np.rint(np.tanh(values.astype(np.float64)) * 32), -31, 31) / 32
    assert tanh.dtype == np.float32 and np.array_equal(tanh, exact)
    sigmoid = by_onnxruntime(Layer(quantized_sigmoid()), "activation", values.reshape(2, -1))
    steps = np.rint(32 / (1 + np.exp(-values.astype(np.float64))))
    assert np.array_equal(sigmoid.ravel(), np.clip(steps, 0, 31) / 32)


@pytest.mark.parametrize("dialect", [QONNX, QCDQ])
def test_a_function_and_its_quantizer_are_one_layer(tmp_path: Path, dialect: str) -> None:
    model = Builder(dialect)
    layer = model.quant(model.dense(model.quant("x", 5, 0.25), 4, 4), 6, 0.125)
    layer = model.quant(model.node("Tanh", layer), 6, 2.0**-5)
    layer = model.node("Sigmoid", model.quant(model.dense(layer, 4, 3), 6, 0.125))
    path = model.save(tmp_path / "model.onnx", model.quant(layer, 8, 2.0**-8, signed=False))
    network = read_onnx_network(path).network
    assert network.tail == ""
    names = [
        layer.config["activation"]["class_name"]
        for layer in network.layers
        if layer.kind == "QActivation"
    ]
    assert names == ["quantized_bits"] * 2 + ["quantized_tanh", "quantized_bits"] + [
        "quantized_sigmoid"
    ]
