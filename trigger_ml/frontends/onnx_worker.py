"""The process that evaluates an ONNX model: onnxruntime lives here alone.

Started by :mod:`trigger_ml.frontends.onnx_client` with ``python -m
trigger_ml.frontends.onnx_worker``. It answers requests as :mod:`trigger_ml.serving` says. The file
is run as it is, on one core and without onnxruntime's own changes to the graph; only quantizers
of QONNX, which onnxruntime does not have, are written with operators that it has, batch
normalizations have the rounded constants that firmware has, and a file for one event may be run
for many.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.model_file import first_line
from trigger_ml.frontends.onnx_rewrite import LOGITS, runnable
from trigger_ml.serving import serve

PACKAGES: Final = ("onnx", "onnxruntime", "numpy")
BATCH_ELEMENTS: Final = 2**19
"""Elements of the inputs of a batch; the layers behind them may hold a hundred times more."""
MOST_BATCH: Final = 16384
SILENT: Final = 4
"""onnxruntime logs what is fatal alone."""


class _Server:
    """Holds the session between requests."""

    def __init__(self) -> None:
        self._session: Any = None
        self._tail = ""
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._logits: list[str] = []
        self._batch = 1
        self._fixed = False

    def load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Read the file and make it ready to run."""
        import onnx

        model = onnx.load_model_from_string(Path(request["file"]).read_bytes())
        self._logits = [f"{LOGITS}{position}" for position in range(len(request["logits"]))]
        self._tail = model.graph.output[0].name if request["tail"] else ""
        try:
            places, known = request.get("places", {}), request.get("normalizations", {})
            normal = {places[layer]: constants for layer, constants in known.items()}
            data = runnable(model, request["logits"], normal).SerializeToString()
            self._session = _session(data)
            entries = self._session.get_inputs()
            self._shapes = {item.name: tuple(map(int, item.shape[1:])) for item in entries}
            self._batch = self._events_at_once(entries[0].shape[0])
        except Exception as error:  # onnxruntime's own exceptions have no common base.
            what = f"onnxruntime cannot run it: {first_line(error)}"
            fix = "does it run with onnxruntime.InferenceSession(path)?"
            raise ModelError(Blocker(request["file"], what, fix)) from error
        return {"versions": {name: version(name) for name in PACKAGES}}

    def evaluate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs of the model: what goes into its last activation, and that activation."""
        values: NDArray[np.float32] = np.load(request["inputs"])
        starts = range(0, len(values), self._batch)
        parts = [self._run(values[start : start + self._batch]) for start in starts]
        logits = [np.concatenate(part[: len(self._logits)], axis=1) for part in parts]
        np.save(request["outputs"], np.concatenate(logits).astype(np.float64))
        if self._tail:
            tails = np.concatenate([part[-1] for part in parts])
            np.save(request["tail_outputs"], tails.astype(np.float64))
        return {}

    def _run(self, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """For each output one flat row for each event.

        values: flat rows too, the inputs one after another.
        """
        count = len(values)
        missing = self._batch - count if self._fixed else 0
        filled = np.concatenate([values, np.zeros((missing, values.shape[1]), np.float32)])
        ends = np.cumsum([prod(shape) for shape in self._shapes.values()])
        parts = np.split(filled, ends[:-1], axis=1)
        feed = {
            name: part.reshape(len(filled), *shape)
            for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }
        names = [*self._logits, self._tail] if self._tail else self._logits
        made = self._session.run(names, feed)
        return [np.asarray(array).reshape(len(filled), -1)[:count] for array in made]

    def _events_at_once(self, asked: Any) -> int:
        """As many as the file was exported for, or many where its graph takes any number."""
        self._fixed = isinstance(asked, int)
        if self._fixed:
            return int(asked)
        size = sum(prod(shape) for shape in self._shapes.values())
        rows = np.random.default_rng(1).normal(size=(2, size)).astype(np.float32)
        try:
            both = self._run(rows)
        except Exception:  # as above: a graph that holds a number of events.
            return 1
        alone = [self._run(rows[:1]), self._run(rows[1:])]
        for position in range(len(self._logits)):
            parts = [part[position] for part in alone]
            if not np.array_equal(both[position], np.concatenate(parts)):
                return 1
        return max(min(MOST_BATCH, BATCH_ELEMENTS // max(size, 1)), 1)


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = SILENT
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def main() -> None:
    """Answer requests until the input ends."""
    server = _Server()
    serve({"load": server.load, "evaluate": server.evaluate})


if __name__ == "__main__":
    main()
