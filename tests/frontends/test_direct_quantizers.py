"""QKeras' quantizers in NumPy: their meaning, where they cannot be told, and QKeras itself."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trigger_ml.frontends.direct_quantizers import Undecided, quantized
from trigger_ml.frontends.quantizers import (
    activation_quantizer,
    canonical_quantizer,
    kernel_quantizer,
)

OF_WEIGHTS = (
    "quantized_bits(4,1,alpha=1)",
    "quantized_bits(4,1,1,alpha=1)",
    "quantized_bits(1,0,alpha=1)",
    "quantized_bits(4,0,keep_negative=False,alpha=1)",
    "quantized_bits(5,2,alpha=0.375,use_ste=False)",
    "quantized_bits(4,0,alpha='auto_po2')",
    "quantized_bits(4,0,alpha='auto_po2',scale_axis=0)",
    "binary(alpha=1)",
    "binary(use_01=True,alpha=0.75)",
    "binary(alpha='auto_po2')",
    "stochastic_binary(alpha='auto_po2')",
    "ternary(alpha=1,threshold=0.2)",
    "ternary(alpha='auto_po2')",
    "stochastic_ternary(alpha='auto_po2')",
    "quantized_po2(4)",
    "quantized_po2(5,max_value=2,quadratic_approximation=True)",
    "quantized_relu_po2(4,negative_slope=0.25)",
    "quantized_relu_po2(6,max_value=4)",
    "quantized_relu(4,1)",
)
OF_VALUES = (
    "quantized_relu(5,2,negative_slope=0.25)",
    "quantized_relu(5,2,relu_upper_bound=2.5,is_quantized_clip=False)",
    "quantized_tanh(5)",
    "quantized_tanh(5,symmetric=True)",
    "quantized_tanh(4,use_real_tanh=True)",
    "quantized_sigmoid(5)",
    "quantized_sigmoid(5,symmetric=True)",
    "quantized_sigmoid(4,use_real_sigmoid=True)",
    "quantized_hswish(6,2)",
    "binary(alpha=1)",
    "binary()",
    "ternary()",
    "ternary(alpha=0.5,threshold=0.7)",
)
QKERAS = """
import json, sys
import numpy as np
from trigger_ml.keras2 import bind_keras
bind_keras()
from trigger_ml.frontends.folding import evaluated
from qkeras import quantizers
asked, arrays = json.loads(sys.argv[1]), np.load(sys.argv[2])
made = {}
for number, quantizer in enumerate(asked):
    maker = getattr(quantizers, quantizer["class_name"])
    for name in arrays.files:
        made[f"{number}/{name}"] = evaluated(maker(**quantizer["config"]), arrays[name])
np.savez(sys.argv[3], **made)
"""


def call(text: str, values: Any) -> list[float]:
    read = canonical_quantizer(text, "q")
    assert read is not None
    found: list[float] = quantized(read, np.asarray(values)).tolist()
    return found


@pytest.mark.parametrize("symmetric", [0, 1])
def test_weights_are_rounded_to_even_and_clipped(symmetric: int) -> None:
    stored = [0.125, 0.375, -0.125, 5.0, -5.0, 0.1, 0.26]
    lowest = -1.75 if symmetric else -2.0
    found = call(f"quantized_bits(4,1,{symmetric},alpha=1)", stored)
    assert found == [0, 0.5, 0, 1.75, lowest, 0, 0.25]


def test_one_bit_with_a_sign_is_a_sign() -> None:
    assert call("quantized_bits(1,0,alpha=1)", [-0.3, 0.0, 0.2]) == [-1.0, 1.0, 1.0]


def test_powers_of_two_are_next_in_their_logarithm() -> None:
    assert call("quantized_po2(4)", [0.3, -1.5, 3.0, 100.0, 0.0]) == [0.25, -2.0, 4.0, 8.0, 0.0625]


def test_what_hangs_on_the_last_bit_is_not_told() -> None:
    """2**0.5 lies between 1 and 2, where one logarithm rounds up and another may round down."""
    with pytest.raises(Undecided):
        call("quantized_po2(4)", [np.sqrt(2)])
    with pytest.raises(Undecided):
        call("quantized_relu_po2(4,log2_rounding='floor')", [2.0])


def values() -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(3)
    shapes = {"row": (7,), "matrix": (9, 5), "kernel": (3, 2, 4, 6)}
    arrays = {name: random.normal(0, 1.1, shape) for name, shape in shapes.items()}
    arrays["grid"] = np.arange(-64, 64).reshape(16, 8) / 16
    return {name: array.astype(np.float32) for name, array in arrays.items()}


@pytest.mark.slow
def test_qkeras_itself(tmp_path: Path) -> None:
    read = [kernel_quantizer(text, "q") for text in OF_WEIGHTS]
    read += [activation_quantizer(text, "q") for text in OF_VALUES]
    asked = [{key: item[key] for key in ("class_name", "config")} for item in read if item]
    assert len(asked) == len(OF_WEIGHTS) + len(OF_VALUES)
    arrays = values()
    np.savez(tmp_path / "in.npz", allow_pickle=False, **arrays)
    files = [str(tmp_path / "in.npz"), str(tmp_path / "out.npz")]
    subprocess.run([sys.executable, "-c", QKERAS, json.dumps(asked), *files], check=True)
    compared = 0
    with np.load(tmp_path / "out.npz") as expected:
        for number, quantizer in enumerate(asked):
            for name, array in arrays.items():
                try:
                    made = quantized(quantizer, array)
                except Undecided:
                    continue
                np.testing.assert_array_equal(made, expected[f"{number}/{name}"], str(quantizer))
                compared += 1
    assert compared > 0.9 * len(asked) * len(arrays)
