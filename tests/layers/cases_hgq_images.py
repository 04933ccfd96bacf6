"""Layers of HGQ2 on images and sequences, with a width for every weight and element."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.layers.case import Case
from tests.layers.hgq_drawn import KIND, draw, usual_quantizers

__all__ = ["CASES"]

STREAM: Final = "verify: {csim_events: 65536}\nfirmware: {columns_per_clock: 2}"
Make = Callable[[Any, Any], list[Any]]
"""hgq.layers and keras.layers to the layers behind the input."""


def _model(
    shape: tuple[int, ...], make: Make, seed: int = 5, unsigned: tuple[str, ...] = ()
) -> Callable[[Path], None]:
    """Writes a chain. unsigned: layers whose inputs' quantizers have no sign."""

    def build(path: Path) -> None:
        import keras
        import numpy as np
        from hgq import layers

        with usual_quantizers():
            model = keras.Sequential([keras.Input(shape, name="x"), *make(layers, keras.layers)])
        draw(model, seed)
        for name in unsigned:
            sign = model.get_layer(name).iq.quantizer._k
            sign.assign(np.zeros(tuple(sign.shape)))
        model.save(path)

    return build


def _conv2d(hgq: Any, _keras: Any) -> list[Any]:
    return [
        hgq.QConv2D(2, (3, 2), strides=2, padding="same", activation="relu", name="strided"),
        hgq.QConv2D(2, (2, 2), enable_oq=True, name="whole"),
        hgq.QConv2D(3, 1, strides=(1, 2), name="pixel"),
    ]


def _conv1d(hgq: Any, _keras: Any) -> list[Any]:
    return [
        hgq.QConv1D(2, 3, padding="same", activation="relu", name="whole"),
        hgq.QConv1D(3, 1, use_bias=False, name="step"),
        hgq.QConv1D(2, 3, strides=2, enable_oq=True, name="strided"),
    ]


def _causal(hgq: Any, _keras: Any) -> list[Any]:
    from hgq.config import QuantizerConfigScope

    with QuantizerConfigScope(place="datalane", homogeneous_axis=(0, 1)):
        return [
            hgq.QConv1D(2, 3, padding="causal", activation="relu", name="past"),
            hgq.QConv1D(2, 2, strides=2, padding="causal", name="strided"),
        ]


def _dilated(hgq: Any, _keras: Any) -> list[Any]:
    return [
        hgq.QConv2D(2, (2, 3), dilation_rate=(2, 1), padding="same", activation="relu", name="gap"),
        hgq.QConv2D(2, 2, dilation_rate=2, name="gaps"),
    ]


def _dilated1d(hgq: Any, _keras: Any) -> list[Any]:
    return [hgq.QConv1D(2, 3, dilation_rate=2, name="gap"), hgq.QConv1D(2, 2, name="near")]


def _grouped(hgq: Any, _keras: Any) -> list[Any]:
    return [
        hgq.QConv2D(4, 2, groups=2, activation="relu", name="two"),
        hgq.QConv2D(4, (1, 2), groups=4, name="each"),
        hgq.QConv2D(2, 1, name="mixed"),
    ]


def _pools2d(hgq: Any, _keras: Any) -> list[Any]:
    return [
        hgq.QMaxPooling2D((2, 3), strides=(2, 1), name="most"),
        hgq.QAveragePooling2D((1, 2), strides=1, enable_oq=True, name="mean"),
        hgq.QConv2D(2, 1, name="mixed"),
    ]


def _pools1d(hgq: Any, _keras: Any) -> list[Any]:
    return [
        hgq.QMaxPooling1D(2, name="most"),
        hgq.QAveragePooling1D(2, strides=1, name="mean"),
        hgq.QConv1D(2, 1, name="mixed"),
    ]


def _rims_of_pools(hgq: Any, _keras: Any) -> list[Any]:
    return [
        hgq.QMaxPooling2D(2, strides=1, padding="same", name="most"),
        hgq.QAveragePooling2D(2, padding="same", name="mean"),
        hgq.QConv2D(2, 1, name="mixed"),
    ]


def _rims_above_zero(hgq: Any, keras: Any) -> list[Any]:
    return [
        hgq.QConv2D(2, 1, activation="relu", name="first"),
        keras.MaxPooling2D(2, padding="same", name="plain"),
        hgq.QConv2D(2, 1, name="second"),
        keras.Activation("relu", name="bent"),
        hgq.QMaxPooling2D((1, 3), strides=1, padding="same", name="most"),
        hgq.QConv2D(2, 1, name="third"),
    ]


def _whole(kind: str) -> Make:
    def make(hgq: Any, _keras: Any) -> list[Any]:
        axes = int(kind[-2])
        conv = getattr(hgq, f"QConv{axes}D")
        pool = getattr(hgq, kind)
        return [conv(3, 1, name="first"), pool(name="all"), hgq.QDense(2, name="fc")]

    return make


def _plain_pools(hgq: Any, keras: Any) -> list[Any]:
    return [
        hgq.QConv2D(2, 2, padding="same", activation="relu", name="first"),
        keras.MaxPooling2D(2, name="most"),
        keras.AveragePooling2D((1, 2), name="mean"),
        keras.Flatten(name="flat"),
        hgq.QDense(2, name="fc"),
    ]


def _plain_whole(hgq: Any, keras: Any) -> list[Any]:
    return [
        hgq.QConv1D(3, 2, padding="same", name="first"),
        keras.MaxPooling1D(2, strides=1, name="most"),
        keras.AveragePooling1D(2, strides=1, name="mean"),
        keras.GlobalAveragePooling1D(name="all"),
        hgq.QDense(2, name="fc"),
    ]


