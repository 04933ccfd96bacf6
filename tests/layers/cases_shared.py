"""Models whose layers are used several times or lie in other models, and layers of many places."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.layers.case import Case

__all__ = ["CASES"]

KIND: Final = "QKeras .h5"
WEIGHTS: Final = {
    "kernel_quantizer": "quantized_bits(4,1,alpha=1)",
    "bias_quantizer": "quantized_bits(4,1,alpha=1)",
}
Tensors = tuple[Any, ...]
"""Keras tensors that a model's inputs become, behind their quantizers."""
Network = Callable[[Tensors], Any]


def _save(path: Path, shapes: tuple[tuple[int, ...], ...], network: Network) -> None:
    """Write a model of 4-bit inputs of these shapes, with drawn weights."""
    import tf_keras
    from qkeras import QActivation, quantized_bits

    inputs = [tf_keras.Input(shape, name=f"in_{n}") for n, shape in enumerate(shapes)]
    grids = tuple(
        QActivation(quantized_bits(4, 1 + n, alpha=1), name=f"grid_{n}")(tensor)
        for n, tensor in enumerate(inputs)
    )
    model = tf_keras.Model(inputs, network(grids))
    random = np.random.default_rng(5)
    for layer in _all(model):
        drawn = [random.uniform(-2, 2, a.shape) for a in layer.get_weights()]
        if type(layer).__name__ == "EinsumDense":
            drawn = [np.rint(2 * values) / 2 for values in drawn]
        if type(layer).__name__ == "BatchNormalization":
            drawn[3] = np.abs(drawn[3]) + 0.5
        layer.set_weights(drawn)
    model.save(path)


def _all(layer: Any) -> Any:
    """The layers that hold weights, within models and wrappers too."""
    inner = getattr(layer, "layers", None) or [getattr(layer, "layer", None)]
    if inner == [None]:
        yield layer
    else:
        for part in inner:
            yield from _all(part)


def _dense(units: int, name: str, **options: Any) -> Any:
    from qkeras import QDense

    return QDense(units, name=name, **WEIGHTS, **options)


def _grid(name: str, bits: int = 4, integer: int = 2) -> Any:
    from qkeras import QActivation

    return QActivation(f"quantized_bits({bits},{integer},alpha=1)", name=name)


def _relu(name: str) -> Any:
    from qkeras import QActivation

    return QActivation("quantized_relu(4,2)", name=name)


def _end(tensor: Any, number: str = "") -> Any:
    """Two logits of everything."""
    import tf_keras

    if len(tensor.shape) > 2:
        tensor = tf_keras.layers.Flatten(name=f"all{number}")(tensor)
    return _dense(2, f"logits{number}")(tensor)


def _twins(inputs: Tensors) -> Any:
    """Two inputs through the same layers."""
    import tf_keras

    fc, act = _dense(3, "fc"), _relu("act")
    left, right = (act(fc(tensor)) for tensor in inputs)
    return _end(tf_keras.layers.Subtract(name="apart")([left, right]))


def _again(inputs: Tensors) -> Any:
    """A layer three times in a row, with its normalization; one name of a copy is taken."""
    import tf_keras

    fc, normal, grid = _dense(4, "fc"), tf_keras.layers.BatchNormalization(name="bn"), _grid("fc_2")
    tensor = inputs[0]
    for _ in range(3):
        tensor = grid(normal(fc(tensor)))
    return _end(tensor)


def _block(name: str, width: int, units: int) -> Any:
    import tf_keras

    layers = [_dense(units, "fc"), _relu("act")]
    return tf_keras.Sequential([tf_keras.layers.Input((width,)), *layers], name=name)


def _towers(inputs: Tensors) -> Any:
    """A Sequential used twice, and another with a model in it."""
    import tf_keras

    block = _block("block", 4, 3)
    joined = tf_keras.layers.Concatenate(name="joined")([block(inputs[0]), block(inputs[1])])
    head = tf_keras.Sequential(
        [_dense(3, "mix"), _grid("mixed"), _block("deep", 3, 3)], name="head"
    )
    return _end(head(joined))


def _crossed(inputs: Tensors) -> Any:
    """A model of two inputs and two outputs, used twice; the second use reads the first one."""
    import tf_keras

    left, right = tf_keras.Input((3,), name="l"), tf_keras.Input((3,), name="r")
    both = _grid("both")(tf_keras.layers.Add(name="sum")([left, right]))
    cell = tf_keras.Model([left, right], [_relu("o")(_dense(3, "fc")(both)), both], name="cell")
    first, second = cell([inputs[0], inputs[1]])
    first, second = cell([second, first])
    return _end(tf_keras.layers.Concatenate(name="joined")([second, first]))


def _steps(inputs: Tensors) -> Any:
    """Layers within TimeDistributed, and a model of them."""
    import tf_keras

    timed = tf_keras.layers.TimeDistributed
    tensor = timed(_dense(3, "inner"), name="fc")(inputs[0])
    tensor = timed(tf_keras.layers.BatchNormalization(axis=1), name="bn")(tensor)
    tensor = timed(_grid("q"), name="grid")(tensor)
    tensor = timed(_block("block", 3, 2), name="each")(tensor)
    return _end(tensor)


