"""HGQ2's softmax and tables of functions of one variable, within a network and at its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.layers.case import Case
from tests.layers.hgq_drawn import KIND, draw, usual_quantizers

__all__ = ["CASES"]


def _save(
    path: Path,
    network: Callable[[Any], Any],
    shape: tuple[int, ...] = (5,),
    bits: tuple[int, int] = (3, 5),
) -> None:
    """Write a model of one input, with drawn widths and weights."""
    import keras

    source = keras.Input(shape, name="features")
    with usual_quantizers():
        model = keras.Model(source, network(source))
    draw(model, bits=bits)
    for layer in model.layers:
        if hasattr(layer, "exp_table"):
            # HGQ2 gives these no sign, and nothing in training does.
            for table in (layer.exp_table, layer.inv_table):
                table.oq.quantizer._k.assign(np.zeros(table.oq.quantizer._k.shape, np.uint8))
    model.save(path)


def _dense(tensor: Any, units: int, name: str, **options: Any) -> Any:
    from hgq.layers import QDense

    return QDense(units, name=name, **options)(tensor)


def _softmax(tensor: Any, name: str = "soft", **options: Any) -> Any:
    from hgq.layers.softmax import QSoftmax

    return QSoftmax(**{"enable_iq": True, **options, "name": name})(tensor)


def _table(tensor: Any, function: str, name: str, affine: bool = False, **options: Any) -> Any:
    from hgq.layers import activation

    kind = "QAffinedUnaryFunctionLUT" if affine else "QUnaryFunctionLUT"
    return getattr(activation, kind)(function, name=name, **options)(tensor)


def _one_width(overflow: str, rounding: str) -> Any:
    from hgq.quantizer import QuantizerConfig

    return QuantizerConfig(
        *("kif", "datalane"),
        overflow_mode=overflow,
        round_mode=rounding,
        heterogeneous_axis=(),
        homogeneous_axis=None,
    )


def _last(tensor: Any, **options: Any) -> Any:
    return _softmax(_dense(tensor, 4, "fc"), **options)


def _within(tensor: Any, **options: Any) -> Any:
    return _dense(_last(tensor, **options), 3, "logits")


def _saturating(tensor: Any) -> Any:
    """Quantizers that saturate and round to even, within the softmax too."""
    kind = partial(_one_width, "SAT", "RND_CONV")
    options = {"iq_conf": kind(), "exp_iq_conf": kind(), "inv_iq_conf": kind()}
    return _last(tensor, enable_oq=True, oq_conf=kind(), **options)


def _matrix(tensor: Any, axis: Any, end: bool = True) -> Any:
    import keras
    from hgq.layers import QEinsumDense

    made = QEinsumDense("bnc,cd->bnd", (3, 4), bias_axes="d", name="phi")(tensor)
    found = _softmax(made, axis=axis)
    return found if end else _dense(keras.layers.Flatten(name="flat")(found), 2, "logits")


def _places(tensor: Any) -> Any:
    """Over the middle one of three axes, of what the input is."""
    import keras

    return _dense(keras.layers.Flatten(name="flat")(_softmax(tensor, axis=2)), 2, "logits")


def _two(tensor: Any) -> Any:
    """One softmax behind another, and a table between them."""
    made = _softmax(_dense(tensor, 4, "fc"), "soft_0")
    made = _table(_dense(made, 4, "fc_1"), "silu", "middle")
    return _softmax(_dense(made, 3, "fc_2"), "soft_1")


def _tables(tensor: Any) -> Any:
    """A table within, one at the end."""
    made = _table(_dense(tensor, 4, "fc"), "tanh", "inner")
    return _table(_dense(made, 3, "fc_2"), "sigmoid", "outer")


def _first(tensor: Any) -> Any:
    """A table of the input itself, with its own quantizer, behind one that cuts it."""
    return _dense(_table(tensor, "gelu", "first"), 2, "logits")


def _bare(tensor: Any) -> Any:
    """Tables without quantizers of what they read, which is quantized by the layer before."""
    one = _dense(tensor, 4, "fc", enable_oq=True)
    made = _table(one, "softplus", "table", enable_iq=False)
    other = _softmax(_dense(made, 4, "fc_2", enable_oq=True), enable_iq=False)
    return _dense(other, 2, "logits")


def _smaller(tensor: Any) -> Any:
    """A quantizer that is wider than what it reads, and saturates: hls4ml makes it smaller."""
    from hgq.quantizer import QuantizerConfig

    wide = QuantizerConfig("kif", "datalane", overflow_mode="SAT", round_mode="RND_CONV")
    made = _dense(tensor, 2, "fc", enable_oq=True, oq_conf=_one_width("SAT", "RND"))
    made = _table(made, "tanh", "table", iq_conf=wide)
    return _dense(made, 2, "logits")


def _affine(tensor: Any) -> Any:
    made = _table(_dense(tensor, 4, "fc"), "sigmoid", "table", affine=True)
    return _dense(made, 2, "logits")


def _functions(functions: tuple[str, ...], tensor: Any) -> Any:
    import keras

    made = _dense(tensor, 1, "fc", enable_oq=True, oq_conf=_one_width("SAT", "RND"))
    tables = [_table(made, function, f"of_{function}") for function in functions]
    return keras.layers.Concatenate(name="joined")(tables)


def _case(
    name: str,
    network: Callable[[Any], Any],
    shape: tuple[int, ...] = (5,),
    bits: tuple[int, int] = (3, 5),
    config: str = "",
) -> Case:
    return Case(name, partial(_save, network=network, shape=shape, bits=bits), KIND, config)


_FUNCTIONS: Final = (
    ("elu", "exponential", "hard_sigmoid", "leaky_relu", "mish", "selu", "softsign"),
    ("celu", "gelu", "hard_tanh", "log_sigmoid", "relu6", "silu", "softplus", "squareplus"),
)
_OUTPUTS: Final = ("softmax", "argmax")

CASES: Final[tuple[Case, ...]] = (
    _case("QSoftmax: at the end", _last),
    _case("QSoftmax: at the end, 7 to 9 bits", _last, bits=(7, 9)),
    *(
        _case(f"QSoftmax: at the end, output {kind}", _last, config=f"firmware: {{output: {kind}}}")
        for kind in _OUTPUTS
    ),
    _case("QSoftmax: within a network", _within),
    _case("QSoftmax: within a network, 6 to 8 bits", _within, bits=(6, 8)),
    _case("QSoftmax: stable=False", partial(_within, stable=False)),
    _case("QSoftmax: input_scaler=0.75", partial(_last, input_scaler=0.75)),
    _case("QSoftmax: without a quantizer of its input", partial(_within, enable_iq=False)),
    _case("QSoftmax: quantizers that saturate and round to even", _saturating, bits=(4, 7)),
    _case("QSoftmax: axis=-1 of a matrix", partial(_matrix, axis=-1), (3, 2)),
    _case("QSoftmax: axis=1 of a matrix", partial(_matrix, axis=1), (3, 2)),
    _case("QSoftmax: axis=1 of a matrix, within", partial(_matrix, axis=1, end=False), (3, 2)),
    _case("QSoftmax: both axes of a matrix", partial(_matrix, axis=(1, 2)), (3, 2)),
    _case("QSoftmax: the middle axis of three", _places, (2, 3, 2)),
    _case("QSoftmax: two of them, a table between", _two),
    _case("QUnaryFunctionLUT: tanh within, sigmoid at the end", _tables),
    _case("QUnaryFunctionLUT: tanh, sigmoid, 7 to 9 bits", _tables, bits=(7, 9)),
    _case("QUnaryFunctionLUT: gelu of the input", _first),
    _case("QUnaryFunctionLUT: without a quantizer of its input", _bare),
    _case("QUnaryFunctionLUT: a quantizer wider than what it reads", _smaller, bits=(3, 7)),
    *(
        _case(f"QUnaryFunctionLUT: {', '.join(kinds)}", partial(_functions, kinds))
        for kinds in _FUNCTIONS
    ),
    _case("QAffinedUnaryFunctionLUT: sigmoid", _affine),
)
