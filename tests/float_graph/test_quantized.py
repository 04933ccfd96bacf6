"""Where quantizers stand, and which types constants get."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.float_graph.networks import (
    Model,
    draw,
    image_model,
    rich_model,
    sequence_model,
    shared_model,
)
from tests.frontends.keras_json import keras_input, layer
from trigger_ml.float_graph.network import read_float_network, simplified
from trigger_ml.float_graph.quantized import Place, Types, places, quantized
from trigger_ml.float_graph.weight_types import reach_bits
from trigger_ml.frontends.keras_images import layer_shapes
from trigger_ml.frontends.quantizers import quantizer_type
from trigger_ml.graph.types import FixedType


def types_for(network, bits: int, input_type: FixedType | None = None) -> Types:  # type: ignore[no-untyped-def]
    values = {
        place.tensor: FixedType(min(bits, place.most_bits), 4, not place.unsigned)
        for place in places(network)
    }
    kind = input_type or FixedType(bits, 4)
    return Types(dict.fromkeys(network.inputs, kind), values, bits)


def test_quantizers_stand_behind_what_computes() -> None:
    found = places(simplified(image_model().read()))
    assert found == (Place("relu", True, 62), Place("hidden_act", True, 62))
    made = quantized(simplified(image_model().read()), None)
    kinds = [(layer.name, layer.kind) for layer in made.layers]
    assert kinds == [
        ("image", "InputLayer"),
        ("image_grid", "QActivation"),
        ("conv", "QConv2D"),
        ("relu", "QActivation"),
        ("pool", "MaxPooling2D"),
        ("flat", "Flatten"),
        ("hidden", "QDense"),
        ("hidden_act", "QActivation"),
        ("out", "QDense"),
    ]


@pytest.mark.parametrize("make", [image_model, rich_model, sequence_model, shared_model])
def test_a_draft_is_a_network_that_the_readers_take(make) -> None:  # type: ignore[no-untyped-def]
    made = quantized(simplified(make().read()), None)
    _, blockers = layer_shapes(made.layers)
    assert not blockers
    assert made.has_input_quantizer


def test_what_is_never_below_zero_has_no_sign() -> None:
    found = {place.tensor: place for place in places(simplified(rich_model().read()))}
    assert not found["sep"].unsigned
    assert not found["sum"].unsigned  # the leaky side of it may be below zero
    assert found["side_act"].unsigned and found["bent"].unsigned
    made = {layer.name: layer for layer in quantized(simplified(rich_model().read()), None).layers}
    kinds = [made[f"{name}_grid"].config["activation"]["class_name"] for name in ("bent", "sum")]
    assert kinds == ["quantized_relu", "quantized_bits"]
    assert found["more"].most_bits == 10  # a table has an entry for each of its values


def test_outputs_keep_their_sums() -> None:
    made = quantized(simplified(rich_model().read()), None)
    by_name = {layer.name: layer for layer in made.layers}
    assert made.outputs == ("first", "second")
    assert [by_name[name].kind for name in made.outputs] == ["QDense", "QDense"]


def test_sums_have_no_more_digits_than_single_precision() -> None:
    """With 16 bits each, weights lose fraction bits until the largest sum has 24 digits."""
    network = simplified(image_model().read())
    made = quantized(network, types_for(network, 16))
    by_name = {layer.name: layer for layer in made.layers}
    reach, step = 8.0, 2.0**-12
    kernel, bias = made.weights["conv"]
    kind = quantizer_type(by_name["conv"].config["kernel_quantizer"])
    largest = (np.abs(kernel).sum(axis=(0, 1, 2)) * reach + np.abs(bias)).max()
    assert largest / (kind.step * step) <= 2**24
    assert largest / (kind.step * step) > 2**22
    narrow = quantized(network, types_for(network, 6))
    kept = {layer.name: layer for layer in narrow.layers}["conv"].config["kernel_quantizer"]
    assert quantizer_type(kept).width == 6


def test_small_weights_get_their_own_point() -> None:
    network = simplified(image_model().read())
    small = {**network.weights, "out": (draw(8, 4, 3, scale=0.01), draw(9, 3, scale=0.01))}
    made = quantized(replace(network, weights=small), types_for(network, 8))
    assert np.abs(made.weights["out"][0] - small["out"][0]).max() <= 2.0**-12 / 2
    assert reach_bits(-0.03, 0.03, signed=True) == -4


def test_slopes_have_eight_fraction_bits() -> None:
    made = quantized(simplified(rich_model().read()), None)
    alpha = next(layer for layer in made.layers if layer.name == "leaky").config["alpha"]
    assert alpha == 77 / 256
    (slopes,) = made.weights["slopes"]
    assert np.array_equal(slopes * 256, np.rint(slopes * 256))


def test_what_has_quantizers_keeps_them() -> None:
    bits = "quantized_bits(4,0,alpha=1)"
    items = [
        keras_input("x", 3),
        layer("QActivation", "grid", ("x",), activation="quantized_bits(8,2,alpha=1)"),
        layer(
            "QDense",
            "fixed",
            ("grid",),
            units=4,
            kernel_quantizer=bits,
            bias_quantizer=bits,
            activation="quantized_relu(5,2)",
        ),
        layer("Dense", "float", ("fixed",), units=2),
    ]
    weights = {"fixed": (draw(1, 3, 4), draw(2, 4)), "float": (draw(3, 4, 2), draw(4, 2))}
    network = simplified(Model(items, weights).read())
    assert places(network) == ()
    made = quantized(network, Types({}, {}, 8))
    assert [layer.kind for layer in made.layers] == [
        "InputLayer",
        "QActivation",
        "QDense",
        "QDense",
    ]
    assert made.layers[2].config["kernel_quantizer"]["config"]["bits"] == 4
    assert made.layers[3].config["kernel_quantizer"]["config"]["bits"] == 8


def test_the_strictest_reader_says_how_many_bits() -> None:
    items = [
        keras_input("x", 4),
        layer("Dense", "one", ("x",), units=4),
        layer("ReLU", "two", ("one",), max_value=None, negative_slope=0.0, threshold=0.0),
        layer("Add", "sum", ("one", "two")),
        layer("Multiply", "product", ("one", "two")),
        layer("Concatenate", "both", ("sum", "product")),
        layer("Dense", "out", ("both",), units=2),
    ]
    weights = {"one": (draw(1, 4, 4), draw(2, 4)), "out": (draw(3, 8, 2), draw(4, 2))}
    found = {
        place.tensor: place.most_bits for place in places(simplified(Model(items, weights).read()))
    }
    assert found == {"one": 10, "two": 10, "sum": 62, "product": 62}


def test_an_output_is_moved_as_it_is() -> None:
    items = [
        keras_input("x", 4),
        layer("Dense", "out", ("x",), units=6),
        layer("Reshape", "shaped", ("out",), target_shape=[2, 3]),
    ]
    network = simplified(Model(items, {"out": (draw(1, 4, 6), draw(2, 6))}).read())
    assert places(network) == ()
    kinds = [layer.kind for layer in quantized(network, None).layers]
    assert kinds == ["InputLayer", "QActivation", "QDense", "Reshape"]


def test_uses_of_a_layer_have_their_own_types_and_the_same_weights(tmp_path: Path) -> None:
    """The shortest weights that one of them needs: what the second one reads has more bits."""
    network = simplified(read_float_network(shared_model().save(tmp_path / "net.h5")))
    uses = ("again", "again_2", "again_3")
    found = {place.tensor for place in places(network)}
    assert found >= {"again", "again_2"}
    types = types_for(network, 12)
    longer = {**types.values, "again": FixedType(20, 4), "again_2": FixedType(16, 4)}
    made = quantized(network, replace(types, values=longer))
    kinds = {layer.name: layer.config for layer in made.layers}
    widths = {
        name: [kinds[name][f"{part}_quantizer"]["config"]["bits"] for part in ("kernel", "bias")]
        for name in uses
    }
    assert widths["again"] == widths["again_2"] == widths["again_3"]
    alone = quantized(network, types)
    kind = {layer.name: layer.config for layer in alone.layers}["again"]["kernel_quantizer"]
    assert widths["again"][0] < kind["config"]["bits"] == 12
    for name in uses[1:]:
        for ours, theirs in zip(made.weights[name], made.weights["again"], strict=True):
            assert np.array_equal(ours, theirs)


def test_a_kernel_of_a_tensor_gets_a_type_from_events() -> None:
    network = simplified(shared_model().read())
    own = [item for item in network.layers if item.name.startswith("turned")]
    (layer,) = (item for item in own if item.name in network.weights)
    made = {item.name: item for item in quantized(network, types_for(network, 8)).layers}
    assert layer.kind == "Conv1D" and made[layer.name].kind == "QConv1D"
