"""Models of ONNX in both dialects, as Brevitas exports them from PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.layers.case import Case
from tests.onnx_models import QCDQ, QONNX, Builder, Shapes

Network = Callable[[Builder], str | tuple[str, ...]]
SHAPES: dict[str, Shapes] = {
    "vector": ("events", 4),
    "image": ("events", 2, 3, 4),
    "steps": ("events", 2, 6),
    "two": {"x": ("events", 4), "z": ("events", 2, 1, 2)},
}


def _dense(model: Builder) -> str:
    hidden = model.relu(model.dense(model.quant("x", 6, 0.25), 4, 5, bits=5))
    hidden = model.quant(model.dense(hidden, 5, 4), 5, 2.0**-2, narrow=True)
    return model.node("Softmax", model.dense(hidden, 4, 3), axis=1)


def _matmul(model: Builder) -> str:
    """A layer without bias, one with a bias in a node of its own, and weights above one."""
    hidden = model.node("MatMul", model.quant("x", 5, 2.0), model.weights((4, 5), scale=4.0))
    hidden = model.node("MatMul", model.relu(hidden, scale=32.0), model.weights((5, 3)))
    return model.node("Add", hidden, model.weights((3,), bits=6))


def _small(model: Builder) -> str:
    """Values and weights well below one half, and an input without a sign."""
    hidden = model.dense(model.quant("x", 4, 2.0**-7, signed=False), 4, 5, scale=2.0**-6)
    return model.dense(model.relu(hidden, bits=5, scale=2.0**-9), 5, 3, scale=2.0**-5)


def _residual(model: Builder) -> str:
    start = model.quant("x", 5, 0.25)
    hidden = model.relu(model.dense(start, 4, 4), scale=0.5)
    joined = model.quant(model.node("Add", hidden, start), 6, 0.25)
    both = model.node("Concat", joined, hidden, axis=1)
    return model.dense(both, 8, 3)


def _convolution(model: Builder) -> str:
    """Padding on all sides, a dilated kernel in groups, and rows that leave in ONNX's order."""
    layer = model.quant("x", 4, 0.5)
    layer = model.node(
        "Conv", layer, model.weights((2, 2, 3, 3)), model.weights((2,)), pads=[1, 1, 1, 1]
    )
    layer = model.relu(layer, scale=0.5)
    layer = model.node(
        "Conv", layer, model.weights((2, 1, 2, 2)), group=2, dilations=[2, 2], kernel_shape=[2, 2]
    )
    layer = model.node("Flatten", model.relu(layer, scale=2.0))
    return model.dense(layer, 2 * 1 * 2, 3)


def _pools(model: Builder) -> str:
    layer = model.node("MaxPool", model.quant("x", 5, 0.25), kernel_shape=[2, 2], strides=[2, 2])
    layer = model.node("Conv", layer, model.weights((4, 2, 1, 1)), model.weights((4,)))
    layer = model.node("GlobalAveragePool", model.relu(layer))
    layer = model.quant(model.node("Flatten", layer), 6, 2.0**-3)
    return model.dense(layer, 4, 3)


def _two(model: Builder) -> tuple[str, ...]:
    """Two inputs of different grids, and two outputs, not in the order in which they are made."""
    other = model.node("Flatten", model.quant("z", 3, 0.5))
    early = model.dense(other, 4, 2)
    joined = model.node("Sub", model.relu(model.dense(model.quant("x", 4, 0.25), 4, 4)), other)
    return model.dense(model.quant(joined, 5, 0.5), 4, 3), early


def _rectifiers(model: Builder) -> str:
    layer = model.dense(model.quant("x", 5, 0.25), 4, 4)
    layer = model.quant(model.node("LeakyRelu", layer, alpha=0.125), 6, 2.0**-3)
    layer = model.dense(layer, 4, 4, scale=0.5)
    layer = model.node("Clip", layer, model.constant(0), model.constant(6))
    return model.dense(model.quant(layer, 5, 0.25), 4, 3)


def _extremes(model: Builder) -> str:
    layer = model.quant("x", 5, 0.25)
    one, two = (model.relu(model.dense(layer, 4, 3)) for _ in range(2))
    both = model.node("Mul", model.node("Max", one, two), model.node("Min", one, two))
    return model.dense(model.quant(both, 6, 0.25), 3, 2)


