"""Open an ONNX model: read here, rebuilt in QKeras in one process, evaluated in another."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.flat import require_form
from trigger_ml.frontends.keras_client import open_network
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.known_part import known_problems
from trigger_ml.frontends.onnx_network import ReadOnnx, in_terms_of_onnx, read_onnx_network
from trigger_ml.frontends.opened import Opened, Process, refuse_input_type
from trigger_ml.gathering import Gathering

__all__ = ["open_onnx", "read_onnx", "require_columns"]

FORMAT: Final = "ONNX"
FUNCTIONS: Final = "onnxruntime"
"""Who says what a tanh and a sigmoid are."""
OPEN: Final = (
    "nothing says which fixed-point type it has",
    "quantize it too (Brevitas: QuantIdentity), or set firmware.input_type: fixed<16,6>",
)
"""What is wrong with an input without a quantizer, and what to do."""


def open_onnx(path: Path, config: Config, work: Path) -> Opened:
    """Read and check an ONNX model; its own file is what onnxruntime evaluates.

    Raises ModelError or ConfigError.
    """
    read = read_onnx(path, config)
    opened = open_network(read.network, config, work, FORMAT)
    load = {
        "file": str(path.resolve()),
        "logits": read.logits,
        "tail": read.network.tail,
        "places": dict(read.places),
    }
    converter = replace(opened.converter, load={**opened.converter.load, "functions": FUNCTIONS})
    oracle = Process("trigger_ml.frontends.onnx_worker", load)
    return replace(opened, converter=converter, oracle=oracle)


def read_onnx(path: Path, config: Config) -> ReadOnnx:
    """Read an ONNX model that can become firmware with this configuration.

    Raises BlockedError with all that stands in the way.
    """
    read = read_onnx_network(path, partial(_known_problems, config=config))
    network, found = read.network, Gathering()
    found.run(lambda: _raise_inputs(read, config))
    found.run(lambda: _in_its_terms(read, lambda: require_form(network, config)))
    if network.has_input_quantizer:
        found.run(lambda: refuse_input_type(config))
    if config.firmware.interface(network.streamable) == "io_stream":
        found.run(lambda: require_columns(network))
    found.finish()
    return read


def _known_problems(
    network: KerasNetwork, unsure: Collection[str], config: Config
) -> list[Blocker]:
    return [
        replace(item, what=OPEN[0], fix=OPEN[1]) if "which fixed-point type" in item.what else item
        for item in known_problems(network, config, unsure)
    ]


def _raise_inputs(read: ReadOnnx, config: Config) -> None:
    names = read.network.unquantized_inputs
    if names and config.firmware.input_type is None:
        raise ModelError([Blocker(read.places[name], *OPEN) for name in names])


def _in_its_terms(read: ReadOnnx, check: Callable[[], object]) -> None:
    try:
        check()
    except ModelError as error:
        raise ModelError(in_terms_of_onnx(error.blockers, read.places)) from error


def require_columns(network: KerasNetwork) -> None:
    """Refuse what a stream of columns cannot do: put another axis where the width is."""
    for layer in network.layers:
        if layer.kind == "Permute" and layer.config["dims"][1] != 2:
            what = (
                "its images have several channels, which come first where they enter or leave; a "
                "stream of columns takes and gives pixels with their channels"
            )
            fix = (
                "let the model itself take and give channels last: x.permute(0, 3, 1, 2) first, "
                "and y.permute(0, 2, 3, 1) at the end; or use firmware.io_type: io_parallel"
            )
            raise ModelError(Blocker(str(network.path), what, fix))
