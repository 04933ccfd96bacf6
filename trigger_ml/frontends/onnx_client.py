"""Open an ONNX model: read here, rebuilt in QKeras in one process, evaluated in another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.keras_client import open_network
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.onnx_network import in_terms_of_onnx, read_onnx_network
from trigger_ml.frontends.opened import Opened, Process

__all__ = ["open_onnx"]

FORMAT: Final = "ONNX"


def open_onnx(path: Path, config: Config, work: Path) -> Opened:
    """Read and check an ONNX model; its own file is what onnxruntime evaluates.

    Raises ModelError or ConfigError.
    """
    read = read_onnx_network(path)
    open_inputs = read.network.unquantized_inputs
    if open_inputs and config.firmware.input_type is None:
        what = "nothing says which fixed-point type it has"
        fix = "quantize it too (Brevitas: QuantIdentity), or set firmware.input_type: fixed<16,6>"
        raise ModelError([Blocker(read.places[name], what, fix) for name in open_inputs])
    try:
        opened = open_network(read.network, config, work, FORMAT)
    except ModelError as error:
        raise ModelError(in_terms_of_onnx(error.blockers, read.places)) from error
    if opened.io_type == "io_stream":
        _require_columns(read.network)
    load = {"file": str(path.resolve()), "logits": read.logits, "tail": read.network.tail}
    return replace(opened, oracle=Process("trigger_ml.frontends.onnx_worker", load))


def _require_columns(network: KerasNetwork) -> None:
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