def _means(model: Builder) -> str:
    layer = model.quant("x", 5, 0.25)
    layer = model.node("AveragePool", layer, kernel_shape=[1, 2], strides=[1, 2])
    scales = model.constant([1, 1, 1, 2])
    options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    layer = model.node(
        "Resize", model.quant(layer, 5, 0.25), "", scales, nearest_mode="floor", **options
    )
    layer = model.node("Conv", layer, model.weights((2, 2, 2, 1)))
    return model.dense(model.node("Flatten", model.relu(layer)), 16, 2)


def _steps(model: Builder) -> str:
    layer = model.node("Conv", model.quant("x", 4, 0.5), model.weights((3, 2, 3)), pads=[1, 1])
    layer = model.node("MaxPool", model.relu(layer), kernel_shape=[2], strides=[2])
    return model.dense(model.node("Flatten", layer), 9, 2)


def _normalized(model: Builder) -> str:
    layer = model.node("Conv", model.quant("x", 4, 0.5), model.weights((3, 2, 3, 3)))
    parts = ([1.5, 0.7, 1.1], [0.1, -0.2, 0.3], [0.2, 0.0, -0.3], [0.6, 1.3, 0.9])
    constants = [model.constant(values) for values in parts]
    layer = model.node("BatchNormalization", layer, *constants, epsilon=1e-5)
    return model.dense(model.node("Flatten", model.relu(layer)), 6, 2)


def _tanh(model: Builder) -> str:
    """Of quantized values, with codes on both sides or one fewer, and of a whole sum."""
    layer = model.quant(model.dense(model.quant("x", 5, 0.25), 4, 4), 6, 2.0**-3)
    layer = model.quant(model.node("Tanh", layer), 6, 2.0**-5)
    layer = model.quant(model.dense(layer, 4, 4), 7, 2.0**-4)
    layer = model.quant(model.node("Tanh", layer), 8, 2.0**-7, narrow=True)
    layer = model.dense(model.quant(layer, 3, 2.0**-2), 4, 3, bits=3, scale=2.0**-2)
    return model.quant(model.node("Tanh", layer), 4, 2.0**-3)


def _sigmoid(model: Builder) -> str:
    """With a sign and without, between two layers, in an image, and at the end."""
    layer = model.quant("x", 4, 0.5)
    layer = model.node("Conv", layer, model.weights((2, 2, 3, 3)), model.weights((2,)))
    layer = model.node("Sigmoid", model.quant(layer, 6, 2.0**-2))
    layer = model.node("Flatten", model.quant(layer, 8, 2.0**-8, signed=False))
    layer = model.quant(model.dense(layer, 4, 3), 7, 2.0**-3)
    return model.quant(model.node("Sigmoid", layer), 6, 2.0**-5)


NETWORKS: dict[str, tuple[Network, str]] = {
    "Gemm, Relu, Softmax": (_dense, "vector"),
    "MatMul, Add of a bias": (_matmul, "vector"),
    "Gemm: scales far below one, input without a sign": (_small, "vector"),
    "Add, Concat": (_residual, "vector"),
    "LeakyRelu, Clip at 0 and 6": (_rectifiers, "vector"),
    "Max, Min, Mul": (_extremes, "vector"),
    "AveragePool, Resize": (_means, "image"),
    "Conv and MaxPool of one dimension": (_steps, "steps"),
    "two inputs, Sub, two outputs": (_two, "two"),
    "Conv: padded, dilated, in groups; Flatten": (_convolution, "image"),
    "MaxPool, Conv 1x1, GlobalAveragePool": (_pools, "image"),
    "Conv, BatchNormalization": (_normalized, "image"),
    "Tanh: between layers, with a quantizer behind it": (_tanh, "vector"),
    "Sigmoid: with a quantizer behind it, also at the end": (_sigmoid, "image"),
}


def _build(dialect: str, network: Network, shape: str, path: Path) -> None:
    model = Builder(dialect)
    model.save(path, network(model), SHAPES[shape])


CASES = tuple(
    Case(name, partial(_build, dialect, network, shape), f"ONNX {dialect}")
    for dialect in (QONNX, QCDQ)
    for name, (network, shape) in NETWORKS.items()
)
