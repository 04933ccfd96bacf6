"""Which form a network gets, how large a flat one is, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.frontends.test_keras_windows import CONV, GRID, IMAGE, SEQUENCE, chain
from trigger_ml.config import Config, load_config
from trigger_ml.errors import ConfigError, ModelError
from trigger_ml.frontends import flat
from trigger_ml.frontends.flat import flat_products, hls_interface, require_form
from trigger_ml.frontends.keras_network import KerasNetwork

SEPARABLE = {**CONV, "depthwise_quantizer": GRID, "pointwise_quantizer": GRID}
DENSE = {"kernel_quantizer": GRID, "bias_quantizer": GRID, "units": 3}


def config(**keys: Any) -> Config:
    return load_config(None, {key.replace("__", "."): value for key, value in keys.items()})


def network(ends_in_image: bool = False) -> KerasNetwork:
    """Weights of one sixteenth each, which quantized_bits(4,0) rounds to zero, and some of 0.5."""
    tail = [] if ends_in_image else [("Flatten", {}), ("QDense", DENSE)]
    layers = chain((6, 5, 2), ("QConv2D", {**IMAGE, "strides": [2, 1]}), *tail)
    kernel = np.full((3, 3, 2, 2), 1 / 16, np.float32)
    kernel[0] = 0.5
    dense = np.full((3 * 5 * 2, 3), -0.25, np.float32)
    weights = {"l0": (kernel, np.zeros(2, np.float32))}
    if not ends_in_image:
        weights["l2"] = (dense, np.zeros(3, np.float32))
    return KerasNetwork(Path("m.h5"), "0", "m", tuple(layers), "", weights)


def test_products_are_weights_at_every_place() -> None:
    assert flat_products(network()) == {"l0": 15 * 12, "l2": 90}
    layers = chain(
        (4, 4, 2),
        ("QSeparableConv2D", {**SEPARABLE, "kernel_size": 2, "filters": 3, "depth_multiplier": 2}),
        ("GlobalMaxPooling2D", {}),
    )
    kernels = (np.ones((2, 2, 2, 2)), np.ones((1, 1, 4, 3)), np.ones(3))
    arrays = tuple(values.astype(np.float32) for values in kernels)
    separable = KerasNetwork(Path("m.h5"), "0", "m", tuple(layers), "", {"l0": arrays})
    assert flat_products(separable) == {"l0": 9 * (16 + 12)}


def test_a_network_that_is_too_large_says_by_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    require_form(network(), config())
    monkeypatch.setattr(flat, "MOST_PRODUCTS", 269)
    with pytest.raises(ModelError) as caught:
        require_form(network(), config())
    assert "270 products with non-zero weights (180 of them in l0), and 269" in str(caught.value)
    assert "or end in an image" in str(caught.value)
    assert "or compile with --hls-only, which makes hls4ml's streaming project" in str(caught.value)
    image = network(ends_in_image=True)
    monkeypatch.setattr(flat, "MOST_PRODUCTS", 100)
    with pytest.raises(ModelError, match=r"leave firmware\.io_type: auto"):
        require_form(image, config(firmware__io_type="io_parallel"))


def test_the_form_follows_the_network_and_the_interface() -> None:
    firmware = config().firmware
    assert firmware.streams(True) and not firmware.streams(False)
    assert firmware.interface(True) == "io_stream" and firmware.interface(False) == "io_parallel"
    parallel = config(firmware__io_type="io_parallel").firmware
    assert not parallel.streams(True) and parallel.interface(True) == "io_parallel"


def test_decisions_and_interfaces_that_do_not_suit() -> None:
    with pytest.raises(ConfigError, match="this network ends in a vector"):
        require_form(network(), config(firmware__io_type="io_stream"))
    for output in ("argmax", "softmax"):
        require_form(network(), config(firmware__output=output))
        asked = config(firmware__output=output, firmware__io_type="io_parallel")
        with pytest.raises(ConfigError, match="says something of each pixel"):
            require_form(network(ends_in_image=True), asked)
    require_form(network(ends_in_image=True), config())


def test_a_project_without_rtl_streams_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = config(firmware__rtl=False)
    assert hls_interface(network(), alone) == "io_parallel"
    assert hls_interface(network(), config(firmware__rtl=False, firmware__io_type="io_stream")) == (
        "io_stream"
    )
    monkeypatch.setattr(flat, "MOST_PRODUCTS", 269)
    assert hls_interface(network(), alone) == "io_stream"
    require_form(network(), alone)
    assert hls_interface(network(), config()) == "io_parallel"
    parallel = config(firmware__rtl=False, firmware__io_type="io_parallel")
    with pytest.raises(ModelError, match="270 products"):
        require_form(network(), parallel)
    layers = chain(
        (6, 5, 2),
        ("QConv2D", {**IMAGE, "strides": [2, 1]}),
        ("MaxPooling2D", {"pool_size": [2, 2], "strides": [1, 1], "padding": "valid"}),
        ("AveragePooling2D", {"pool_size": [2, 3], "strides": [2, 3], "padding": "same"}),
        ("Flatten", {}),
    )
    with pytest.raises(ModelError) as caught:
        require_form(replace(network(), layers=tuple(layers)), alone)
    assert [blocker.what for blocker in caught.value.blockers] == [
        "windows of 2x3 each 2x3 reach beyond 2x4",
    ]


def test_a_sequence_of_results_is_no_class() -> None:
    layers = tuple(chain((8, 1), ("QConv1D", SEQUENCE)))
    weights = {"l0": (np.ones((3, 1, 3), np.float32), np.zeros(3, np.float32))}
    sequence = KerasNetwork(Path("m.h5"), "0", "m", layers, "", weights)
    require_form(sequence, config(firmware__output="threshold"))
    with pytest.raises(ConfigError, match="says something of each pixel"):
        require_form(sequence, config(firmware__output="argmax"))


def test_networks_without_convolutions_are_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat, "MOST_PRODUCTS", 0)
    layers = tuple(chain((4,), ("QDense", DENSE)))
    dense = (np.ones((4, 3), np.float32), np.zeros(3, np.float32))
    require_form(KerasNetwork(Path("m.h5"), "0", "m", layers, "", {"l0": dense}), config())
