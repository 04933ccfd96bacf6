"""Layers of images and sequences in QKeras, unrolled in one flat pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.layers.case import Case

KIND = "QKeras .h5"
Make = Callable[[Any, Any], list[Any]]
"""tf_keras' layers and qkeras to the layers after the input's quantizer."""


def _model(shape: tuple[int, ...], make: Make, grid: str = "quantized_bits(4,1,alpha=1)") -> Any:
    """Writes a chain: quantizer, the layers, Flatten where need be, QDense of two outputs."""

    def build(path: Path) -> None:
        import qkeras
        import tf_keras

        tf_keras.utils.set_random_seed(4)
        source = tf_keras.Input(shape, name="x")
        tensor = qkeras.QActivation(grid, name="grid")(source)
        for layer in make(tf_keras.layers, qkeras):
            tensor = layer(tensor)
        if len(tensor.shape) > 2:
            tensor = tf_keras.layers.Flatten(name="flat")(tensor)
        tensor = qkeras.QDense(2, name="fc", **_grids("kernel"))(tensor)
        tf_keras.Model(source, tensor).save(path)

    return build


def _grids(*kernels: str) -> dict[str, Any]:
    """Quantizers of a layer's kernels and bias, and biases that are not zero."""
    from qkeras import quantized_bits

    made = {f"{name}_quantizer": quantized_bits(4, 0, alpha=1) for name in (*kernels, "bias")}
    return {**made, "bias_initializer": "uniform"}


def _conv2d(keras: Any, qkeras: Any) -> list[Any]:
    grids = _grids("kernel")
    return [
        qkeras.QConv2D(2, (3, 2), strides=2, padding="same", name="strided", **grids),
        qkeras.QActivation("quantized_relu(4,2)", name="act"),
        qkeras.QConv2D(2, (2, 2), activation="quantized_bits(4,2,alpha=1)", name="whole", **grids),
        qkeras.QConv2D(3, 1, strides=(1, 2), name="pixel", **grids),
        qkeras.QActivation("quantized_bits(4,2,alpha=1)", name="mid"),
    ]


def _conv1d(keras: Any, qkeras: Any) -> list[Any]:
    grids = _grids("kernel")
    return [
        qkeras.QConv1D(2, 3, padding="same", name="whole", **grids),
        qkeras.QActivation("quantized_relu(4,2)", name="act1"),
        qkeras.QConv1D(2, 2, padding="causal", name="past", **grids),
        qkeras.QActivation("quantized_relu(4,2)", name="act2"),
        qkeras.QConv1D(3, 1, name="step", **grids),
        qkeras.QActivation("quantized_bits(4,2,alpha=1)", name="mid"),
        qkeras.QConv1D(2, 3, strides=2, name="strided", **grids),
        qkeras.QActivation("quantized_bits(4,2,alpha=1)", name="last"),
    ]


def _depthwise(keras: Any, qkeras: Any) -> list[Any]:
    grids = _grids("depthwise")
    return [
        qkeras.QDepthwiseConv2D(3, padding="same", name="one", **grids),
        qkeras.QActivation("quantized_relu(4,2)", name="act"),
        qkeras.QDepthwiseConv2D(2, strides=2, depth_multiplier=2, name="two", **grids),
        qkeras.QActivation("quantized_bits(4,2,alpha=1)", name="mid"),
    ]


def _separable2d(keras: Any, qkeras: Any) -> list[Any]:
    grids = _grids("depthwise", "pointwise")
    act = "quantized_relu(4,2)"
    return [
        qkeras.QSeparableConv2D(3, (2, 2), depth_multiplier=2, activation=act, name="sep", **grids)
    ]


def _separable1d(keras: Any, qkeras: Any) -> list[Any]:
    grids = _grids("depthwise", "pointwise")
    return [
        qkeras.QSeparableConv1D(3, 3, padding="same", name="sep", **grids),
        qkeras.QActivation("quantized_relu(4,2)", name="act"),
    ]


def _max_pools(keras: Any, qkeras: Any) -> list[Any]:
    return [
        keras.MaxPooling2D((2, 3), strides=(1, 2), name="overlapping"),
        keras.MaxPooling2D((2, 2), name="rest"),
    ]


def _max_pool_same(keras: Any, qkeras: Any) -> list[Any]:
    return [keras.MaxPooling2D((2, 3), strides=2, padding="same", name="around")]


def _average_pools(keras: Any, qkeras: Any) -> list[Any]:
    return [
        keras.AveragePooling2D((2, 2), padding="same", name="around"),
        keras.AveragePooling2D((1, 2), strides=1, name="overlapping"),
        qkeras.QActivation("quantized_bits(5,1,alpha=1)", name="mid"),
    ]


def _pools1d(keras: Any, qkeras: Any) -> list[Any]:
    return [keras.MaxPooling1D(2, strides=1, name="most"), keras.AveragePooling1D(4, name="mean")]


def _global(name: str) -> Make:
    return lambda keras, qkeras: [getattr(keras, name)(name="all")]


def _stretched2d(keras: Any, qkeras: Any) -> list[Any]:
    return [
        keras.UpSampling2D((2, 3), name="up"),
        qkeras.QActivation("quantized_bits(3,0,alpha=1)", name="mid"),
    ]


def _rims2d(keras: Any, qkeras: Any) -> list[Any]:
    return [
        keras.ZeroPadding2D(((1, 0), (0, 2)), name="around"),
        qkeras.QActivation("quantized_bits(3,0,alpha=1)", name="mid"),
        keras.Cropping2D(((0, 1), (1, 0)), name="inside"),
        keras.MaxPooling2D(2, name="most"),
    ]


