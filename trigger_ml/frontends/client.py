"""A model file as an oracle and as a source of a graph; the heavy libraries run elsewhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import HlsProject, SourceModel
from trigger_ml.config import Config, OutputKind
from trigger_ml.errors import Blocker, ConfigError, ModelError
from trigger_ml.frontends.hgq_paths import worker_environment
from trigger_ml.frontends.keras_h5 import FORMAT as QKERAS
from trigger_ml.frontends.keras_h5 import KerasFile, read_keras_h5
from trigger_ml.frontends.keras_v3 import FORMAT as HGQ
from trigger_ml.frontends.keras_v3 import HgqFile, read_keras_v3
from trigger_ml.frontends.reserved import TAKEN_WORDS
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.tail import with_argmax, with_threshold
from trigger_ml.graph.types import FixedType
from trigger_ml.serving import ask
from trigger_ml.toolrun import Command, Worker

__all__ = ["Frontend", "SourceOutputs", "firmware_graph", "open_model", "reader_name", "top_name"]

HDF5_START: Final = b"\x89HDF"
ZIP_START: Final = b"PK"
SOFTMAX_REACH_BITS: Final = 4
"""exp(-16) is below half of the tables' last bit, so larger differences need no entry."""
SOFTMAX_TABLE: Final = "ufixed<18,1,RND,SAT>"


@dataclass(frozen=True, slots=True)
class SourceOutputs:
    """What the source model said.

    logits: its last linear layer, shape (events, outputs), an image's pixels one after another
    with their channels. tail: its float softmax or sigmoid, shaped likewise, or None where it
    has none.
    """

    logits: NDArray[np.float64]
    tail: NDArray[np.float64] | None


def top_name(path: Path) -> str:
    """Name of the firmware: the file's stem, or its folder's where the stem says nothing."""
    stem = path.stem if path.stem.lower() not in ("model", "keras_model") else path.parent.name
    name = re.sub(r"[^A-Za-z0-9_]+", "_", stem).strip("_").lower() or "network"
    return f"nn_{name}" if name in TAKEN_WORDS or not name[0].isalpha() else name


def reader_name(path: Path) -> str:
    """Which library reads a model file: "HGQ2" or "QKeras". Never raises."""
    try:
        with path.open("rb") as file:
            start = file.read(len(HDF5_START))
    except OSError:
        start = b""
    if start.startswith(HDF5_START):
        return "QKeras"
    if start.startswith(ZIP_START) or path.suffix.lower() == ".keras":
        return "HGQ2"
    return "QKeras"


