"""The front-end process for graphs that hls4ml saved: hls4ml alone lives here.

Started by :mod:`trigger_ml.frontends.fml_client` with ``python -m
trigger_ml.frontends.fml_worker``. It answers the same requests as
:mod:`trigger_ml.frontends.worker`. The project is made of weights as C++ holds them; the
emulation, which is the source, of the weights as they were saved, so that how they are rounded is
compared too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import ToolFailedError
from trigger_ml.frontends.fml_rebuild import Arrays, model_graph
from trigger_ml.frontends.hls_project import write_project
from trigger_ml.graph.from_hls4ml import read_graph
from trigger_ml.serving import serve

PACKAGES: Final = ("hls4ml", "numpy")
SAVED: Final = "saved/"
BATCH: Final = 16384
EMULATION: Final[Mapping[str, Any]] = {"top": "emulation", "part": "", "clock_ns": 5.0}


class _Server:
    """Holds the saved graph, and its emulation once that was compiled."""

    def __init__(self) -> None:
        self._graph: dict[str, Any] = {}
        self._arrays: dict[str, NDArray[np.float64]] = {}
        self._directory = ""
        self._emulation: Any = None

    def load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Read the plain data."""
        self._graph = json.loads(Path(request["graph"]).read_text(encoding="utf-8"))
        with np.load(request["arrays"]) as arrays:
            self._arrays = {key: arrays[key] for key in arrays.files}
        self._directory = request["emulation"]
        return {"versions": {name: version(name) for name in PACKAGES}}

    def convert(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make the graph again, write the HLS project, answer the fixed-point graph."""
        project = model_graph(self._graph, self._arrays, self._graph["logits"], request)
        graph = read_graph(project, request["top"])
        write_project(project, Path(request["directory"]))
        return {"graph": graph.to_json()}

    def evaluate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Results of the emulation: what goes into the tail, and the tail's."""
        model = self._compiled()
        values: NDArray[np.float64] = np.load(request["inputs"]).astype(np.float64)
        parts = [
            _predicted(model, values[start : start + BATCH])
            for start in range(0, len(values), BATCH)
        ]
        count = len(self._graph["logits"])
        logits = [np.concatenate(part[:count], axis=1) for part in parts]
        np.save(request["outputs"], np.concatenate(logits))
        if self._graph["tail"]:
            np.save(request["tail_outputs"], np.concatenate([part[-1] for part in parts]))
        return {}

    def trace(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Results of every layer of the emulation, by name."""
        model = self._compiled()
        values: NDArray[np.float64] = np.load(request["inputs"]).astype(np.float64)
        count = len(values)
        _, traced = model.trace(_inputs(model, _several(values)))
        arrays = {name: np.asarray(found)[:count] for name, found in traced.items()}
        np.savez(request["outputs"], allow_pickle=False, **arrays)
        return {}

    def _compiled(self) -> Any:
        """The graph as saved, compiled by hls4ml; its logits are an output beside the tail's."""
        if self._emulation is None:
            outputs = [
                *self._graph["logits"],
                *(self._graph["outputs"] if self._graph["tail"] else ()),
            ]
            request = {**EMULATION, "directory": self._directory}
            model = model_graph(self._graph, _as_saved(self._arrays), outputs, request)
            try:
                model.compile()
            except Exception as error:  # hls4ml raises bare Exceptions with the compiler's output
                what = f"hls4ml's emulation does not compile:\n{str(error)[-2000:]}"
                raise ToolFailedError(what) from error
            self._emulation = model
        return self._emulation


def _as_saved(arrays: Arrays) -> dict[str, NDArray[np.float64]]:
    return {
        key.removeprefix(SAVED): array for key, array in arrays.items() if key.startswith(SAVED)
    }


def _predicted(model: Any, values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """For each output one flat row for each event."""
    count = len(values)
    found = model.predict(_inputs(model, _several(values)))
    found = found if isinstance(found, list) else [found]
    return [np.asarray(array, dtype=np.float64).reshape(len(array), -1)[:count] for array in found]


def _several(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two rows at least: of one event hls4ml gives results of another shape."""
    return np.concatenate([values, values]) if len(values) == 1 else values


def _inputs(model: Any, values: NDArray[np.float64]) -> Any:
    """Flat rows, the inputs one after another, as hls4ml wants them."""
    ends = np.cumsum([variable.size() for variable in model.get_input_variables()])
    parts = [np.ascontiguousarray(part) for part in np.split(values, ends[:-1], axis=1)]
    return parts[0] if len(parts) == 1 else parts


def main() -> None:
    """Answer requests until the input ends."""
    server = _Server()
    serve(
        {
            "load": server.load,
            "convert": server.convert,
            "evaluate": server.evaluate,
            "trace": server.trace,
        }
    )


if __name__ == "__main__":
    main()
