"""Models that multiply two tensors with each other: Dot, tf.matmul, Einsum and MatMul."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.layers.case import Case
from tests.layers.cases_merges import WEIGHTS, Tensors, _last, _relu, _save
from tests.onnx_models import QCDQ, QONNX, Builder

__all__ = ["CASES"]

KIND: Final = "QKeras .h5"
Ports = dict[str, tuple[int, ...]]
"""Shapes of inputs, by their names."""
MATRICES: Final = ((2, 3), (3, 2))
"""Shapes of two inputs."""


def _dot(axes: Any, inputs: Tensors) -> Any:
    """A product of two inputs of different types, and a layer that reads all of it."""
    import tf_keras

    made = tf_keras.layers.Dot(axes=axes, name="product")(list(inputs))
    return _last(tf_keras.layers.Flatten(name="flat")(_relu(made, "relu")))


def _connected(inputs: Tensors) -> Any:
    """A graph network whose connectivity is an input: messages of neighbours, and their sum."""
    import tf_keras
    from qkeras import QActivation, QDense, quantized_bits

    edges, features = inputs
    messages = _relu(QDense(3, name="message", **WEIGHTS)(features), "messages")
    summed = tf_keras.layers.Dot(axes=(2, 1), name="neighbours")([edges, messages])
    summed = QActivation(quantized_bits(6, 3, alpha=1), name="summed")(summed)
    both = tf_keras.layers.Concatenate(name="both")([features, summed])
    made = _relu(QDense(2, name="update", **WEIGHTS)(both), "updated")
    return _last(tf_keras.layers.Flatten(name="flat")(made))


def _attention(inputs: Tensors) -> Any:
    """Scores of every pair of places, and the values weighted with them; no softmax."""
    import tensorflow as tf
    import tf_keras
    from qkeras import QActivation, QDense, quantized_bits

    queries, keys, values = (
        QActivation(quantized_bits(4, 1, alpha=1), name=f"{name}_grid")(
            QDense(2, name=name, **WEIGHTS)(inputs[0])
        )
        for name in ("queries", "keys", "values")
    )
    scores = _relu(tf.matmul(queries, keys, transpose_b=True), "scores")
    made = _relu(tf.matmul(scores, values), "weighted")
    return _last(tf_keras.layers.Flatten(name="flat")(made))


def _matmul(inputs: Tensors) -> Any:
    """Both matrices transposed; the product leaves as it is."""
    import tensorflow as tf
    from qkeras import QDense

    made = QDense(2, name="dense", **WEIGHTS)(inputs[0])
    return tf.matmul(made, inputs[1], transpose_a=True, transpose_b=True)


def _repeated(inputs: Tensors) -> Any:
    """A matrix that is repeated for each of two places."""
    import tensorflow as tf
    import tf_keras

    made = tf.matmul(inputs[0], inputs[1])
    return _last(tf_keras.layers.Flatten(name="flat")(_relu(made, "relu")))


def _itself(inputs: Tensors) -> Any:
    import tf_keras

    made = tf_keras.layers.Dot(axes=(2, 2), name="gram")([inputs[0], inputs[0]])
    return _last(tf_keras.layers.Flatten(name="flat")(made))


def _scores(model: Builder) -> str:
    start = model.quant("x", 4, 0.25)
    queries, keys = (
        model.quant(model.node("MatMul", start, model.weights((2, 3))), 5, 0.25) for _ in range(2)
    )
    scores = model.node("MatMul", queries, model.node("Transpose", keys, perm=[0, 2, 1]))
    weighted = model.node("MatMul", model.relu(scores), start)
    return model.dense(model.node("Flatten", model.quant(weighted, 6, 0.25)), 6, 2)


def _two(model: Builder) -> str:
    sides = model.quant("x", 4, 0.25), model.quant("z", 3, 0.5)
    made = model.node("Einsum", *sides, equation="bij,bjk->bki")
    return model.dense(model.node("Flatten", model.relu(made)), 4, 2)


def _adjacency(model: Builder) -> str:
    """Sums over neighbours that are constant, before features are multiplied."""
    edges = model.constant([[0, 1, 1], [1, 0, 0], [1, 0, 0]])
    summed = model.node("MatMul", edges, model.quant("x", 4, 0.25))
    made = model.node("Einsum", summed, model.weights((2, 2)), equation="bij,jk->bik")
    return model.dense(model.node("Flatten", model.relu(made)), 6, 2)


NETWORKS: Final[dict[str, tuple[Callable[[Tensors], Any], tuple[tuple[int, ...], ...]]]] = {
    "Dot of matrices": (partial(_dot, (2, 1)), MATRICES),
    "Dot of a matrix and a vector": (partial(_dot, (2, 1)), ((2, 3), (3,))),
    "Dot of images along their channels": (partial(_dot, (3, 3)), ((1, 2, 2), (2, 1, 2))),
    "Dot of a tensor with itself": (_itself, ((3, 2),)),
    "Dot: a graph network with its connectivity as an input": (_connected, ((3, 3), (3, 2))),
    "tf.matmul: scores of attention": (_attention, ((3, 2),)),
    "tf.matmul: both transposed": (_matmul, ((3, 2), (2, 3))),
    "tf.matmul: a matrix that is repeated": (_repeated, ((2, 2, 3), (1, 3, 2))),
}
GRAPHS: Final[dict[str, tuple[Callable[[Builder], str], str, Ports]]] = {
    "MatMul: scores of attention": (_scores, QONNX, {"x": (3, 2)}),
    "Einsum of two tensors": (_two, QCDQ, {"x": (2, 3), "z": (3, 2)}),
    "MatMul and Einsum with constants": (_adjacency, QCDQ, {"x": (3, 2)}),
}


def _onnx(name: str, path: Path) -> None:
    network, dialect, shapes = GRAPHS[name]
    model = Builder(dialect)
    ports = {port: ("events", *shape) for port, shape in shapes.items()}
    model.save(path, network(model), ports)


def _keras(name: str, path: Path) -> None:
    network, shapes = NETWORKS[name]
    _save(path, shapes, network)


CASES: Final = (
    *(Case(name, partial(_keras, name), KIND) for name in NETWORKS),
    *(Case(name, partial(_onnx, name), f"ONNX {GRAPHS[name][1]}") for name in GRAPHS),
)
