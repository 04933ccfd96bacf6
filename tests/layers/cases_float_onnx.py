"""Float models of ONNX, which get their types from events."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tests.layers.case import Case
from tests.onnx_models import QCDQ, Builder, Shapes

Network = Callable[[Builder], str | tuple[str, ...]]


def _floats(model: Builder, *shape: int) -> str:
    return model.constant(model.random.normal(0, 0.5, shape))


def _gemm(model: Builder, read: str, inputs: int, outputs: int) -> str:
    weights = _floats(model, outputs, inputs), _floats(model, outputs)
    return model.node("Gemm", read, *weights, transB=1)


def _dense(model: Builder) -> str:
    read = model.node("Relu", _gemm(model, "x", 4, 4))
    read = model.node("Tanh", _gemm(model, read, 4, 4))
    read = model.node("MatMul", model.node("Sigmoid", read), _floats(model, 4, 3))
    return model.node("Softmax", model.node("Add", read, _floats(model, 3)), axis=1)


def _rectifiers(model: Builder) -> str:
    read = model.node("LeakyRelu", _gemm(model, "x", 4, 4), alpha=0.1)
    slopes = model.constant([0.1, 0.2, 0.3, 0.4])
    read = model.node("PRelu", _gemm(model, read, 4, 4), slopes)
    bounds = model.constant(0.0), model.constant(6.0)
    read = model.node("Clip", _gemm(model, read, 4, 4), *bounds)
    return _gemm(model, read, 4, 3)


def _images(model: Builder) -> str:
    read = model.node("Conv", "x", _floats(model, 2, 1, 2, 2), pads=[1, 1, 0, 0])
    parts = ([1.5, 0.7], [0.1, -0.2], [0.2, -0.3], [0.6, 1.3])
    constants = [model.constant(values) for values in parts]
    read = model.node("BatchNormalization", read, *constants, epsilon=1e-5)
    read = model.node("MaxPool", model.node("Relu", read), kernel_shape=[2, 2], strides=[1, 1])
    read = model.node("Conv", read, _floats(model, 2, 1, 2, 2), group=2)
    read = model.node("GlobalMaxPool", read)
    return _gemm(model, model.node("Flatten", read), 2, 3)


def _steps(model: Builder) -> str:
    """Dense layers of each step, a convolution along them and means."""
    read = model.node("Add", model.node("MatMul", "x", _floats(model, 2, 2)), _floats(model, 2))
    read = model.node("Transpose", model.node("Relu", read), perm=[0, 2, 1])
    read = model.node("Conv", read, _floats(model, 2, 2, 2), _floats(model, 2), pads=[1, 0])
    read = model.node("AveragePool", model.node("Relu", read), kernel_shape=[2], strides=[2])
    read = model.node("GlobalAveragePool", read)
    return _gemm(model, model.node("Flatten", read), 2, 3)


def _joins(model: Builder) -> tuple[str, ...]:
    left = model.node("Relu", _gemm(model, "x", 2, 2))
    right = _gemm(model, "z", 3, 2)
    sums = [model.node(op, left, right) for op in ("Add", "Sub", "Mul", "Max", "Min")]
    joined = model.node("Concat", *sums, axis=1)
    return _gemm(model, joined, 10, 2), _gemm(model, right, 2, 1)


def _moved(model: Builder) -> str:
    options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    read = model.node("Relu", model.node("Conv", "x", _floats(model, 2, 1, 1, 1)))
    scales = model.constant([1, 1, 2, 1])
    read = model.node("Resize", read, "", scales, nearest_mode="floor", **options)
    read = model.node("Transpose", read, perm=[0, 2, 3, 1])
    read = model.node("Reshape", read, model.constant([-1, 16], np.int64))
    return _gemm(model, read, 16, 2)


NETWORKS: dict[str, tuple[Network, Shapes]] = {
    "Gemm, MatMul, Relu, Tanh, Sigmoid, Softmax": (_dense, ("events", 4)),
    "LeakyRelu, PRelu, Clip at 0 and 6": (_rectifiers, ("events", 4)),
    "Conv, padded and in groups, BatchNormalization, pools": (_images, ("events", 1, 3, 3)),
    "MatMul on steps, Conv along them, means": (_steps, ("events", 4, 2)),
    "Add to Min, Concat; two inputs and outputs": (
        _joins,
        {"x": ("events", 2), "z": ("events", 3)},
    ),
    "Resize, Transpose, Reshape": (_moved, ("events", 1, 2, 2)),
}


def _build(network: Network, shapes: Shapes, path: Path) -> None:
    model = Builder(QCDQ)
    model.save(path, network(model), shapes)


CASES = tuple(Case(name, partial(_build, *built), "float ONNX") for name, built in NETWORKS.items())
