"""Whether a network may have the form that is asked for: a stream of columns or a flat pipeline.

A flat pipeline has its own multiplier for every place of a convolution, so its size grows with
the image. How large it gets is known from the file, before anything is converted. Of a network that
is too large for one and ends in a vector, there is hls4ml's streaming project, without RTL.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from trigger_ml.config import Config
from trigger_ml.errors import BlockedError, Blocker, ConfigError, ModelError
from trigger_ml.frontends.keras_convolutions import CONVOLUTIONS, products
from trigger_ml.frontends.keras_images import layer_shapes
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.keras_streams import stream_problems, window_problems
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.quantizers import quantizer_type
from trigger_ml.gathering import Gathering

__all__ = [
    "MOST_PRODUCTS",
    "flat_products",
    "hls_interface",
    "project_streams",
    "require_form",
    "size_problems",
]

MOST_PRODUCTS: Final = 50_000
"""Products with non-zero weights of a flat pipeline with convolutions.

Measured on 8x8x1 images, 4-bit weights and three 3x3 convolutions: 7,823 products trace in 11 s
of one core and count 42,000 LUT, 20,102 in 27 s and 98,000 LUT; g++ takes under a minute for
either. So this many trace in about a minute and take about 240,000 LUT, 14 % of a VU13P. A chamber
of 8 x 384 x 6 has millions: g++ had not compiled it after 1,500 s.
"""


def require_form(network: KerasNetwork, config: Config) -> None:
    """Refuse what a network's form cannot have. Raises ModelError or ConfigError."""
    found = Gathering()
    if config.firmware.streams(network.streamable):
        found.run(lambda: _raise(ModelError, stream_problems(network.layers, network.weights)))
        found.run(config.require_streamable)
        found.finish()
        return
    shapes, _ = layer_shapes(network.layers)
    ends = [shapes[name] for name in network.outputs or (network.layers[-1].name,)]
    blockers = config.pixel_problems() if any(len(shape) > 1 for shape in ends) else []
    if project_streams(network, config):
        found.run(lambda: _raise(ConfigError, blockers))
        found.run(lambda: _raise(ModelError, window_problems(network.layers)))
        found.finish()
        return
    if _convolves(network) and config.firmware.io_type == "io_stream":
        what = "a stream of columns ends in an image, and this network ends in a vector"
        fix = "use firmware.io_type: auto, or --hls-only for hls4ml's streaming project without RTL"
        blockers.append(Blocker("firmware.io_type", what, fix))
    found.run(lambda: _raise(ConfigError, blockers))
    found.run(lambda: _raise(ModelError, size_problems(network)))
    found.finish()


def hls_interface(network: KerasNetwork, config: Config) -> str:
    """hls4ml's interface type of a network's project."""
    if project_streams(network, config):
        return "io_stream"
    return config.firmware.interface(network.streamable)


def project_streams(network: KerasNetwork, config: Config) -> bool:
    """Whether a network that is no stream of columns becomes hls4ml's streaming project, pixel
    after pixel: one without RTL, where that is asked for or a flat pipeline is too large."""
    firmware = config.firmware
    if firmware.rtl or firmware.streams(network.streamable) or not _convolves(network):
        return False
    if firmware.io_type == "auto":
        return sum(flat_products(network).values()) > MOST_PRODUCTS
    return firmware.io_type == "io_stream"


def _convolves(network: KerasNetwork) -> bool:
    return any(layer.kind in CONVOLUTIONS for layer in network.layers)


def _raise(kind: type[BlockedError], blockers: list[Blocker]) -> None:
    if blockers:
        raise kind(blockers)


def size_problems(network: KerasNetwork) -> list[Blocker]:
    """Where a flat pipeline with convolutions is too large; of a part, where that is already."""
    if not _convolves(network):
        return []
    counts = flat_products(network)
    total = sum(counts.values())
    if total <= MOST_PRODUCTS:
        return []
    largest = max(counts, key=lambda name: counts[name])
    what = (
        f"unrolled over all places, its layers take {total:,} products with non-zero weights "
        f"({counts[largest]:,} of them in {largest}), and {MOST_PRODUCTS:,} is the most that is "
        "traced and compiled in minutes"
    )
    fix = "pool earlier, use strides, fewer filters or more zeros"
    if network.streamable:
        fix = f"leave firmware.io_type: auto, which makes it a stream of columns; or {fix}"
    else:
        fix = (
            f"{fix}; or compile with --hls-only, which makes hls4ml's streaming project of the "
            "network as it is, held to the model by C simulation, and no RTL; or end in an image, "
            "which makes it a stream of columns"
        )
    return [Blocker("model", what, fix)]


def flat_products(network: KerasNetwork) -> dict[str, int]:
    """Products with non-zero weights of a flat pipeline, by the layer that has weights."""
    shapes, _ = layer_shapes(network.layers)
    counts = {}
    for layer in network.layers:
        nonzero = _nonzero(layer, network)
        if layer.kind in CONVOLUTIONS:
            counts[layer.name] = products(layer, shapes[layer.name], nonzero)
        elif nonzero:
            counts[layer.name] = nonzero[0]
    return counts


def _nonzero(layer: Layer, network: KerasNetwork) -> list[int]:
    """Weights of each kernel that are not zero once they are quantized."""
    known = CONVOLUTIONS.get(layer.kind)
    keys = known.quantizers if known else ("kernel_quantizer",)
    counts = []
    for key, values in zip(keys, network.weights.get(layer.name, ()), strict=False):
        quantizer = layer.config.get(key) or {}
        rounds = quantizer.get("class_name") == "quantized_bits"
        kept = quantizer_type(quantizer).encode(values) if rounds else values
        counts.append(int(np.count_nonzero(kept)))
    return counts