def _sequences(inputs: Tensors) -> Any:
    """Sequences of sequences: convolution, pooling, flattening at each outer step."""
    import tf_keras
    from qkeras import QConv1D

    timed, layers = tf_keras.layers.TimeDistributed, tf_keras.layers
    tensor = timed(QConv1D(2, 2, padding="same", name="c", **WEIGHTS), name="conv")(inputs[0])
    tensor = timed(_relu("r"), name="act")(tensor)
    pooled = timed(layers.MaxPooling1D(2, name="m"), name="pool")(tensor)
    flat = timed(layers.Flatten(name="f"), name="flat")(pooled)
    mean = timed(layers.GlobalAveragePooling1D(name="g"), name="mean")(tensor)
    return _end(layers.Concatenate(name="joined")([flat, _grid("means")(mean)]))


def _tensors(inputs: Tensors) -> Any:
    """Dense layers of tensors of three, two and four axes."""
    import tf_keras

    layers = tf_keras.layers
    tensor = _relu("r0")(_dense(3, "image")(inputs[0]))
    tensor = layers.Reshape((4, 3), name="rows")(tensor)
    tensor = _relu("r1")(_dense(2, "row", use_bias=False)(tensor))
    tensor = layers.Reshape((2, 1, 2, 2), name="four")(tensor)
    return _end(_dense(2, "deep", activation="quantized_relu(4,2)")(tensor))


def _einsum(equations: tuple[tuple[str, Any, str | None], ...], inputs: Tensors) -> Any:
    """An output for each equation."""
    import tf_keras

    made = []
    for number, (equation, shape, bias) in enumerate(equations):
        layer = tf_keras.layers.EinsumDense(
            equation, shape, bias_axes=bias, name=f"einsum_{number}x"
        )
        made.append(_end(_grid(f"mid_{number}")(layer(inputs[0])), f"{number}"))
    return made


def _averages(inputs: Tensors) -> Any:
    from qkeras import QAveragePooling2D, QConv2D, QGlobalAveragePooling2D, quantized_bits

    inverse, act = quantized_bits(8, 0, alpha=1), quantized_bits(4, 2, alpha=1)
    options = {"average_quantizer": inverse, "activation": act}
    tensor = QConv2D(2, (1, 1), name="conv", **WEIGHTS)(inputs[0])
    tensor = QAveragePooling2D((2, 2), name="mean", **options)(_relu("act")(tensor))
    return _end(QGlobalAveragePooling2D(name="all_mean", **options)(tensor))


def _axes(inputs: Tensors) -> Any:
    """Side by side along the first and the second axis."""
    import tf_keras

    join = tf_keras.layers.Concatenate
    first = join(axis=1, name="first")([inputs[0], _grid("a")(_dense(2, "fa")(inputs[0]))])
    second = join(axis=-2, name="second")([first, _grid("b")(_dense(2, "fb")(first)), first])
    return _end(_relu("mid")(second))


def _repeated(inputs: Tensors) -> Any:
    """A vector, a row and a column against a table."""
    import tf_keras

    layers = tf_keras.layers
    table, vector, one = inputs
    column = _grid("column")(_dense(1, "fc")(table))
    row = layers.Reshape((1, 2), name="row")(_grid("v")(_dense(2, "fv")(vector)))
    tensor = layers.Add(name="corner")([column, row])
    tensor = _grid("g0")(layers.Multiply(name="scaled")([tensor, table]))
    tensor = layers.Maximum(name="most")([tensor, vector])
    return _end(_grid("g1")(layers.Subtract(name="less")([tensor, one])))


def _keras_3(path: Path) -> None:
    shutil.copyfile(Path(__file__).parents[1] / "data" / "tiny_shared3.keras", path)


def _case(
    name: str, network: Network, shapes: tuple[tuple[int, ...], ...], config: str = ""
) -> Case:
    return Case(name, partial(_save, shapes=shapes, network=network), KIND, config)


ALIKE: Final = (
    ("...x,xy->...y", (3,), None),
    ("abc,cd->abd", (None, 3), "d"),
    ("abc,cd->adb", (3, None), "d"),
    ("abc,cde->abde", (None, 2, 2), "de"),
)
"""The same thing at every place."""
OWN: Final = (
    ("abc,bd->adc", (2, None), None),
    ("abc,bcd->abd", (3, 2), "bd"),
    ("abc,bcd->ad", (2,), "d"),
    ("abc,cd->abd", (3, 2), "bd"),
)
"""A kernel or a bias for every place, sums over places."""

CASES: Final[tuple[Case, ...]] = (
    _case("A layer used twice: two inputs", _twins, ((3,), (3,))),
    _case("A layer used three times, BatchNormalization too", _again, ((4,),)),
    _case("Models in a model: one used twice, one in another", _towers, ((4,), (4,))),
    _case("A model of two inputs and outputs, used twice", _crossed, ((3,), (3,))),
    _case("TimeDistributed: QDense, BatchNormalization, Sequential", _steps, ((3, 2),)),
    _case("TimeDistributed: QConv1D, MaxPooling1D, Flatten", _sequences, ((2, 4, 1),)),
    _case("QDense: tensors of two, three and four axes", _tensors, ((2, 2, 2),)),
    _case("EinsumDense: the same at every place", partial(_einsum, ALIKE), ((3, 2),)),
    _case("EinsumDense: places of their own", partial(_einsum, OWN), ((3, 2),)),
    _case("QAveragePooling2D, QGlobalAveragePooling2D", _averages, ((4, 4, 1),)),
    _case("Concatenate: axis 1, axis -2, three tensors", _axes, ((2, 2),)),
    _case("Add, Multiply, Maximum, Subtract: broadcast", _repeated, ((3, 2), (2,), (1,))),
    Case("Layers and models used twice, TimeDistributed, by qkeras-v3", _keras_3, "Keras 3 .keras"),
)
