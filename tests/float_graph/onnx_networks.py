"""Small float ONNX models, node by node as torch.onnx.export and tf2onnx write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.onnx_models import QCDQ, Builder

CHANNELS = 3


def _floats(build: Builder, *shape: int, scale: float = 0.4) -> str:
    return build.constant(build.random.normal(0, scale, shape))


def torch_image(path: Path, normal: bool = True) -> Path:
    """Conv, BatchNormalization, Relu, MaxPool; Flatten, Gemm, Relu, Gemm, Softmax on 1x6x6."""
    build = Builder(QCDQ)
    read = build.node(
        "Conv",
        "x",
        _floats(build, CHANNELS, 1, 3, 3),
        _floats(build, CHANNELS),
        pads=[1, 1, 1, 1],
        kernel_shape=[3, 3],
    )
    if normal:
        parts = [build.constant(v) for v in ([1.5, 0.7, 1], [0.1, -0.2, 0.3], [0.2, 0, -0.3])]
        variance = build.constant([0.6, 1.3, 0.9])
        read = build.node("BatchNormalization", read, *parts, variance, epsilon=1e-5)
    read = build.node("MaxPool", build.node("Relu", read), kernel_shape=[2, 2], strides=[2, 2])
    read = build.node("Flatten", read)
    read = build.node("Gemm", read, _floats(build, 4, 27), _floats(build, 4), transB=1)
    read = build.node("Gemm", build.node("Relu", read), _floats(build, 3, 4), transB=1)
    return build.save(path, build.node("Softmax", read, axis=1), ("events", 1, 6, 6))


def tf_image(path: Path) -> Path:
    """Transposes around the layers, MatMul and Add, a bounded Clip, an AveragePool, a branch."""
    build = Builder(QCDQ)
    read = build.node("Transpose", "x", perm=[0, 3, 1, 2])
    read = build.node("Conv", read, _floats(build, 4, 2, 3, 3), kernel_shape=[3, 3])
    read = build.node("Clip", read, build.constant(0.0), build.constant(6.0))
    other = build.node("Conv", read, _floats(build, 4, 4, 1, 1), kernel_shape=[1, 1])
    read = build.node("LeakyRelu", build.node("Add", read, other), alpha=0.1)
    read = build.node("AveragePool", read, kernel_shape=[2, 2], strides=[2, 2])
    read = build.node("Transpose", read, perm=[0, 2, 3, 1])
    read = build.node("Reshape", read, build.constant([-1, 16], np.int64))
    read = build.node("MatMul", read, _floats(build, 16, 4))
    read = build.node("Tanh", build.node("Add", read, _floats(build, 4)))
    read = build.node("MatMul", read, _floats(build, 4, 2))
    return build.save(path, build.node("Add", read, _floats(build, 2)), ("events", 6, 6, 2))


def torch_set(path: Path) -> Path:
    """Layers that five particles share, their mean, and a vector behind it."""
    build = Builder(QCDQ)
    read = build.node("MatMul", "x", _floats(build, 3, 4))
    read = build.node("Relu", build.node("Add", _floats(build, 4), read))
    read = build.node("Transpose", read, perm=[0, 2, 1])
    read = build.node("GlobalAveragePool", read)
    read = build.node("Reshape", read, build.constant([0, 4], np.int64))
    read = build.node("Gemm", read, _floats(build, 4, 1, scale=1.0), _floats(build, 1))
    return build.save(path, build.node("Sigmoid", read), ("events", 5, 3))
