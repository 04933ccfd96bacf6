"""Networks on images in Keras files: what is read, and everything that is refused, at once."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from trigger_ml.errors import ModelError
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.quantizers import (
    activation_quantizer,
    canonical_quantizer,
    quantizer_type,
)

DATA = Path(__file__).parents[1] / "data"
Change = Callable[[dict[str, Any]], None]


def changed(tmp_path: Path, change: Change, model: str = "tiny_unet") -> Path:
    path = tmp_path / "changed.h5"
    shutil.copyfile(DATA / f"{model}.h5", path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        change(config["config"])
        file.attrs["model_config"] = json.dumps(config)
    return path


def layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in config["layers"] if item["name"] == name)
    return found


def refusal(tmp_path: Path, change: Change, model: str = "tiny_unet") -> str:
    with pytest.raises(ModelError) as caught:
        read_keras(changed(tmp_path, change, model))
    return str(caught.value)


def functional(file: KerasNetwork, name: str) -> dict[str, Any]:
    text = file.architecture(tail=True, input_quantizer=None)
    return layer(json.loads(text)["config"], name)


def test_a_network_with_a_skip_is_read() -> None:
    file = read_keras(DATA / "tiny_unet.h5")
    assert file.input_shape == (16, 32, 2)
    assert file.tail == "sigmoid"
    assert file.streamable and file.has_input_quantizer
    assert functional(file, "both")["inbound_nodes"] == [
        [["up", 0, 0, {}], ["down_relu", 0, 0, {}]]
    ]
    assert functional(file, "pool")["config"]["strides"] == [2, 2]
    assert file.activation_types(None) == {
        "grid": "fixed<4,2,RND_CONV,SAT>",
        "down_relu": "ufixed<4,2,RND_CONV,SAT>",
        "deep_relu": "ufixed<3,3,RND_CONV,SAT>",
        "mix_relu": "ufixed<4,3,RND_CONV,SAT>",
    }


def test_a_network_whose_rows_meet_is_read() -> None:
    """Permute and Multiply as they are; a Permute that is none, and factors that do not fit."""
    file = read_keras(DATA / "tiny_graph.h5")
    assert file.input_shape == (4, 5, 3)
    assert functional(file, "start_rows")["config"]["dims"] == [3, 2, 1]
    assert functional(file, "gate")["inbound_nodes"] == [
        [["meet_relu", 0, 0, {}], ["there_bit", 0, 0, {}]]
    ]


def test_permutations_and_factors_that_cannot_be(tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        layer(config, "start_rows")["config"]["dims"] = [1, 1, 2]
        layer(config, "into_back")["config"]["dims"] = "as it was"

    text = refusal(tmp_path, change, "tiny_graph")
    assert "layer start_rows: dims [1, 1, 2] are not an order of axes" in text
    assert "layer into_back: dims 'as it was'" in text

    def wider(config: dict[str, Any]) -> None:
        layer(config, "there")["config"]["filters"] = 2

    text = refusal(tmp_path, wider, "tiny_graph")
    assert "layer gate: Multiply of (4, 5, 3) and (4, 5, 2): both have one shape" in text


def test_a_relu_is_no_grid_of_the_input(tmp_path: Path) -> None:
    """hls4ml 1.3 stops with an error where the first thing is a quantized_relu."""

    def rectify(config: dict[str, Any]) -> None:
        layer(config, "grid")["config"]["activation"] = "quantized_relu(4,2)"

    file = read_keras(changed(tmp_path, rectify))
    assert file.unquantized_inputs == ("pixels",) and not file.has_input_quantizer


def test_a_sigmoid_inside_the_last_convolution_is_cut_off() -> None:
    file = read_keras(DATA / "tiny_conv.h5")
    assert file.tail == "sigmoid"
    assert file.layers[-1].config["activation"] == "linear"
    assert not file.has_input_quantizer
    types = file.activation_types((1, 1, False))
    assert types["hits_grid"] == "ufixed<1,1,RND_CONV,SAT>"


@pytest.mark.parametrize(
    ("quantizer", "kind"),
    [
        ("quantized_bits(1,1,keep_negative=0)", "ufixed<1,1,RND_CONV,SAT>"),
        ("quantized_bits(8,2,keep_negative=False)", "ufixed<8,2,RND_CONV,SAT>"),
        ("quantized_bits(6,0)", "fixed<6,1,RND_CONV,SAT>"),
        ("quantized_bits(6,2,symmetric=1)", "fixed<6,3,RND_CONV,SAT_SYM>"),
        ("quantized_relu(2,2)", "ufixed<2,2,RND_CONV,SAT>"),
        ("quantized_relu(3,-1)", "ufixed<3,-1,RND_CONV,SAT>"),
        ("quantized_bits()", "fixed<8,1,RND_CONV,SAT>"),
    ],
)
def test_types_of_quantizers(quantizer: str, kind: str) -> None:
    canonical = canonical_quantizer(quantizer, "x")
    assert canonical is not None
    assert str(quantizer_type(canonical)) == kind


def test_one_bit_with_a_sign_is_no_type_of_values() -> None:
    assert canonical_quantizer("quantized_bits(1,0)", "weights") is not None
    with pytest.raises(ModelError, match="means -1 and 1 in QKeras"):
        activation_quantizer("quantized_bits(1,0)", "values")


def test_everything_wrong_with_layers_on_images_at_once(tmp_path: Path) -> None:
    def spoil(config: dict[str, Any]) -> None:
        layer(config, "down")["config"].update(
            kernel_quantizer=None, dilation_rate=[2, 2], data_format="channels_first", filters=0
        )
        layer(config, "up")["config"].update(interpolation="bilinear", size=[0, 1])
        layer(config, "both")["config"].update(axis=0)
        layer(config, "mask")["class_name"] = "QMobileNetSeparableConv2D"

    text = refusal(tmp_path, spoil)
    for part in (
        "layer down kernel_quantizer: is missing: weights stay float",
        "layer down: data_format 'channels_first'",
        "layer down: 0 filters",
        "layer down: dilation_rate [2, 2]",
        "layer up: size [0, 1]",
        "layer up: interpolation 'bilinear'",
        "layer both: axis 0",
        "layer mask: the layer class QMobileNetSeparableConv2D has no firmware here",
    ):
        assert part in text


def test_everything_that_a_stream_cannot_hold_at_once(tmp_path: Path) -> None:
    def spoil(config: dict[str, Any]) -> None:
        layer(config, "mix")["config"].update(kernel_size=[1, 3], strides=[2, 1], padding="valid")
        layer(config, "pool")["config"].update(strides=[1, 1], padding="same")
        layer(config, "both")["config"].update(axis=1)

    text = refusal(tmp_path, spoil)
    for part in (
        "layer pool: windows of 2x2 each 1x1 reach beyond",
        "layer both: axis 1",
        "layer mix: a kernel of one row with strides [2, 1]",
    ):
        assert part in text
    # A flat pipeline can hold the other two.
    with pytest.raises(ModelError) as caught:
        read_keras(changed(tmp_path, spoil), parallel=True)
    assert "mix" not in str(caught.value) and "layer both: axis 1" in str(caught.value)


def test_float_weights_are_refused_with_advice(tmp_path: Path) -> None:
    def spoil(config: dict[str, Any]) -> None:
        layer(config, "mix")["class_name"] = "Conv2D"

    text = refusal(tmp_path, spoil)
    assert "layer mix: a Conv2D layer has float weights" in text
    assert "use QConv2D with quantized_bits(..., alpha=1)" in text


def test_shapes_that_do_not_fit_are_all_named(tmp_path: Path) -> None:
    def spoil(config: dict[str, Any]) -> None:
        layer(config, "pixels")["config"]["batch_input_shape"] = [None, 15, 32, 2]
        layer(config, "mask")["config"].update(kernel_size=[40, 3], padding="valid")

    assert "layer both: (14, 32, 4) and (15, 32, 3) do not fit" in refusal(tmp_path, spoil)

    def stretch(config: dict[str, Any]) -> None:
        layer(config, "up")["config"]["size"] = [2, 1]

    assert "layer both: (16, 16, 4) and (16, 32, 3) do not fit" in refusal(tmp_path, stretch)

    def large(config: dict[str, Any]) -> None:
        layer(config, "mask")["config"].update(kernel_size=[40, 3], padding="valid")

    assert "layer mask: its window is larger than its input" in refusal(tmp_path, large)

    def flat(config: dict[str, Any]) -> None:
        layer(config, "hits")["config"]["batch_input_shape"] = [None, 8]

    text = refusal(tmp_path, flat, "tiny_conv")
    assert "layer conv1: reads a tensor of shape (8,), not height x width x channels" in text

    def open_axis(config: dict[str, Any]) -> None:
        layer(config, "hits")["config"]["batch_input_shape"] = [None, 8, None, 6]

    assert "or height x width x channels" in refusal(tmp_path, open_axis, "tiny_conv")


def test_wiring_that_is_no_network(tmp_path: Path) -> None:
    def skipped(config: dict[str, Any]) -> None:
        layer(config, "mix")["inbound_nodes"] = [[["up", 0, 0, {}]]]

    assert "layer both: nothing reads it" in refusal(tmp_path, skipped)

    def inner(config: dict[str, Any]) -> None:
        config["output_layers"] = [["down", 0, 0]]

    assert "layer probability: nothing reads it, and it is not an output" in refusal(
        tmp_path, inner
    )
