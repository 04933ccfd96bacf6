"""The front-end process for HGQ2 models: Keras 3 on NumPy, HGQ2 and hls4ml live here.

Started by :mod:`trigger_ml.frontends.client` with ``python -m trigger_ml.frontends.hgq_worker`` in
the environment of :func:`trigger_ml.frontends.hgq_paths.worker_environment`. It answers the same
requests as :mod:`trigger_ml.frontends.worker` does for QKeras models. Nothing is compiled: HGQ2
quantizes the weights operation by operation, the same way whenever it is asked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.hgq_convert import hgq_model_graph
from trigger_ml.frontends.hgq_exact import inexact_layers
from trigger_ml.frontends.hls_project import write_project
from trigger_ml.frontends.model_file import first_line
from trigger_ml.graph.from_hls4ml import read_graph
from trigger_ml.graph.model import FixedGraph
from trigger_ml.serving import serve

PACKAGES: Final = ("HGQ2", "keras", "hls4ml", "numpy")
BATCH: Final = 16384


class _Server:
    """Holds the loaded model and its graph between requests."""

    def __init__(self) -> None:
        self._model: Any = None
        self._tail = ""
        self._graph: FixedGraph | None = None

    def load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Load the reduced copy of the file; refuse what float32 does not compute exactly."""
        self._model = _load(request["copy"], request["file"])
        self._tail = request["tail"]
        blockers = inexact_layers(self._model)
        if blockers:
            raise ModelError(blockers)
        return {"versions": {name: version(name) for name in PACKAGES}, **_counts(self._model)}

    def convert(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Convert with hls4ml, write the HLS project, answer the fixed-point graph."""
        project = hgq_model_graph(self._model, request)
        self._graph = read_graph(project, request["top"])
        write_project(project, Path(request["directory"]))
        return {"graph": self._graph.to_json()}

    def evaluate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs of the source model: the last layer, and the tail's float activation."""
        import keras

        values = _events(self._model, request["inputs"])
        outputs = np.asarray(self._model.predict(values, batch_size=BATCH, verbose=0))
        np.save(request["outputs"], outputs.astype(np.float64))
        if self._tail:
            function = keras.ops.softmax if self._tail == "softmax" else keras.ops.sigmoid
            np.save(request["tail_outputs"], np.asarray(function(outputs)).astype(np.float64))
        return {}

    def trace(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What every node of the graph would hold if the source model is right, by layer name.

        The source model's own tensors, cast to the types that hls4ml gave them inside the
        network: it drops bits that the next quantizer drops anyway.
        """
        tensor: Any = _events(self._model, request["inputs"])
        arrays: dict[str, NDArray[np.float64]] = {}
        for layer in self._model.layers:
            for name, step in _steps(layer):
                tensor = step(tensor)
                arrays[name] = np.asarray(tensor, dtype=np.float64)
        nodes, outputs = (self._graph.nodes, self._graph.outputs) if self._graph else ((), ())
        for node in nodes:
            if node.source in arrays and node.name not in outputs:
                codes = node.type.encode(arrays[node.source])
                arrays[node.source] = node.type.decode(codes)
        np.savez(request["outputs"], allow_pickle=False, **arrays)
        return {}


def _load(copy: str, file: str) -> Any:
    warnings.filterwarnings("ignore")
    import hgq  # noqa: F401 (registers its layers with Keras)
    import keras

    try:
        return keras.models.load_model(copy, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras and HGQ2 raise where parts do not fit together
        raise ModelError(
            Blocker(
                file,
                f"its weights do not fit its layers: {first_line(error)}",
                "save it again with HGQ2 0.2.0",
            )
        ) from error


def _counts(model: Any) -> dict[str, int]:
    """Kernels and biases as their quantizers leave them: all, and those not zero."""
    arrays = [
        np.asarray(values)
        for layer in model.layers
        if hasattr(layer, "qkernel")
        for values in (layer.qkernel, layer.qbias)
        if values is not None
    ]
    return {
        "parameters": sum(array.size for array in arrays),
        "nonzero": sum(int(np.count_nonzero(array)) for array in arrays),
    }


def _events(model: Any, file: str) -> NDArray[np.float32]:
    """Inputs from a file, in the model's shape and float32."""
    values: NDArray[np.float32] = np.load(file).astype(np.float32)
    return values.reshape(len(values), *model.input_shape[1:])


def _steps(layer: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """What a layer does, step by step, under the names that hls4ml gives the steps."""
    quantizes = hasattr(layer, "enable_iq")
    if quantizes and layer.enable_iq:
        yield layer.iq.name, layer.iq
    function = getattr(layer, "activation", None)
    if not (quantizes and callable(function)):
        yield layer.name, _without_quantizers(layer) if quantizes else layer
    else:
        yield layer.name, _without_quantizers(layer)
        if function.__name__ != "linear":
            yield f"{layer.name}_{function.__name__}", function
    if quantizes and layer.enable_oq:
        yield layer.oq.name, layer.oq


def _without_quantizers(layer: Any) -> Callable[[Any], Any]:
    """The layer's own arithmetic: no quantizer on its input or output, no activation."""

    def call(tensor: Any) -> Any:
        with _stripped(layer):
            return layer.call(tensor)

    return call


@contextmanager
def _stripped(layer: Any) -> Iterator[None]:
    import keras

    changes: dict[str, Any] = {"_enable_iq": False, "_enable_oq": False}
    if hasattr(layer, "activation"):
        changes["activation"] = keras.activations.linear
    before = {name: getattr(layer, name) for name in changes}
    try:
        for name, value in changes.items():
            setattr(layer, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(layer, name, value)


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