def open_model(path: Path, config: Config, work: Path) -> Frontend:
    """Read and check a model file, start its front-end process and load it there.

    The file's first bytes say which format it has, whatever its name is.
    work: an existing folder for what the two processes exchange.
    Raises ModelError or ConfigError with all blockers, and ToolMissingError without HGQ2 where
    the model needs it.
    """
    if reader_name(path) == "HGQ2":
        return Frontend(_open_hgq(path, config, work), work)
    return Frontend(_open_qkeras(path, config), work)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A model file that was read and checked, and how its process is started and fed.

    module: of the process. load: its first request, without the verb. no_softmax: why
    hls4ml cannot put a softmax into firmware, empty where it can. io_type: hls4ml's interface type.
    """

    file: KerasFile | HgqFile
    format: str
    module: str
    environment: Mapping[str, str]
    load: Mapping[str, Any]
    no_softmax: str
    io_type: str


def _open_qkeras(path: Path, config: Config) -> _Opened:
    file = read_keras_h5(path)
    if file.has_convolution:
        config.require_streamable()
    grid = _input_grid(file, config)
    load = {
        "file": str(path.resolve()),
        "architecture": file.architecture(tail=False, input_quantizer=grid),
        "architecture_with_tail": file.architecture(tail=True, input_quantizer=grid),
        "tail": file.tail,
        "activation_types": file.activation_types(grid),
    }
    io_type = config.firmware.interface(file.has_convolution)
    no_softmax = "a softmax for each pixel has no firmware yet" if file.has_convolution else ""
    return _Opened(file, QKERAS, "trigger_ml.frontends.worker", {}, load, no_softmax, io_type)


def _open_hgq(path: Path, config: Config, work: Path) -> _Opened:
    file = read_keras_v3(path)
    _refuse_input_type(config)
    io_type = config.firmware.interface(convolution=False)
    environment = worker_environment("numpy")
    copy = work / "source.keras"
    file.write_copy(copy)
    load = {"file": str(path), "copy": str(copy.resolve()), "tail": file.tail}
    no_softmax = f"a softmax of {HGQ} models has no firmware yet"
    module = "trigger_ml.frontends.hgq_worker"
    return _Opened(file, HGQ, module, environment, load, no_softmax, io_type)


def _input_grid(file: KerasFile, config: Config) -> tuple[int, int, bool] | None:
    """Bits, integer bits and sign of a quantizer to add, or None."""
    asked = config.firmware.input_type
    if file.has_input_quantizer:
        _refuse_input_type(config)
        return None
    if asked is None:
        raise ModelError(
            Blocker(
                f"layer {file.layers[0].name}",
                "nothing says which fixed-point type the inputs have",
                "put QActivation(quantized_bits(16,5,alpha=1)) first, or set "
                "firmware.input_type: fixed<16,6>",
            )
        )
    kind = FixedType.parse(asked)
    return kind.width, kind.integer - int(kind.signed), kind.signed


def _refuse_input_type(config: Config) -> None:
    """A model with a quantizer on its input leaves no choice of its type."""
    asked = config.firmware.input_type
    if asked is not None:
        raise ConfigError(
            Blocker(
                "firmware.input_type",
                f"the model quantizes its input itself, and {asked} is asked for",
                "leave the key out",
            )
        )


class Frontend:
    """A loaded model, from :func:`open_model`. Close it, or use it in a with block."""

    def __init__(self, opened: _Opened, work: Path) -> None:
        self._opened = opened
        self._work = work
        file = opened.file
        command = Command(
            (sys.executable, "-m", opened.module), work, "read the model", opened.environment
        )
        self._worker = Worker(command)
        try:
            answer = ask(self._worker, do="load", **opened.load)
        except BaseException:
            self._worker.close()
            raise
        self.source = SourceModel(
            file=file.path.name,
            sha256=file.sha256,
            format=opened.format,
            parameters=answer.get("parameters", file.parameters),
            nonzero=answer.get("nonzero", file.nonzero),
            layers=tuple((layer.name, layer.kind) for layer in file.layers),
            float_tail=(file.tail,) if file.tail else (),
            versions=answer["versions"],
        )

    def convert(self, config: Config, directory: Path, top: str) -> tuple[FixedGraph, HlsProject]:
        """Write the hls4ml project into ``directory`` and return the graph it computes.

        Raises ModelError or ConfigError with all blockers.
        """
        softmax = None
        if config.firmware.output is OutputKind.SOFTMAX:
            if self._opened.no_softmax:
                raise ConfigError(
                    Blocker(
                        "firmware.output",
                        self._opened.no_softmax,
                        "use firmware.output: logits or argmax",
                    )
                )
            if self._opened.file.tail != "softmax":
                raise ConfigError(
                    Blocker(
                        "firmware.output",
                        "the model does not end in a softmax",
                        "use firmware.output: logits",
                    )
                )
            logits = self._convert(config, directory, top, None).output_nodes[0]
            softmax = _softmax_types(logits.type, logits.size, config.firmware.softmax_bits)
        graph = self._convert(config, directory, top, softmax)
        project = HlsProject(directory, top, config.firmware.backend, self._opened.io_type)
        return graph, project

    def evaluate(self, values: NDArray[np.float32]) -> SourceOutputs:
        """Run the source model on inputs, shape (events, features), already on the input grid."""
        inputs, outputs, tail = (
            self._work / name for name in ("source_in.npy", "source_out.npy", "source_tail.npy")
        )
        np.save(inputs, values.astype(np.float32))
        ask(
            self._worker,
            do="evaluate",
            inputs=str(inputs),
            outputs=str(outputs),
            tail_outputs=str(tail),
        )
        return SourceOutputs(np.load(outputs), np.load(tail) if self._opened.file.tail else None)

    def trace(self, values: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        """Outputs of every layer of the source model for a few inputs, by layer name."""
        inputs, outputs = self._work / "trace_in.npy", self._work / "trace_out.npz"
        np.save(inputs, values.astype(np.float32))
        ask(self._worker, do="trace", inputs=str(inputs), outputs=str(outputs))
        with np.load(outputs) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def __enter__(self) -> Frontend:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _convert(
        self, config: Config, directory: Path, top: str, softmax: Mapping[str, str] | None
    ) -> FixedGraph:
        answer = ask(
            self._worker,
            do="convert",
            directory=str(directory),
            top=top,
            backend=config.firmware.backend,
            part=config.target.part,
            clock_ns=1e3 / config.target.clock_mhz,
            io_type=self._opened.io_type,
            softmax=softmax,
        )
        return FixedGraph.from_json(answer["graph"])


def _softmax_types(logits: FixedType, size: int, bits: int) -> dict[str, str]:
    """Types of the two tables, sized from the range of the logits.

    Differences of logits span 2**logits.integer, of which only the first 16 matter; the sum of
    exponentials lies in [1, size].
    """
    reach = max(min(logits.integer, SOFTMAX_REACH_BITS), 1)
    sum_bits = ceil(log2(size + 1))
    return {
        "inp_norm_t": f"ufixed<{bits},{reach},RND,SAT>",
        "exp_table_t": SOFTMAX_TABLE,
        "inv_inp_t": f"ufixed<{bits},{sum_bits},RND,SAT>",
        "inv_table_t": SOFTMAX_TABLE,
    }


def firmware_graph(network: FixedGraph, config: Config) -> FixedGraph:
    """The network with the decision that the configuration asks for."""
    match config.firmware.output:
        case OutputKind.ARGMAX:
            return with_argmax(network)
        case OutputKind.THRESHOLD:
            return with_threshold(network, config.firmware.threshold)
        case _:
            return network
