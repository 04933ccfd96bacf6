"""Which HGQ2 networks can be streams of columns, by their quantizers and shapes."""

from __future__ import annotations

from typing import Any

import pytest

from trigger_ml.config import Config
from trigger_ml.errors import BlockedError, ConfigError, ModelError
from trigger_ml.frontends.hgq_streams import hgq_interface
from trigger_ml.frontends.model_file import Layer


def quantizer(homogeneous: list[int] | None, heterogeneous: list[int] | None = None) -> Any:
    return {"config": {"homogeneous_axis": homogeneous, "heterogeneous_axis": heterogeneous}}


EVEN = quantizer([0, 1, 2, -1])
UNEVEN = quantizer([0])
EINSUM = {"equation": "bhwc,cd->bhwd", "output_shape": [2, 8, 3], "bias_axes": None}


def network(
    grid: Any = EVEN,
    inside: Any = None,
    shape: tuple[int, ...] = (4, 8, 1),
    pooled: bool = False,
    **window: Any,
) -> list[Layer]:
    """An input, a quantizer, a convolution with a quantizer of its own or none."""
    conv = {
        "filters": 2,
        "kernel_size": [1, 1],
        "strides": [1, 1],
        "padding": "same",
        "dilation_rate": [1, 1],
        "groups": 1,
        "enable_iq": inside is not None,
        "iq_conf": inside,
        "enable_oq": False,
        "oq_conf": None,
        **window,
    }
    layers = [
        Layer("x", "InputLayer", (), {"batch_shape": [None, *shape]}),
        Layer("grid", "Quantizer", ("x",), {"config": grid}),
        Layer("conv", "QConv2D", ("grid",), conv),
    ]
    if pooled:
        layers.append(Layer("all", "GlobalMaxPooling2D", ("conv",), {"keepdims": False}))
    return layers


def interface(layers: list[Layer], **firmware: Any) -> str:
    config = Config.model_validate({"firmware": firmware})
    return hgq_interface(layers, [layers[-1].name], config)


@pytest.mark.parametrize("even", [EVEN, quantizer([-4, -3, -2, -1]), quantizer(None, [])])
def test_an_image_with_one_width_a_tensor_streams(even: Any) -> None:
    assert interface(network(even)) == "io_stream"
    assert interface(network(even), io_type="io_parallel") == "io_parallel"
    alone = network(inside=even)
    conv = Layer("conv", "QConv2D", ("x",), alone[2].config)
    assert interface([alone[0], conv]) == "io_stream"


@pytest.mark.parametrize("uneven", [UNEVEN, quantizer([0, 1, 2]), quantizer(None, [-1])])
def test_widths_of_elements_or_channels_do_not(uneven: Any) -> None:
    assert interface(network(inside=uneven)) == "io_parallel"
    with pytest.raises(ModelError) as caught:
        interface(network(uneven, uneven), io_type="io_stream")
    text = str(caught.value)
    assert "layer grid config: has a width for each element or channel" in text
    assert "layer conv iq_conf: has a width" in text
    assert "train it with homogeneous_axis=(0, 1, 2, 3)" in text


def test_a_tensor_is_rounded_once() -> None:
    assert interface(network(inside=EVEN)) == "io_parallel"
    with pytest.raises(ModelError, match="layer conv iq_conf: rounds grid again") as caught:
        interface(network(inside=EVEN), io_type="io_stream")
    assert "enable_iq=False in what reads grid" in str(caught.value)


def test_what_streams_have_no_windows_for() -> None:
    odd = {"kernel_size": [1, 2], "strides": [2, 1]}
    with pytest.raises(ModelError) as caught:
        interface([*network(**odd), Layer("fc", "QEinsumDense", ("conv",), EINSUM)])
    text = str(caught.value)
    assert "layer conv: a kernel of one row with strides [2, 1]" in text
    assert "layer fc: a QEinsumDense has no place in a stream of columns" in text
    with pytest.raises(BlockedError, match="ghdl reads VHDL"):
        config = Config.model_validate({"verify": {"simulator": "ghdl"}})
        hgq_interface(network(), ["conv"], config)


def test_a_tensor_has_one_type_whoever_reads_it() -> None:
    layers = network()
    layers[1] = Layer("grid", "Activation", ("x",), {"activation": "linear"})
    conv = {**layers[2].config, "enable_iq": True, "iq_conf": EVEN}
    layers[2] = Layer("conv", "QConv2D", ("grid",), conv)
    again = Layer("again", "QConv2D", ("grid",), conv)
    joined = Layer("joined", "Concatenate", ("conv", "again"), {"axis": -1})
    assert interface([*layers, again, joined]) == "io_parallel"
    with pytest.raises(ModelError) as caught:
        interface([*layers, again, joined], io_type="io_stream")
    text = str(caught.value)
    for name in ("conv", "again"):
        assert f"layer {name} iq_conf: is one of 2 readers of grid" in text
    assert "quantize grid once, by its enable_oq=True" in text


def test_a_network_that_ends_in_a_vector_does_not() -> None:
    assert interface(network(pooled=True)) == "io_parallel"
    with pytest.raises(ConfigError, match="reads one image and ends in one"):
        interface(network(pooled=True), io_type="io_stream")


def test_what_the_configuration_cannot_ask_of_an_image() -> None:
    with pytest.raises(BlockedError, match="says something of each pixel"):
        interface(network(UNEVEN), output="argmax")
