"""What float files are refused for, before any process is started."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.float_graph.networks import Model, conv, draw, image_model, shared_model
from tests.frontends.keras_json import keras_input, layer
from tests.onnx_models import QCDQ, Builder
from trigger_ml.compress.networks.network import read_network
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


def test_a_softmax_within_has_no_tables_whatever_the_events_say(tmp_path: Path) -> None:
    items = [
        keras_input("x", 4),
        layer("Dense", "scores", ("x",), units=3, activation="softmax"),
        layer("Dense", "out", ("scores",), units=2),
    ]
    weights = {"scores": (draw(1, 4, 3), draw(2, 3)), "out": (draw(3, 3, 2), draw(4, 2))}
    text = refusal(Model(items, weights).save(tmp_path / "within.h5"))
    assert "layer scores: softmax in the middle of a network" in text
    assert "train the network with HGQ2, whose QSoftmax has tables" in text
    build = Builder(QCDQ)
    first, last = (build.constant(build.random.normal(size=size)) for size in ((4, 3), (3, 2)))
    read = build.node("Softmax", build.node("MatMul", "x", first), axis=1, name="/s/Softmax")
    text = refusal(build.save(tmp_path / "within.onnx", build.node("MatMul", read, last)))
    assert "node /s/Softmax (Softmax): in the middle of a network has no exact" in text
    assert "train the network with HGQ2, whose QSoftmax has tables" in text


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


def test_what_holds_floats_though_layers_are_used_again(tmp_path: Path) -> None:
    file = shared_model().save(tmp_path / "shared.h5")
    assert holds_floats(file)
    source = read_source(file, load_config(None))
    names = [layer.name for layer in source.original.layers]
    assert {"each", "again", "again_2", "again_3", "turned"} <= set(names)
    # Training would part them.
    with pytest.raises(ModelError, match="layer again: is used more than once"):
        read_network(file)


def test_a_network_of_tensor_kernels_alone_is_float(tmp_path: Path) -> None:
    equation = {"equation": "ab,bc->ac", "output_shape": 2, "bias_axes": None}
    items = [keras_input("x", 3), layer("EinsumDense", "mix", ("x",), **equation)]
    weights = {"mix": (draw(1, 3, 2),)}
    assert holds_floats(Model(items, weights).save(tmp_path / "mix.h5"))
    grid = layer("QActivation", "grid", ("x",), activation="quantized_bits(8,2,alpha=1)")
    items = [items[0], grid, layer("EinsumDense", "mix", ("grid",), **equation)]
    assert not holds_floats(Model(items, weights).save(tmp_path / "fixed.h5"))


def test_wrappers_and_kernels_that_have_no_firmware(tmp_path: Path) -> None:
    pool = {"class_name": "GlobalMaxPooling2D", "config": {"name": "pool"}}
    items = [
        keras_input("x", 4, 3),
        layer("TimeDistributed", "each", ("x",), layer=pool),
        layer("EinsumDense", "mix", ("x",), equation="abc,cb->a", output_shape=[]),
        layer("Dense", "out", ("x",), units=2, activation="gelu"),
    ]
    text = refusal(Model(items, {"out": (draw(2, 3, 2),)}).save(tmp_path / "odd.h5"))
    assert "layer out activation: the results of gelu are real numbers" in text
    items = [
        *items[:3],
        layer("Add", "sum", ("each", "mix")),
        layer("Dense", "out", ("sum",), units=2),
    ]
    weights = {"mix": (draw(1, 3, 5),), "out": (draw(2, 3, 2), draw(3, 2))}
    text = refusal(Model(items, weights).save(tmp_path / "odd.h5"))
    assert "layer each: TimeDistributed(GlobalMaxPooling2D) of a tensor of shape (4, 3)" in text
    assert "layer mix: its equation 'abc,cb->a'" in text


def test_types_of_training_are_not_those_of_firmware(tmp_path: Path) -> None:
    """Half precision and whole numbers in a file change nothing of what is built."""
    model = image_model()
    policy = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
    items = [
        {**item, "config": {**item["config"], "dtype": policy if number else "uint8"}}
        for number, item in enumerate(model.items)
    ]
    plain = read_source(model.save(tmp_path / "plain.h5"), load_config(None))
    mixed = read_source(replace(model, items=items).save(tmp_path / "mixed.h5"), load_config(None))
    assert mixed.network.layers == plain.network.layers
