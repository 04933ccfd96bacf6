"""HGQ2 models as graphs: layers that join tensors or rename places, several inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.layers.case import Case
from tests.layers.hgq_drawn import KIND, save, usual_quantizers

__all__ = ["CASES"]

Tensors = tuple[Any, ...]


def _save(
    path: Path,
    shapes: tuple[tuple[int, ...], ...],
    network: Callable[[Tensors], Any],
) -> None:
    """Write a model of inputs of these shapes, with drawn widths and weights."""
    import keras

    inputs = tuple(
        keras.Input(shape, name=f"in_{key}") for shape, key in zip(shapes, "bac", strict=False)
    )
    with usual_quantizers():
        model = keras.Model(list(inputs), network(inputs))
    save(path, model)


def _one_width(overflow: str = "WRAP", rounding: str = "RND") -> Any:
    """A quantizer of the same width for all elements."""
    from hgq.quantizer import QuantizerConfig

    return QuantizerConfig(
        *("kif", "datalane"),
        overflow_mode=overflow,
        round_mode=rounding,
        heterogeneous_axis=(),
        homogeneous_axis=None,
    )


def _dense(tensor: Any, units: int, name: str, **options: Any) -> Any:
    from hgq.layers import QDense

    return QDense(units, name=name, **options)(tensor)


def _joined(kind: str, count: int, inputs: Tensors) -> Any:
    """Dense layers of widths of their own into one join of HGQ2, and a layer behind it."""
    from hgq import layers

    made = [_dense(inputs[0], 3, f"fc_{k}", activation="relu" if k else None) for k in range(count)]
    return _dense(getattr(layers, kind)(name="joined")(made), 2, "logits")


def _bare(kind: str, count: int, inputs: Tensors) -> Any:
    """A join of Keras' own at the end, of results of full precision."""
    import keras

    made = [_dense(inputs[0], 3, f"fc_{k}") for k in range(count)]
    return getattr(keras.layers, kind)(name="joined")(made)


def _residual(inputs: Tensors) -> Any:
    from hgq.layers import QAdd

    tensor = _dense(inputs[0], 4, "fc_0", activation="relu")
    for number in (1, 2):
        beside = _dense(tensor, 4, f"fc_{number}", activation="relu")
        tensor = QAdd(name=f"add_{number}")([tensor, beside])
    return _dense(tensor, 2, "logits")


def _itself(inputs: Tensors) -> Any:
    """Products of a tensor with itself, each with two quantizers."""
    from hgq.layers import QAdd, QMultiply

    tensor = _dense(inputs[0], 4, "fc_0")
    square = QMultiply(name="square")([tensor, tensor])
    return QAdd(name="twice", enable_oq=True)([square, square])


def _coarse(inputs: Tensors) -> Any:
    """One width for all elements of a join: its quantizers become types of what it reads."""
    from hgq.layers import QAdd, QMaximum

    fine = _dense(inputs[0], 3, "fc_0", iq_conf=_one_width("SAT"))
    other = _dense(inputs[0], 3, "fc_1", activation="relu", oq_conf=_one_width(), enable_oq=True)
    both = [_one_width("SAT_SYM"), _one_width("WRAP", "TRN")]
    total = QAdd(name="total", iq_confs=both)([fine, other])
    larger = QMaximum(name="larger", enable_iq=False)([total, other])
    return _dense(larger, 2, "logits", iq_conf=_one_width())


def _side_by_side(inputs: Tensors) -> Any:
    import keras

    left = _dense(inputs[0], 3, "left", activation="relu")
    parts = [left, _dense(left, 2, "right"), _dense(inputs[0], 1, "third", enable_oq=True)]
    return _dense(keras.layers.Concatenate(axis=1, name="joined")(parts), 2, "logits")


def _turned(inputs: Tensors) -> Any:
    """Places renamed before the first quantizer and behind it."""
    import keras
    from hgq.layers import QEinsumDense, QSubtract

    layers = keras.layers
    image = layers.Reshape((4, -1), name="image")(inputs[0])
    turned = layers.Permute((2, 1), name="turned")(image)
    made = QEinsumDense("bcn,nm->bcm", (2, 4), bias_axes="m", name="mixed")(turned)
    back = layers.Permute((2, 1), name="back")(layers.Dropout(0.5, name="off")(made))
    less = QSubtract(name="less")([back, image])
    return _dense(layers.Flatten(name="flat")(less), 2, "logits")


def _two_inputs(inputs: Tensors) -> Any:
    import keras
    from hgq.quantizer import Quantizer

    grid = Quantizer(name="grid")(inputs[1])
    parts = [_dense(inputs[1], 3, "fc_1"), _dense(inputs[0], 3, "fc_0"), grid]
    return _dense(keras.layers.Concatenate(name="joined")(parts), 2, "logits")


def _outputs(inputs: Tensors) -> Any:
    """Two outputs that are read on, one through a quantizer of one width, and one at the end."""
    shared = _dense(inputs[0], 4, "shared")
    early = _dense(shared, 3, "early", activation="relu", iq_conf=_one_width())
    return [_dense(early, 2, "late", iq_conf=_one_width("SAT")), shared, early]


def _both(inputs: Tensors) -> Any:
    import keras
    from hgq.layers import QAdd, QMinimum

    flat = keras.layers.Flatten(name="flat")(inputs[0])
    left, right = _dense(flat, 3, "fc_0"), _dense(inputs[1], 3, "fc_1")
    return {
        "z": QAdd(name="total")([left, right]),
        "a": _dense(QMinimum(name="smaller")([left, right]), 2, "logits"),
    }


def _case(
    name: str, network: Callable[[Tensors], Any], shapes: tuple[tuple[int, ...], ...] = ((4,),)
) -> Case:
    return Case(name, partial(_save, shapes=shapes, network=network), KIND)


_QUANTIZED: Final = ("QAdd", "QSubtract", "QMultiply", "QMaximum", "QMinimum", "QAveragePow2")
_OWN: Final = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")

CASES: Final[tuple[Case, ...]] = (
    *(_case(f"{kind}: two vectors", partial(_joined, kind, 2)) for kind in _QUANTIZED),
    *(_case(f"{kind}: of Keras, at the end", partial(_bare, kind, 2)) for kind in _OWN),
    _case("QAdd: residual blocks of dense layers", _residual),
    _case("QAdd: three vectors", partial(_joined, "QAdd", 3)),
    _case("QMultiply: three vectors", partial(_joined, "QMultiply", 3)),
    _case("QAveragePow2: four vectors", partial(_joined, "QAveragePow2", 4)),
    _case("QMultiply and QAdd: a tensor with itself", _itself),
    _case("QAdd and QMaximum: one width for all elements", _coarse),
    _case("Concatenate: three vectors, axis 1", _side_by_side),
    _case("Reshape, Permute, Dropout, Flatten", _turned, ((8,),)),
    _case("Two inputs", _two_inputs, ((4,), (3,))),
    _case("Three outputs, two of them read on", _outputs),
    _case("Two inputs, a dictionary of two outputs", _both, ((2, 2), (3,))),
)
