"""Open an HGQ2 model: checked here, loaded in a process with Keras 3 and HGQ2."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from trigger_ml.config import Config
from trigger_ml.frontends.hgq_paths import worker_environment
from trigger_ml.frontends.hgq_streams import hgq_interface
from trigger_ml.frontends.keras_v3 import FORMAT, read_keras_v3
from trigger_ml.frontends.opened import Opened, Process, refuse_input_type

__all__ = ["open_hgq"]

FLOAT_SOFTMAX: Final = (
    "the softmax at the end of this HGQ2 model is Keras' own, of real numbers; one with firmware "
    "is hgq.layers.QSoftmax"
)


def open_hgq(path: Path, config: Config, work: Path) -> Opened:
    """Read and check an HGQ2 model, and write the copy of it that is loaded.

    Raises ModelError or ConfigError, and ToolMissingError without HGQ2.
    """
    file = read_keras_v3(path)
    refuse_input_type(config)
    environment = worker_environment("numpy")
    copy = work / "source.keras"
    file.write_copy(copy)
    load = {"file": str(path), "copy": str(copy.resolve()), "tail": file.tail}
    process = Process("trigger_ml.frontends.hgq_worker", load, environment)
    io_type = hgq_interface(file.layers, file.outputs, config)
    kinds = {layer.name: layer.kind for layer in file.layers}
    own_softmax = [kinds[name] for name in file.outputs] == ["QSoftmax"]
    no_softmax = FLOAT_SOFTMAX if file.tail == "softmax" else ""
    return Opened(file, FORMAT, process, no_softmax, io_type, own_softmax=own_softmax)