def _plain_largest(hgq: Any, keras: Any) -> list[Any]:
    return [
        hgq.QConv2D(3, 2, padding="same", name="first"),
        keras.GlobalMaxPooling2D(name="all"),
        hgq.QDense(2, name="fc"),
    ]


def _rims2d(hgq: Any, keras: Any) -> list[Any]:
    return [
        hgq.QConv2D(2, 2, name="first"),
        keras.ZeroPadding2D(((1, 0), (0, 2)), name="around"),
        hgq.QConv2D(2, 2, activation="relu", name="second"),
        keras.Cropping2D(((0, 1), (1, 0)), name="inner"),
        hgq.QConv2D(2, 1, name="third"),
    ]


def _rims1d(hgq: Any, keras: Any) -> list[Any]:
    return [
        hgq.QConv1D(2, 2, name="first"),
        keras.ZeroPadding1D((1, 0), name="around"),
        hgq.QConv1D(2, 2, activation="relu", name="second"),
        keras.Cropping1D((0, 1), name="inner"),
        hgq.QConv1D(2, 1, name="third"),
    ]


def _larger2d(hgq: Any, keras: Any) -> list[Any]:
    return [
        hgq.QConv2D(2, 1, name="first"),
        keras.UpSampling2D((2, 1), name="twice"),
        hgq.QConv2D(2, (2, 1), name="second"),
    ]


def _larger1d(hgq: Any, keras: Any) -> list[Any]:
    return [
        hgq.QConv1D(2, 1, name="first"),
        keras.UpSampling1D(2, name="u"),
        hgq.QConv1D(2, 2, name="second"),
    ]


def _normalized(hgq: Any, keras: Any) -> list[Any]:
    return [
        hgq.QConv2D(3, 2, name="first"),
        hgq.QBatchNormalization(name="scaled"),
        keras.Activation("relu", name="bent"),
        hgq.QConv2D(2, (1, 2), name="second"),
        hgq.QBatchNormalization(enable_iq=False, scale=False, enable_oq=True, name="shifted"),
    ]


def _normalized_dense(hgq: Any, _keras: Any) -> list[Any]:
    return [
        hgq.QBatchNormalization(center=False, name="scaled"),
        hgq.QDense(3, name="fc"),
        hgq.QBatchNormalization(enable_iq=False, name="last"),
    ]


def _stream(path: Path) -> None:
    """A small U-Net that ends in an image, with one width for each tensor: a stream of columns."""
    import keras
    from hgq import layers
    from hgq.config import QuantizerConfigScope

    even = QuantizerConfigScope(
        place="datalane", overflow_mode="SAT", homogeneous_axis=(0, 1, 2, 3)
    )
    with usual_quantizers(), even:
        source = keras.Input((2, 8, 1), name="x")
        first = layers.QConv2D(
            2, (2, 3), padding="same", activation="relu", enable_oq=True, name="first"
        )(source)
        low = keras.layers.MaxPooling2D(2, name="most")(first)
        low = layers.QConv2D(
            2, (1, 2), padding="same", enable_iq=False, enable_oq=True, name="low"
        )(low)
        high = keras.layers.UpSampling2D(2, name="twice")(low)
        both = keras.layers.Concatenate(name="both")([first, high])
        last = layers.QConv2D(1, (1, 2), padding="same", enable_iq=False, name="logits")(both)
        model = keras.Model(source, last)
    draw(model)
    model.save(path)


def _case(name: str, shape: tuple[int, ...], make: Make, **options: Any) -> Case:
    return Case(name, _model(shape, make, **options), KIND)


CASES: Final = (
    _case("QConv2D: strides, same, 1x1, quantized output", (5, 4, 2), _conv2d),
    _case("QConv1D: same, strides, a kernel of 1, no bias", (7, 2), _conv1d),
    _case("QConv1D: causal, strides", (6, 2), _causal),
    _case("QConv2D: dilation", (4, 3, 2), _dilated),
    _case("QConv1D: dilation", (7, 2), _dilated1d),
    _case("QConv2D: groups, one for each channel", (3, 3, 4), _grouped),
    _case("QMaxPooling2D, QAveragePooling2D: strides", (4, 5, 2), _pools2d),
    _case("QMaxPooling1D, QAveragePooling1D", (7, 2), _pools1d),
    _case("QMaxPooling2D, QAveragePooling2D: same", (3, 4, 2), _rims_of_pools),
    _case(
        "QMaxPooling2D, MaxPooling2D: same, above zero",
        (3, 3, 2),
        _rims_above_zero,
        unsigned=("most",),
    ),
    *(
        _case(kind, shape, _whole(kind))
        for kind, shape in (
            ("QGlobalMaxPooling1D", (5, 2)),
            ("QGlobalMaxPooling2D", (3, 2, 2)),
            ("QGlobalAveragePooling1D", (4, 2)),
            ("QGlobalAveragePooling2D", (2, 4, 2)),
        )
    ),
    _case("MaxPooling2D, AveragePooling2D, Flatten", (4, 4, 2), _plain_pools),
    _case("MaxPooling1D, AveragePooling1D, GlobalAveragePooling1D", (6, 2), _plain_whole),
    _case("GlobalMaxPooling2D", (3, 2, 2), _plain_largest),
    _case("ZeroPadding2D, Cropping2D", (3, 3, 2), _rims2d),
    _case("ZeroPadding1D, Cropping1D", (5, 2), _rims1d),
    _case("UpSampling2D", (3, 2, 2), _larger2d),
    _case("UpSampling1D", (4, 2), _larger1d),
    _case("QBatchNormalization: behind convolutions", (3, 4, 2), _normalized),
    _case("QBatchNormalization: behind and before QDense", (4,), _normalized_dense),
    Case("QConv2D, MaxPooling2D, UpSampling2D, Concatenate: a stream", _stream, KIND, STREAM),
)
