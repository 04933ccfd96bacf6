"""What float files are refused for, before any process is started."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.float_graph.networks import Model, conv, draw, image_model
from tests.frontends.keras_json import keras_input, layer
from tests.onnx_models import QCDQ, Builder
from trigger_ml.config import load_config
from trigger_ml.errors import BlockedError, ModelError
from trigger_ml.float_graph.source import holds_floats, read_source


def refusal(path: Path, **config: str) -> str:
    with pytest.raises(BlockedError) as caught:
        read_source(path, load_config(None, config))
    return str(caught.value)


def test_all_layers_that_get_no_types_at_once(tmp_path: Path) -> None:
    items = [
        keras_input("x", 6, 6, 1),
        conv("first", "x", 2, dilation_rate=[2, 2]),
        layer("Activation", "soft", ("first",), activation="gelu"),
        layer("LSTM", "cells", ("soft",), units=3),
        layer("Lambda", "code", ("cells",)),
        layer("QAveragePooling2D", "pool", ("code",), pool_size=[2, 2], padding="valid"),
    ]
    weights = {"first": (draw(1, 3, 3, 1, 2), draw(2, 2))}
    file = Model(items, weights).save(tmp_path / "odd.h5")
    assert holds_floats(file)
    text = refusal(file)
    for part in ("dilation_rate [2, 2]", "gelu", "layer cells", "holds code, which is never run"):
        assert part in text
    assert "layer pool: a QAveragePooling2D gets no fixed-point types from events" in text


def test_layers_that_do_not_fit(tmp_path: Path) -> None:
    model = image_model()
    wide = [model.items[0], conv("conv", "image", 3, 7, use_bias=False), *model.items[2:]]
    weights = {**model.weights, "conv": (draw(1, 7, 7, 1, 3),)}
    text = refusal(Model(wide, weights).save(tmp_path / "wide.h5"))
    assert "layer conv: its window is larger than its input" in text
    spoiled = {**model.weights, "hidden": (draw(1, 11, 4), draw(2, 4))}
    text = refusal(replace(model, weights=spoiled).save(tmp_path / "spoiled.h5"))
    assert "layer hidden: has weights of shapes [(11, 4), (4,)], not [(12, 4), (4,)]" in text
    nothing = {**model.weights, "bn": model.weights["bn"][:1]}
    text = refusal(replace(model, weights=nothing).save(tmp_path / "nothing.h5"))
    assert "layer bn: its file does not hold the weights of the normalization" in text


def test_what_is_too_large_unrolled(tmp_path: Path) -> None:
    items = [
        keras_input("image", 32, 32, 3),
        conv("large", "image", 16),
        layer("GlobalMaxPooling2D", "most", ("large",)),
        layer("Dense", "out", ("most",), units=2),
    ]
    weights = {
        "large": (draw(1, 3, 3, 3, 16), draw(2, 16)),
        "out": (draw(3, 16, 2), draw(4, 2)),
    }
    text = refusal(Model(items, weights).save(tmp_path / "large.h5"))
    assert "products with non-zero weights" in text


def test_a_float_image_can_be_a_stream(tmp_path: Path) -> None:
    """An image at the end: a stream of columns, which holds no averages."""
    items = [
        keras_input("image", 8, 12, 1),
        conv("first", "image", 2, padding="same", activation="relu"),
        conv("mask", "first", 1, 1, activation="sigmoid"),
    ]
    weights = {
        "first": (draw(1, 3, 3, 1, 2), draw(2, 2)),
        "mask": (draw(3, 1, 1, 2, 1), draw(4, 1)),
    }
    model = Model(items, weights)
    read_source(model.save(tmp_path / "mask.h5"), load_config(None))
    text = refusal(model.save(tmp_path / "mask.h5"), **{"firmware.output": "argmax"})
    assert "a network that ends in an image says something of each pixel" in text


def test_onnx_is_told_of_by_its_nodes(tmp_path: Path) -> None:
    build = Builder(QCDQ)
    kernel = build.constant(build.random.normal(size=(2, 1, 9, 9)))
    read = build.node("Conv", "x", kernel, kernel_shape=[9, 9], pads=[3] * 4, name="/c/Conv")
    read = build.node("Elu", read, name="/a/Elu")
    file = build.save(tmp_path / "odd.onnx", build.node("Flatten", read), ("events", 1, 6, 6))
    assert holds_floats(file)
    with pytest.raises(ModelError, match=r"node /a/Elu \(Elu\): this operator has no firmware"):
        read_source(file, load_config(None))
    assert not holds_floats(tmp_path / "none.onnx")
    (tmp_path / "broken.onnx").write_bytes(np.arange(200, dtype=np.uint8).tobytes())
    assert not holds_floats(tmp_path / "broken.onnx")
