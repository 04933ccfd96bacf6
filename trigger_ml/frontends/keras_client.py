"""Open a model of Keras layers: checked here, loaded in a process with TensorFlow and QKeras."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from trigger_ml.config import Config
from trigger_ml.errors import ModelError
from trigger_ml.frontends.flat import hls_interface, require_form
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_network import InputGrid, KerasNetwork
from trigger_ml.frontends.known_part import known_problems, open_inputs
from trigger_ml.frontends.opened import Opened, Process, refuse_input_type
from trigger_ml.gathering import Gathering
from trigger_ml.graph.types import FixedType

__all__ = [
    "input_grid",
    "keras_process",
    "open_keras",
    "open_network",
    "read_whole",
    "require_network",
]

MODULE: Final = "trigger_ml.frontends.worker"
WEIGHTS: Final = "weights.npz"


def open_keras(path: Path, config: Config, work: Path, format_name: str) -> Opened:
    """Read and check a Keras or QKeras model. Raises ModelError or ConfigError."""
    return open_network(read_whole(path, config), config, work, format_name)


def read_whole(path: Path, config: Config) -> KerasNetwork:
    """Read a file; where layers are refused, raise what else is wrong with the others as well."""
    parallel = config.firmware.io_type == "io_parallel"
    return read_keras(path, parallel=parallel, beyond=partial(known_problems, config=config))


def require_network(network: KerasNetwork, config: Config) -> InputGrid | None:
    """What :func:`input_grid` says, of a network that can have the form asked for.

    Raises BlockedError with all that stands in the way of either.
    """
    found = Gathering()
    found.run(lambda: require_form(network, config))
    grid = found.run(lambda: input_grid(network, config))
    found.finish()
    return grid


def open_network(network: KerasNetwork, config: Config, work: Path, format_name: str) -> Opened:
    """A network that was read, as firmware can be made of it. Raises ModelError or ConfigError."""
    require_network(network, config)
    process = keras_process(network, config, work)
    io_type = hls_interface(network, config)
    no_softmax = "a softmax for each pixel has no firmware yet" if network.streamable else ""
    return Opened(network, format_name, process, no_softmax, io_type)


def keras_process(network: KerasNetwork, config: Config, work: Path) -> Process:
    """The process that rebuilds a network in QKeras and converts it.

    work: an existing folder, where its weights are put. Raises ModelError or ConfigError.
    """
    grid = input_grid(network, config)
    network.write_weights(work / WEIGHTS)
    load = {
        "weights": str((work / WEIGHTS).resolve()),
        "architecture": network.architecture(tail=False, input_quantizer=grid),
        "architecture_with_tail": network.architecture(tail=True, input_quantizer=grid),
        "architecture_untouched": network.architecture(tail=True, input_quantizer=None),
        "tail": network.tail,
        "activation_types": network.activation_types(grid),
    }
    return Process(MODULE, load)


def input_grid(network: KerasNetwork, config: Config) -> InputGrid | None:
    """Bits, integer bits and sign of a quantizer to add, or None."""
    asked = config.firmware.input_type
    if network.has_input_quantizer:
        refuse_input_type(config)
        return None
    if asked is None:
        raise ModelError(open_inputs(network))
    kind = FixedType.parse(asked)
    return kind.width, kind.integer - int(kind.signed), kind.signed