def _around1d(keras: Any, qkeras: Any) -> list[Any]:
    return [
        keras.UpSampling1D(2, name="up"),
        keras.ZeroPadding1D((2, 1), name="around"),
        keras.Cropping1D((1, 3), name="inside"),
    ]


def _permuted(keras: Any, qkeras: Any) -> list[Any]:
    grids = _grids("kernel")
    return [
        keras.Permute((3, 1, 2), name="turned"),
        qkeras.QConv2D(2, (1, 2), name="rows", **grids),
        qkeras.QActivation("quantized_relu(4,2)", name="act"),
        keras.Reshape((4, 3), name="sequence"),
        keras.Permute((2, 1), name="back"),
    ]


def _turned(path: Path) -> None:
    """Three axes in other orders, each in one row that a dense layer reads."""
    import qkeras
    import tf_keras

    tf_keras.utils.set_random_seed(4)
    source = tf_keras.Input((2, 3, 2), name="x")
    grid = qkeras.QActivation("quantized_bits(5,2,alpha=1)", name="grid")(source)
    ends = []
    for place, order in enumerate(((2, 3, 1), (3, 2, 1), (1, 3, 2))):
        tensor = tf_keras.layers.Permute(order, name=f"turned{place}")(grid)
        tensor = tf_keras.layers.Flatten(name=f"row{place}")(tensor)
        ends.append(qkeras.QDense(2, name=f"fc{place}", **_grids("kernel"))(tensor))
    tf_keras.Model(source, ends).save(path)


def _classifier(path: Path) -> None:
    """A softmax at its end, which firmware leaves out, does, or decides by."""
    import qkeras
    import tf_keras

    tf_keras.utils.set_random_seed(4)
    source = tf_keras.Input((5, 5, 1), name="x")
    tensor = qkeras.QActivation("quantized_bits(4,0,keep_negative=0,alpha=1)", name="grid")(source)
    tensor = qkeras.QConv2D(3, 2, name="conv", **_grids("kernel"))(tensor)
    tensor = qkeras.QActivation("quantized_relu(4,1)", name="act")(tensor)
    tensor = tf_keras.layers.MaxPooling2D(2, name="pool")(tensor)
    tensor = tf_keras.layers.Flatten(name="flat")(tensor)
    tensor = qkeras.QDense(3, name="fc", **_grids("kernel"))(tensor)
    tf_keras.Model(source, tf_keras.layers.Activation("softmax", name="end")(tensor)).save(path)


def _joined(path: Path) -> None:
    """Branches of channels that meet, and an image at the end."""
    import qkeras
    import tf_keras

    tf_keras.utils.set_random_seed(4)
    source = tf_keras.Input((3, 4, 1), name="x")
    grid = qkeras.QActivation("quantized_bits(4,1,alpha=1)", name="grid")(source)
    left = qkeras.QConv2D(2, 3, padding="same", name="left", **_grids("kernel"))(grid)
    left = qkeras.QActivation("quantized_relu(4,2)", name="act")(left)
    both = tf_keras.layers.Concatenate(name="both")([left, grid])
    tf_keras.Model(source, qkeras.QConv2D(1, 1, name="mask", **_grids("kernel"))(both)).save(path)


def _output(kind: str) -> str:
    return f"firmware: {{output: {kind}, threshold: 0.25}}"


CASES = (
    Case("QConv2D: same and valid, strides, 1x1; flat", _model((5, 6, 2), _conv2d), KIND),
    Case("QConv1D: same, valid, causal, strides", _model((7, 2), _conv1d), KIND),
    Case("QDepthwiseConv2D: one and two filters a channel", _model((4, 5, 2), _depthwise), KIND),
    Case("QSeparableConv2D", _model((4, 4, 2), _separable2d), KIND),
    Case("QSeparableConv1D", _model((5, 2), _separable1d), KIND),
    Case("MaxPooling2D: windows that overlap, a rest", _model((4, 6, 2), _max_pools), KIND),
    Case("MaxPooling2D: same padding", _model((3, 5, 2), _max_pool_same), KIND),
    Case("AveragePooling2D: same padding, overlapping", _model((3, 4, 2), _average_pools), KIND),
    Case("MaxPooling1D, AveragePooling1D", _model((6, 2), _pools1d), KIND),
    Case("GlobalAveragePooling2D", _model((2, 4, 2), _global("GlobalAveragePooling2D")), KIND),
    Case("GlobalAveragePooling1D", _model((4, 2), _global("GlobalAveragePooling1D")), KIND),
    Case("GlobalMaxPooling2D", _model((2, 3, 2), _global("GlobalMaxPooling2D")), KIND),
    Case("GlobalMaxPooling1D", _model((3, 2), _global("GlobalMaxPooling1D")), KIND),
    Case("UpSampling2D; flat", _model((2, 2, 2), _stretched2d), KIND),
    Case("ZeroPadding2D, Cropping2D", _model((2, 3, 2), _rims2d), KIND),
    Case("UpSampling1D, ZeroPadding1D, Cropping1D", _model((3, 2), _around1d), KIND),
    Case("Permute, Reshape around QConv2D; flat", _model((3, 2, 3), _permuted), KIND),
    Case("Permute, Flatten, QDense: other orders", _turned, KIND),
    Case(
        "Concatenate along channels, ends in an image; flat",
        _joined,
        KIND,
        "firmware: {io_type: io_parallel}",
    ),
    Case("QConv2D, Flatten, QDense: argmax", _classifier, KIND, _output("argmax")),
    Case("QConv2D, Flatten, QDense: softmax", _classifier, KIND, _output("softmax")),
    Case("QConv2D, Flatten, QDense: threshold", _classifier, KIND, _output("threshold")),
)
