"""Writes tiny_qonnx.onnx, tiny_qcdq.onnx and tiny_qcdq_conv.onnx, exported from PyTorch.

    python tests/data/make_tiny_onnx.py

in an environment of its own, with PyTorch, Brevitas, onnxoptimizer and onnx 1.21: none of the first
three is needed to read the files. Made with torch 2.15.0 and Brevitas 0.13.4. The weights are
random, and the scales are what Brevitas learns from random events: what is tested is that every
witness computes the same integers.

tiny_qonnx, tiny_qcdq: 4-6-5-3 with a softmax, the same network in both dialects; the first says
that it takes one event, the second any number. tiny_qcdq_conv: 2 channels of 6 x 6, a padded
convolution, a pool, three classes.
"""

import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from brevitas.export import export_onnx_qcdq, export_qonnx
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from brevitas.quant.fixed_point import (
    Int8ActPerTensorFixedPoint,
    Int8BiasPerTensorFixedPointInternalScaling,
    Int8WeightPerTensorFixedPoint,
    Uint8ActPerTensorFixedPoint,
)
from torch import nn

WEIGHTS: dict[str, Any] = {
    "weight_quant": Int8WeightPerTensorFixedPoint,
    "bias_quant": Int8BiasPerTensorFixedPointInternalScaling,
    "weight_bit_width": 4,
    "bias_bit_width": 4,
    "bias": True,
}
EVENTS = 256
STEPS = 400
"""Forward passes in training mode, after which Brevitas' scales stand."""


def grid(bits: int) -> nn.Module:
    """A quantizer with a sign."""
    return QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, bit_width=bits)


def relu(bits: int) -> nn.Module:
    """A relu with a quantizer without a sign."""
    return QuantReLU(act_quant=Uint8ActPerTensorFixedPoint, bit_width=bits)


def dense() -> nn.Module:
    """Three layers."""
    layers = OrderedDict(grid=grid(8))
    for number, inputs, outputs in ((1, 4, 6), (2, 6, 5)):
        layers[f"fc{number}"] = QuantLinear(inputs, outputs, **WEIGHTS)
        layers[f"relu{number}"] = relu(5)
    layers["logits"] = QuantLinear(5, 3, **WEIGHTS)
    layers["softmax"] = nn.Softmax(dim=1)
    return nn.Sequential(layers)


def convolution() -> nn.Module:
    """Channels first, as PyTorch has them."""
    layers = OrderedDict(
        grid=grid(6),
        conv=QuantConv2d(2, 3, 3, padding=1, **WEIGHTS),
        relu=relu(4),
        pool=nn.MaxPool2d(2),
        flat=nn.Flatten(),
        logits=QuantLinear(27, 3, **WEIGHTS),
    )
    return nn.Sequential(layers)


def settled(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The model with scales that random events gave it."""
    model.train()
    for _ in range(STEPS):
        model(torch.randn(EVENTS, *shape))
    return model.eval()


def main() -> None:
    """Build and export the models."""
    warnings.filterwarnings("ignore")
    torch.manual_seed(3)
    torch.set_num_threads(1)
    folder = Path(__file__).parent
    options: dict[str, Any] = {"input_names": ["features"], "dynamo": False}
    any_number = {"dynamic_axes": {"features": {0: "events"}}}
    tiny = settled(dense(), (4,))
    example = torch.randn(1, 4)
    export_qonnx(tiny, args=example, export_path=str(folder / "tiny_qonnx.onnx"), **options)
    path = folder / "tiny_qcdq.onnx"
    export_onnx_qcdq(tiny, args=example, export_path=str(path), **options, **any_number)
    images = settled(convolution(), (2, 6, 6))
    path = folder / "tiny_qcdq_conv.onnx"
    export_onnx_qcdq(
        images, args=torch.randn(1, 2, 6, 6), export_path=str(path), **options, **any_number
    )


if __name__ == "__main__":
    main()
