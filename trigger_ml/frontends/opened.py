"""A model file that was read and checked, and how its processes are started and fed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.frontends.model_file import Layer
from trigger_ml.serving import ask
from trigger_ml.toolrun import Command, Worker

__all__ = ["ModelFile", "Opened", "Process", "refuse_input_type"]


class ModelFile(Protocol):
    """What every reader of a format says of a file."""

    @property
    def path(self) -> Path:
        """The file itself."""

    @property
    def sha256(self) -> str:
        """Of everything that belongs to it."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """In evaluation order, the tail left out."""

    @property
    def tail(self) -> str:
        """The activation after the last layer that firmware leaves out, or empty."""

    @property
    def parameters(self) -> int:
        """Weights and biases as stored."""

    @property
    def nonzero(self) -> int:
        """Those of them that are not zero."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What reading changed in the model, in words."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process to start. load: its first request, without the verb."""

    module: str
    load: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)

    def told(self, answer: Mapping[str, Any]) -> Process:
        """The same for a model of whose normalizations another process said what they became."""
        return replace(self, load={**self.load, "normalizations": answer.get("normalizations", {})})

    def start(self, work: Path) -> tuple[Worker, dict[str, Any]]:
        """Start it and load the model. Returns it with its answer; it is closed on errors."""
        arguments = (sys.executable, "-m", self.module)
        worker = Worker(Command(arguments, work, "read the model", self.environment))
        try:
            return worker, ask(worker, do="load", **self.load)
        except BaseException:
            worker.close()
            raise


@dataclass(frozen=True, slots=True)
class Opened:
    """A model file that can be compiled.

    format: in words. converter: makes the hls4ml project and answers for the layers. oracle:
    evaluates the model in its own framework, where that is another process. no_softmax: why
    hls4ml cannot put a softmax into firmware, empty where it can. io_type: hls4ml's interface.
    own_softmax: whether the network itself ends in a softmax, which is exact and never cut off.
    """

    file: ModelFile
    format: str
    converter: Process
    no_softmax: str
    io_type: str
    oracle: Process | None = None
    own_softmax: bool = False

    def request(self, config: Config, directory: Path, top: str) -> dict[str, Any]:
        """What a process needs to know to convert it into a project in ``directory``."""
        return {
            "directory": str(directory),
            "top": top,
            "backend": config.firmware.backend,
            "part": config.target.part,
            "clock_ns": 1e3 / config.target.clock_mhz,
            "io_type": self.io_type,
        }


def refuse_input_type(config: Config) -> None:
    """A model with a quantizer on its input leaves no choice of its type. Raises ConfigError."""
    asked = config.firmware.input_type
    if asked is not None:
        what = f"the model quantizes its input itself, and {asked} is asked for"
        raise ConfigError(Blocker("firmware.input_type", what, "leave the key out"))
