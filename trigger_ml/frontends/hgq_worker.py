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
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.hgq_calls import calls_of, input_quantizers, name_quantizers
from trigger_ml.frontends.hgq_convert import hgq_model_graph
from trigger_ml.frontends.hgq_default import convert_hgq_by_default
from trigger_ml.frontends.hgq_exact import inexact_layers
from trigger_ml.frontends.hgq_sizes import hgq_size_problems
from trigger_ml.frontends.hls_project import write_project
from trigger_ml.frontends.hls_v3_joins import join_names
from trigger_ml.frontends.keras_v3_layers import RULES
from trigger_ml.frontends.model_file import first_line
from trigger_ml.graph.from_hls4ml import read_graph
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.types import FixedType
from trigger_ml.serving import serve

PACKAGES: Final = ("HGQ2", "keras", "hls4ml", "numpy")
BATCH: Final = 16384
BATCH_ELEMENTS: Final = 2**25
"""Elements of a batch, over the results of all layers: 128 MiB in single precision."""
CARRIES: Final = (
    *("Concatenate", "Cropping", "Flatten", "Permute", "Reshape", "UpSampling", "ZeroPadding"),
)
"""Starts of the class names of layers that carry elements as they are."""


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
        blockers = hgq_size_problems(self._model) if request["io_type"] == "io_parallel" else []
        if blockers:
            raise ModelError(blockers)
        project = hgq_model_graph(self._model, request)
        self._graph = read_graph(project, request["top"])
        write_project(project, Path(request["directory"]))
        return {"graph": self._graph.to_json()}

    def convert_by_default(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Convert as hls4ml does when nothing is set, with the last activation."""
        return convert_hgq_by_default(self._model, self._tail, request)

    def evaluate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs of the source model: the last layer, and the tail's float activation."""
        import keras

        values = _events(self._model, request["inputs"])
        outputs = self._model.predict(values, batch_size=_batch(self._model), verbose=0)
        _save(request["outputs"], outputs)
        if self._tail:
            function = keras.ops.softmax if self._tail == "softmax" else keras.ops.sigmoid
            _save(request["tail_outputs"], np.asarray(function(outputs)))
        return {}

    def trace(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What every node of the graph would hold if the source model is right, by layer name.

        The source model's own tensors, cast to the types that hls4ml gave them inside the
        network: it drops bits that the next quantizer drops anyway.
        """
        nodes, outputs = (self._graph.nodes, self._graph.outputs) if self._graph else ((), ())
        types = {node.source: node.type for node in nodes if node.name not in outputs}
        arrays = _traced(self._model, _events(self._model, request["inputs"]), types)
        np.savez(request["outputs"], allow_pickle=False, **arrays)
        return {}


def _load(copy: str, file: str) -> Any:
    warnings.filterwarnings("ignore")
    import hgq  # noqa: F401 (registers its layers with Keras)
    import keras

    try:
        model = keras.models.load_model(copy, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras and HGQ2 raise where parts do not fit together
        raise ModelError(
            Blocker(
                file,
                f"its weights do not fit its layers: {first_line(error)}",
                "save it again with HGQ2 0.2.0",
            )
        ) from error
    name_quantizers(model)
    return model


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


def _events(model: Any, file: str) -> list[NDArray[np.float32]]:
    """Inputs from a file of flat rows, in the shapes of the model's inputs and their order."""
    values: NDArray[np.float32] = np.load(file).astype(np.float32)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    ends = np.cumsum([prod(shape) for shape in shapes])
    parts = np.split(values.reshape(len(values), -1), ends[:-1], axis=1)
    return [part.reshape(len(values), *shape) for part, shape in zip(parts, shapes, strict=True)]


def _batch(model: Any) -> int:
    """Events that the model may hold at once: fewer of images than of features."""
    size = sum(prod(call.shape) for call in calls_of(model))
    return max(min(BATCH, BATCH_ELEMENTS // max(size, 1)), 1)


def _save(file: str, outputs: Any) -> None:
    """Doubles: as the one output is shaped, or several side by side in a flat row each event."""
    if isinstance(outputs, list):
        outputs = np.concatenate([part.reshape(len(part), -1) for part in outputs], axis=1)
    np.save(file, np.asarray(outputs, dtype=np.float64))


def _traced(
    model: Any, inputs: list[NDArray[np.float32]], types: Mapping[str, FixedType]
) -> dict[str, NDArray[np.float64]]:
    """What every step of every layer makes of the inputs, under the names that hls4ml has.

    types: by these names; values are cast to them. A layer that only carries elements carries those
    that were cast; all others read what the source model has.
    """
    arrays: dict[str, NDArray[np.float64]] = {}

    def note(name: str, values: Any) -> Any:
        found = np.asarray(values, dtype=np.float64)
        arrays[name] = types[name].decode(types[name].encode(found)) if name in types else found
        return arrays[name]

    names = [tensor._keras_history.operation.name for tensor in model.inputs]
    known: dict[str, Any] = dict(zip(names, inputs, strict=True))
    cast: dict[str, Any] = dict(known)
    for call in calls_of(model):
        if not call.reads:
            continue
        carries = type(call.layer).__name__.startswith(CARRIES)
        tensors = [known[name] for name in call.reads]
        for place, quantizer in enumerate(input_quantizers(call.layer)):
            tensors[place] = quantizer(tensors[place])
            cast[call.layer.name] = note(quantizer.name, tensors[place])
        shown = [cast[name] for name in call.reads] if carries else tensors
        for name, values in _inner_joins(call.layer, shown):
            note(name, values)
        value = tensors[0]
        for name, step in _steps(call.layer, tensors):
            value = step(value)
            cast[call.layer.name] = note(name, value)
        known[call.layer.name] = value
        if carries:
            moved = call.layer(shown if len(shown) > 1 else shown[0])
            cast[call.layer.name] = note(call.layer.name, moved)
    return arrays


def _inner_joins(layer: Any, tensors: list[Any]) -> Iterator[tuple[str, Any]]:
    """What the first two, three ... of more than two tensors make; the means of pairs left out."""
    if "Average" in type(layer).__name__:
        return
    own = _without_quantizers(layer) if hasattr(layer, "enable_iq") else layer
    for place, name in enumerate(join_names(layer.name, len(tensors))):
        yield name, own(tensors[: place + 2])


def _steps(layer: Any, tensors: list[Any]) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """What a layer does behind its input quantizers, step by step, under hls4ml's names.

    tensors: what it reads, quantized. The first step reads these, each other step the one before.
    """
    kind = type(layer).__name__
    if kind == "Quantizer":
        return
    own = _without_quantizers(layer) if hasattr(layer, "enable_iq") else layer
    yield layer.name, lambda _: own(tensors if len(tensors) > 1 else tensors[0])
    if RULES[kind].function and kind != "Activation" and layer.activation.__name__ != "linear":
        yield f"{layer.name}_{layer.activation.__name__}", layer.activation
    if getattr(layer, "enable_oq", False):
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
    if RULES[type(layer).__name__].function:
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
            "convert_by_default": server.convert_by_default,
            "evaluate": server.evaluate,
            "trace": server.trace,
        }
    )


if __name__ == "__main__":
    main()
