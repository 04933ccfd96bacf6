"""A model file as an oracle and as a source of a graph; the heavy libraries run elsewhere."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import HlsProject, SourceModel
from trigger_ml.config import Config, OutputKind
from trigger_ml.errors import Blocker, ConfigError, ToolMissingError
from trigger_ml.frontends.fml_client import open_fml
from trigger_ml.frontends.formats import Format, detect
from trigger_ml.frontends.hgq_client import open_hgq
from trigger_ml.frontends.keras_client import open_keras
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_v3 import read_keras_v3
from trigger_ml.frontends.onnx_client import open_onnx
from trigger_ml.frontends.onnx_network import read_onnx_network
from trigger_ml.frontends.opened import Opened
from trigger_ml.frontends.reserved import TAKEN_WORDS
from trigger_ml.frontends.softmax import softmax_types
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.tail import with_argmax, with_threshold
from trigger_ml.serving import ask

__all__ = [
    "Frontend",
    "SourceOutputs",
    "check_file",
    "check_model",
    "firmware_graph",
    "open_model",
    "reader_name",
    "reading_title",
    "top_name",
]


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
    """Name of the firmware: the file's stem, or its folder's where the stem says nothing.

    No two underscores follow each other: VHDL has no such names, and Verilator escapes them.
    """
    stem = path.stem if path.stem.lower() not in ("model", "keras_model") else path.parent.name
    name = re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_").lower() or "network"
    return f"nn_{name}" if name in TAKEN_WORDS or not name[0].isalpha() else name


def reader_name(path: Path) -> str:
    """Which library reads a model file: "HGQ2", "ONNX", "hls4ml" or "QKeras". Never raises."""
    return detect(path).reader


def reading_title(path: Path) -> str:
    """What :func:`open_model` does, in words. Never raises."""
    return f"read the model ({reader_name(path)}, in its own process)"


def open_model(path: Path, config: Config, work: Path) -> Frontend:
    """Read and check a model file, start its front-end process and load it there.

    The file's first bytes say which format it has, whatever its name is.
    work: an existing folder for what the processes exchange.
    Raises ModelError or ConfigError with all blockers, and ToolMissingError without HGQ2 where
    the model needs it.
    """
    return Frontend(_opened(path, config, work), work)


def check_model(path: Path, config: Config) -> None:
    """Read and check a model file, and start nothing. Raises as :func:`open_model` does.

    One that needs a library that is not there is not checked.
    """
    with tempfile.TemporaryDirectory(prefix="trigger-ml.") as folder:
        try:
            _opened(path, config, Path(folder))
        except ToolMissingError:
            return


def check_file(path: Path) -> None:
    """Raise ModelError with what a model file cannot be whatever the configuration says."""
    match detect(path):
        case Format.HGQ:
            read_keras_v3(path)
        case Format.ONNX:
            read_onnx_network(path)
        case Format.QKERAS_H5 | Format.KERAS_JSON | Format.KERAS_ZIP:
            read_keras(path, parallel=True)
        case _:
            check_model(path, Config())


def _opened(path: Path, config: Config, work: Path) -> Opened:
    kind = detect(path)
    if kind is Format.HGQ:
        return open_hgq(path, config, work)
    if kind is Format.ONNX:
        return open_onnx(path, config, work)
    if kind is Format.FML:
        return open_fml(path, config, work)
    return open_keras(path, config, work, kind.value)


class Frontend:
    """A loaded model, from :func:`open_model`. Close it, or use it in a with block."""

    def __init__(self, opened: Opened, work: Path) -> None:
        self._opened = opened
        self._work = work
        file = opened.file
        self._worker, answer = opened.converter.start(work)
        self._oracle = self._worker
        versions = dict(answer["versions"])
        if opened.oracle is not None:
            try:
                self._oracle, told = opened.oracle.told(answer).start(work)
            except BaseException:
                self._worker.close()
                raise
            versions |= told["versions"]
        self.source = SourceModel(
            file=file.path.name,
            sha256=file.sha256,
            format=opened.format,
            parameters=answer.get("parameters", file.parameters),
            nonzero=answer.get("nonzero", file.nonzero),
            layers=tuple((layer.name, layer.kind) for layer in file.layers),
            float_tail=(file.tail,) if file.tail else (),
            versions=versions,
            notes=(*file.notes, *answer.get("notes", ())),
        )

    def free_name(self, top: str) -> str:
        """A name for the firmware that no layer has; in hls4ml's C++ the two would meet."""
        return f"nn_{top}" if any(name == top for name, _ in self.source.layers) else top

    def convert(self, config: Config, directory: Path, top: str) -> tuple[FixedGraph, HlsProject]:
        """Write the hls4ml project into ``directory`` and return the graph it computes.

        Raises ModelError or ConfigError with all blockers.
        """
        softmax = None
        if config.firmware.output is OutputKind.SOFTMAX and not self._opened.own_softmax:
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
            softmax = softmax_types(logits.type, logits.size, config.firmware.softmax_bits)
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
            self._oracle,
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
        """End the processes."""
        self._worker.close()
        self._oracle.close()

    def __enter__(self) -> Frontend:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def opened(self) -> Opened:
        """What it was made of."""
        return self._opened

    def describe(self, weights: Path) -> tuple[str, str]:
        """Keras' JSON of the source model with its tail, whose weights are written to a file.

        Also of the same without a quantizer on an input that the model has not itself. The model
        is one that is rebuilt in QKeras.
        """
        answer = ask(self._worker, do="describe", weights=str(weights.resolve()))
        return str(answer["architecture"]), str(answer["untouched"])

    def convert_recurrent(self, config: Config, directory: Path, top: str) -> dict[str, Any]:
        """Write the project of a network with recurrent layers, opened as such; it has no graph.

        Answers what :func:`trigger_ml.frontends.hls_recurrent.write_recurrent` says.
        """
        request = self._request(config, directory, top)
        bits, table = config.firmware.float_bits, 2**config.firmware.table_bits
        return ask(self._worker, do="convert_recurrent", bits=bits, table_size=table, **request)

    def _request(self, config: Config, directory: Path, top: str) -> dict[str, Any]:
        return self._opened.request(config, directory, top)

    def _convert(
        self, config: Config, directory: Path, top: str, softmax: Mapping[str, str] | None
    ) -> FixedGraph:
        request = self._request(config, directory, top)
        answer = ask(self._worker, do="convert", softmax=softmax, **request)
        return FixedGraph.from_json(answer["graph"])


def firmware_graph(network: FixedGraph, config: Config) -> FixedGraph:
    """The network with the decision that the configuration asks for."""
    match config.firmware.output:
        case OutputKind.ARGMAX:
            return with_argmax(network)
        case OutputKind.THRESHOLD:
            return with_threshold(network, config.firmware.threshold)
        case _:
            return network
