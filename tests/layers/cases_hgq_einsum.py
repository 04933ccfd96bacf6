"""HGQ2 models that multiply two tensors with each other: QEinsum and QDot."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from tests.layers.case import Case
from tests.layers.cases_hgq import _save
from tests.layers.hgq_drawn import KIND

__all__ = ["CASES"]

Tensors = tuple[Any, ...]
PLACES: Final = 3


def _einsum(equation: str, inputs: Tensors) -> Any:
    """A product of two inputs, and a layer that reads all of it."""
    import keras
    from hgq.layers import QDense, QEinsum

    made = QEinsum(equation, name="product")(list(inputs))
    return QDense(2, name="logits")(keras.layers.Flatten(name="flat")(made))


def _bare(inputs: Tensors) -> Any:
    """A product at the end, of results of full precision."""
    from hgq.layers import QEinsum, QEinsumDense

    made = QEinsumDense("abc,cd->abd", (PLACES, 2), name="mix", activation="relu")(inputs[0])
    return QEinsum("abc,adc->adb", name="product")([made, inputs[1]])


def _connected(inputs: Tensors) -> Any:
    """A graph network whose connectivity is an input."""
    import keras
    from hgq.layers import QDense, QEinsum, QEinsumDense

    edges, features = inputs
    messages = QEinsumDense("abc,cd->abd", (PLACES, 2), name="message", activation="relu")(features)
    summed = QEinsum("aij,ajx->aix", name="neighbours")([edges, messages])
    both = keras.layers.Concatenate(name="both")([features, summed])
    made = QEinsumDense("abc,cd->abd", (PLACES, 2), name="update", activation="relu")(both)
    return QDense(2, name="logits")(keras.layers.Flatten(name="flat")(made))


def _attention(inputs: Tensors) -> Any:
    """Scores of every pair of places, and the places weighted with them; no softmax."""
    import keras
    from hgq.layers import QDense, QEinsum, QEinsumDense

    queries, keys = (
        QEinsumDense("abc,cd->abd", (PLACES, 2), name=name)(inputs[0])
        for name in ("queries", "keys")
    )
    scores = QEinsum("...qx,...kx->...qk", name="scores")([queries, keys])
    made = QEinsum("abc,acd->abd", name="weighted")([scores, inputs[0]])
    return QDense(2, name="logits")(keras.layers.Flatten(name="flat")(made))


def _dot(inputs: Tensors) -> Any:
    import keras
    from hgq.layers import QDense, QDot

    made = QDot(axes=1, name="product")(list(inputs))
    both = keras.layers.Concatenate(name="both")([made, inputs[0]])
    return QDense(2, name="logits")(both)


def _case(
    name: str, network: Callable[[Tensors], Any], shapes: tuple[tuple[int, ...], ...]
) -> Case:
    return Case(name, partial(_save, shapes=shapes, network=network), KIND)


CASES: Final = (
    _case("QEinsum of matrices", partial(_einsum, "abc,acd->abd"), ((2, 3), (3, 2))),
    _case("QEinsum: an outer product", partial(_einsum, "ab,ac->acb"), ((3,), (2,))),
    _case("QEinsum: places of their own", partial(_einsum, "abc,abc->ab"), ((2, 3), (2, 3))),
    _case("QEinsum: at the end", _bare, ((3, 2), (2, 2))),
    _case(
        "QEinsum: a graph network with its connectivity as an input", _connected, ((3, 3), (3, 2))
    ),
    _case("QEinsum: scores of attention", _attention, ((3, 2),)),
    _case("QDot", _dot, ((3,), (3,))),
)
