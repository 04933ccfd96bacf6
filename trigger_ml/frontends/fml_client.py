"""Open hls4ml's saved model: checked here, its C++ made anew in a process with hls4ml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.frontends.fml_file import FmlFile, read_fml
from trigger_ml.frontends.opened import Opened, Process

__all__ = ["open_fml"]

GRAPH: Final = "saved_graph.json"
ARRAYS: Final = "saved_graph.npz"
ENVIRONMENT: Final = {"KERAS_BACKEND": "numpy"}
"""hls4ml's writer imports Keras, which would start TensorFlow; nothing of it is used."""


def open_fml(path: Path, config: Config, work: Path) -> Opened:
    """Read and check a saved graph. work: an existing folder, where its plain data is put.

    Raises ModelError, and ConfigError where the configuration asks for another project than the
    file holds.
    """
    file = read_fml(path)
    blockers = _other_wishes(file, config)
    if blockers:
        raise ConfigError(blockers)
    (work / GRAPH).write_text(json.dumps(file.to_json()), encoding="utf-8")
    file.write_arrays(work / ARRAYS)
    load = {
        "graph": str((work / GRAPH).resolve()),
        "arrays": str((work / ARRAYS).resolve()),
        "emulation": str((work / "emulation").resolve()),
    }
    return Opened(
        file,
        f"hls4ml {file.written_by} .fml, as saved",
        Process("trigger_ml.frontends.fml_worker", load, ENVIRONMENT),
        "the softmax of a saved graph is not built; the project that hls4ml writes of it has one",
        "io_parallel",
    )


def _other_wishes(file: FmlFile, config: Config) -> list[Blocker]:
    """What is asked for and was settled when hls4ml converted the model."""
    found = []
    asked = config.firmware.backend
    if asked.lower() != file.backend.lower():
        what = f"the file holds a project for {file.backend}, and {asked} is asked for"
        fix = f"set firmware.backend: {file.backend}"
        found.append(Blocker("firmware.backend", what, fix))
    if config.firmware.io_type == "io_stream":
        what = "the file holds a graph for io_parallel, and io_stream is asked for"
        found.append(Blocker("firmware.io_type", what, "leave the key out"))
    if config.firmware.input_type is not None:
        told = config.firmware.input_type
        what = f"the file says which types its inputs have, and {told} is asked for"
        found.append(Blocker("firmware.input_type", what, "leave the key out"))
    return found
