"""A float model made fixed-point: types of one width everywhere, their ranges from events.

This is for looking at a float model as firmware, not for making it small: ``trigger-ml compress``
searches types, prunes and trains. Here nothing is lost that could be seen, and nothing is saved.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from trigger_ml.compress.fixed_point.layer_types import LayerTypes, fixed_graph
from trigger_ml.compress.fixed_point.uniform import input_grid, uniform_types
from trigger_ml.compress.judging import graph_scores
from trigger_ml.compress.networks.layers import read_float_layer
from trigger_ml.compress.networks.network import FloatNetwork, read_network
from trigger_ml.compress.qkeras_client import write_model
from trigger_ml.config import Config
from trigger_ml.errors import BlockedError, Blocker, ConfigError, DataError
from trigger_ml.events import input_problems, read_arrays, require_inputs
from trigger_ml.frontends.formats import Format, detect
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.graph.types import FixedType

__all__ = ["FixedPointModel", "choose_types", "is_float"]

KERAS: Final = (Format.QKERAS_H5, Format.KERAS_JSON, Format.KERAS_ZIP)
INPUT_BITS: Final = 16
WIDTHS: Final = range(6, 17)
"""Bits of weights and activations, tried one after the other."""
LARGEST_ERROR: Final = 0.02
"""Of the logits: root mean square over their standard deviation. It changes the class of some per
mille of the events: 0.4 % of the jets of models/jet_tagger, at 9 bits."""
OVERFLOW: Final = 1e-3
"""Largest probability that an element does not fit its activation's integer bits."""
EVENTS: Final = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class FixedPointModel:
    """What a float model became.

    file: QKeras ``.h5``. network: the float one. bits: of weights and activations. error: of the
    logits, over their standard deviation. made_from: in words, for the report.
    """

    file: Path
    network: FloatNetwork
    bits: int
    error: float
    made_from: str

    def logits(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the float model says, shape (events, outputs)."""
        with threadpool_limits(1, "blas"):
            return self.network.logits(values)


def is_float(path: Path) -> bool:
    """Whether a file holds a network of dense layers without quantizers. Never raises."""
    if detect(path) not in KERAS:
        return False
    try:
        kinds = {layer.kind for layer in read_keras(path, read_float_layer).layers}
    except BlockedError:
        return False
    return "Dense" in kinds and "QDense" not in kinds


def choose_types(path: Path, data: Path, config: Config, folder: Path) -> FixedPointModel:
    """Give a float model the narrowest types whose error cannot be seen, and write it.

    data: events as the model takes them. folder: where the QKeras model is put.
    Raises ModelError for a network that such a file cannot hold, DataError for events that do
    not fit or are too few, ConfigError where no width is enough.
    """
    network = read_network(path)
    arrays = read_arrays(data)
    inputs = require_inputs(data, arrays)
    problems = input_problems(data, inputs, int(np.prod(network.input_shape)))
    if problems:
        raise DataError(problems)
    values = inputs[:EVENTS].reshape(-1, *network.input_shape).astype(np.float32)
    with threadpool_limits(1, "blas"):
        types, bits, error = _narrowest(network, values, _grid(network, values, config))
    file = folder / f"{path.stem}_fixed.h5"
    write_model(network, types, file)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    made_from = (
        f"{path.name} (SHA-256 {digest[:16]}) with {bits}-bit weights and activations, "
        f"chosen from {data.name}: error of the logits {error:.2%} of their spread"
    )
    return FixedPointModel(file, network, bits, error, made_from)


def _grid(network: FloatNetwork, values: NDArray[np.float32], config: Config) -> FixedType:
    if config.firmware.input_type is not None:
        return FixedType.parse(config.firmware.input_type)
    return input_grid(network, values, INPUT_BITS)


def _narrowest(
    network: FloatNetwork, values: NDArray[np.float32], grid: FixedType
) -> tuple[LayerTypes, int, float]:
    wanted = network.logits(grid.decode(grid.encode(values)))
    spread = float(wanted.std()) or 1.0
    error = np.inf
    for bits in WIDTHS:
        types = uniform_types(
            network, values, grid, weight_bits=bits, activation_bits=bits, overflow=OVERFLOW
        )
        logits = graph_scores(fixed_graph(network, types), values)
        error = float(np.sqrt(np.mean((logits - wanted) ** 2))) / spread
        if error <= LARGEST_ERROR:
            return types, bits, error
    raise ConfigError(
        Blocker(
            "model",
            f"with {WIDTHS[-1]}-bit types the logits are still off by {error:.2%} of their spread",
            "train it with quantizers: trigger-ml compress",
        )
    )
