"""A float model file: what it is made of, and who says what is right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.config import Config
from trigger_ml.errors import ModelError
from trigger_ml.float_graph import network as networks
from trigger_ml.float_graph.client import Evaluator
from trigger_ml.float_graph.layers import read_float_layer
from trigger_ml.float_graph.network import read_float_network, simplified
from trigger_ml.float_graph.quantized import quantized
from trigger_ml.frontends.flat import require_form
from trigger_ml.frontends.formats import Format, detect
from trigger_ml.frontends.keras_images import layer_shapes
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.onnx_client import require_columns
from trigger_ml.frontends.onnx_network import (
    in_terms_of_onnx,
    onnx_holds_floats,
    read_onnx_network,
)
from trigger_ml.frontends.opened import Process, refuse_input_type
from trigger_ml.serving import ask

__all__ = ["FloatSource", "holds_floats", "read_source"]

KERAS: Final = (Format.QKERAS_H5, Format.KERAS_JSON, Format.KERAS_ZIP)


@dataclass(frozen=True, slots=True, eq=False)
class FloatSource:
    """A float model that can become firmware.

    network: in plain layers. original: as the file has it, each use of a layer by itself. oracle:
    the process that evaluates the file itself, where Keras does not.
    """

    network: KerasNetwork
    original: KerasNetwork
    oracle: Process | None = None

    def logits(
        self, events: NDArray[np.float32], evaluator: Evaluator, work: Path
    ) -> NDArray[np.float64]:
        """What the model says, before its tail. events: flat rows. Returns flat rows.

        work: an existing folder for what the processes exchange.
        """
        if self.oracle is None:
            return evaluator.logits(self.original, events)
        inputs, outputs = work / "oracle_in.npy", work / "oracle_out.npy"
        np.save(inputs, events)
        tail = str(work / "oracle_tail.npy")
        worker, _ = self.oracle.start(work)
        with worker:
            files = {"inputs": str(inputs), "outputs": str(outputs), "tail_outputs": tail}
            ask(worker, do="evaluate", **files)
        rows: NDArray[np.float64] = np.load(outputs)
        return rows


def holds_floats(path: Path) -> bool:
    """Whether a model file has layers with float weights; of ONNX, only such. Never raises."""
    kind = detect(path)
    if kind is Format.ONNX:
        return onnx_holds_floats(path, read_float_layer)
    return kind in KERAS and networks.holds_floats(path)


def read_source(path: Path, config: Config) -> FloatSource:
    """Read a float model and see to it that it can become firmware, before anything is started.

    Raises ModelError or ConfigError with everything in it that stands in the way.
    """
    if detect(path) is Format.ONNX:
        return _read_onnx(path, config)
    original = read_float_network(path)
    network = simplified(original)
    # Slopes that axes share are written out for Keras, too.
    slopes = {layer.name for layer in network.layers if layer.kind == "PReLU"}
    weights = {**original.weights, **{name: network.weights[name] for name in slopes}}
    source = FloatSource(network, replace(original, weights=weights))
    _require_firmware(source, config)
    return source


def _read_onnx(path: Path, config: Config) -> FloatSource:
    read = read_onnx_network(path, floats=read_float_layer)
    load = {"file": str(path.resolve()), "logits": read.logits, "tail": read.network.tail}
    oracle = Process("trigger_ml.frontends.onnx_worker", load)
    try:
        source = FloatSource(simplified(read.network), read.network, oracle)
        _require_firmware(source, config)
    except ModelError as error:
        raise ModelError(in_terms_of_onnx(error.blockers, read.places)) from error
    if config.firmware.streams(quantized(source.network, None).streamable):
        require_columns(source.network)
    return source


def _require_firmware(source: FloatSource, config: Config) -> None:
    """As the compilation of the quantized model would find it."""
    draft = quantized(source.network, None)
    _, blockers = layer_shapes(draft.layers)
    if blockers:
        raise ModelError(blockers)
    require_form(draft, config)
    if source.network.has_input_quantizer:
        refuse_input_type(config)
