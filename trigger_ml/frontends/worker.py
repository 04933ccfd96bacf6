"""The front-end process for QKeras models: TensorFlow, QKeras and hls4ml live here alone.

Started by :mod:`trigger_ml.frontends.client` with ``python -m trigger_ml.frontends.worker``. It
answers requests as :mod:`trigger_ml.serving` says. QKeras 0.9 and hls4ml 1.3 need Keras 2 under
the name ``keras``, so that name is bound to tf_keras before either is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.expanding import expanded_convolutions
from trigger_ml.frontends.folding import Arrays, by_qkeras, rebuilt
from trigger_ml.frontends.hls_einsum import register_einsum, require_exact_products
from trigger_ml.frontends.hls_images import register_images
from trigger_ml.frontends.hls_project import backend_name, project_settings, write_project
from trigger_ml.frontends.hls_rectifiers import register_rectifiers
from trigger_ml.frontends.hls_recurrent import write_recurrent
from trigger_ml.frontends.hls_reshape import register_reshape
from trigger_ml.frontends.hls_resize import register_resize
from trigger_ml.frontends.hls_streams import complete_stream
from trigger_ml.frontends.keras_models import built, stored_arrays
from trigger_ml.frontends.onnx_tables import by_onnxruntime
from trigger_ml.frontends.preparation import Framework, Prepared, prepare, put_tables
from trigger_ml.frontends.qkeras_cells import allow_cells
from trigger_ml.frontends.qkeras_powers import allow_negative_integers
from trigger_ml.frontends.tabulation import Table
from trigger_ml.graph.from_hls4ml import read_graph
from trigger_ml.keras2 import bind_keras
from trigger_ml.serving import serve

DRAFT: Final[Mapping[str, Any]] = {
    "directory": "draft",
    "top": "draft",
    "backend": "Vitis",
    "part": "",
    "clock_ns": 5.0,
    "io_type": "io_parallel",
    "softmax": None,
}
PACKAGES: Final = ("tensorflow", "tf_keras", "QKeras", "hls4ml", "numpy")
BATCH: Final = 16384
BATCH_ELEMENTS: Final = 2**25
"""Elements of a batch, over the outputs of all layers: 128 MiB in single precision."""


class _Server:
    """Holds the loaded model between requests."""

    def __init__(self) -> None:
        self._model: Any = None
        self._tail = self._without_tail = self._with_tail = self._untouched = ""
        self._weights: Arrays = {}
        self._prepared = Prepared()

    def load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Build the reduced architecture and put the stored weights into it."""
        self._tail, self._weights = request["tail"], stored_arrays(request["weights"])
        self._without_tail, of_onnx = request["architecture"], "functions" in request
        self._with_tail = request["architecture_with_tail"]
        self._untouched = request["architecture_untouched"]
        if request.get("recurrent"):
            allow_cells()
            self._model = built(self._without_tail, self._weights)
        else:
            self._model, self._prepared = prepare(
                self._without_tail,
                self._weights,
                request["activation_types"],
                Framework(built, _draft, by_onnxruntime if of_onnx else by_qkeras),
            )
        versions = {name: version(name) for name in PACKAGES}
        notes, normal = list(self._prepared.notes), self._prepared.normalizations
        return {"versions": versions, "notes": notes, "normalizations": normal}

    def convert(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Convert with hls4ml, write the HLS project, answer the fixed-point graph."""
        architecture = self._without_tail if request["softmax"] is None else self._with_tail
        prepared = self._prepared
        model = _plain(*prepared.for_hls4ml(architecture, self._weights))
        project = _convert(model, request, prepared.types, prepared.tables)
        prepared.check(project)
        graph = read_graph(project, request["top"])
        require_exact_products(graph)
        write_project(project, Path(request["directory"]))
        complete_stream(project, Path(request["directory"]))
        return {"graph": graph.to_json()}

    def convert_recurrent(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Write the project of a network with recurrent layers; it has no graph."""
        return write_recurrent(self._model, request, self._without_tail)

    def describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Architectures of the source model with its tail; its weights go into a file.

        untouched: without a quantizer on an input that the model has not itself.
        """
        weights = {**self._weights, **self._prepared.weights}
        arrays = {f"{n}/{k}": v for n, values in weights.items() for k, v in enumerate(values)}
        np.savez(request["weights"], allow_pickle=False, **arrays)
        source = self._prepared.source
        return {"architecture": source(self._with_tail), "untouched": source(self._untouched)}

    def evaluate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs of the source model: the last layer, and the tail's float activation."""
        values = _events(self._model, request["inputs"])
        outputs = self._model.predict(values, batch_size=_batch(self._model), verbose=0)
        _save(request["outputs"], outputs)
        if self._tail:
            import tensorflow as tf

            function = tf.nn.softmax if self._tail == "softmax" else tf.nn.sigmoid
            _save(request["tail_outputs"], function(outputs).numpy())
        return {}

    def trace(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs of every layer of the source model, by name."""
        import tf_keras

        layers = [layer for layer in self._model.layers if type(layer).__name__ != "InputLayer"]
        inner = tf_keras.Model(self._model.inputs, [layer.output for layer in layers])
        values = _events(self._model, request["inputs"])
        outputs = inner.predict(values, batch_size=_batch(self._model), verbose=0)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        arrays = {
            layer.name: np.asarray(values, dtype=np.float64)
            for layer, values in zip(layers, outputs, strict=True)
        }
        np.savez(request["outputs"], allow_pickle=False, **arrays)
        return {}


def _events(model: Any, file: str) -> list[NDArray[np.float32]]:
    """Inputs from a file of flat rows, in the shapes of the model's inputs and their order."""
    values: NDArray[np.float32] = np.load(file)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    ends = np.cumsum([prod(shape) for shape in shapes])
    parts = np.split(values.reshape(len(values), -1), ends[:-1], axis=1)
    return [part.reshape(len(values), *shape) for part, shape in zip(parts, shapes, strict=True)]


def _batch(model: Any) -> int:
    """Events that the model may hold at once: fewer of images than of features."""
    sizes = [prod(layer.output.shape[1:]) for layer in model.layers]
    return int(max(min(BATCH, BATCH_ELEMENTS // max(sum(sizes), 1)), 1))


def _save(file: str, outputs: Any) -> None:
    """One flat row of doubles for each event. outputs: an array, or one for each output."""
    parts = outputs if isinstance(outputs, list) else [outputs]
    rows = [np.asarray(part, dtype=np.float64).reshape(len(part), -1) for part in parts]
    np.save(file, np.concatenate(rows, axis=1))


def _plain(architecture: str, arrays: Arrays) -> Any:
    """The model as hls4ml reads it: the same sums, written with layers that it has."""
    changes, made = expanded_convolutions(architecture, arrays)
    return built(rebuilt(architecture, changes), {**arrays, **made})


def _draft(architecture: str, arrays: Arrays, types: Mapping[str, str]) -> Any:
    """A conversion that is looked at and never written."""
    return _convert(_plain(architecture, arrays), DRAFT, types, {})


def _convert(
    model: Any,
    request: Mapping[str, Any],
    types: Mapping[str, str],
    tables: Mapping[str, Table],
) -> Any:
    """hls4ml ModelGraph with every type settled by hls4ml's bit-exact pass.

    types: of the results of quantizing layers, by name, where hls4ml's own reading may err.
    tables: of the layers that look up their results.
    """
    import hls4ml
    from hls4ml.converters.keras_v2_to_hls import get_model_arch, parse_keras_model

    backend = backend_name(request["backend"])
    register_rectifiers(backend)
    register_einsum()
    choice = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
    for name, result in types.items():
        choice["LayerName"][name]["Precision"]["result"] = f"ap_{result}"
    register_resize()
    register_reshape()
    register_images()
    config = project_settings(request, model, choice["Model"], choice["LayerName"])
    architecture, reader = get_model_arch(config)
    layers, inputs, outputs, _ = parse_keras_model(architecture, reader)
    put_tables(layers, tables)
    if request["softmax"] is not None:
        _size_softmax(layers[-1], request["softmax"])
    return hls4ml.model.ModelGraph.from_layer_list(config, layers, inputs, outputs)


def _size_softmax(layer: dict[str, Any], sizes: Mapping[str, str]) -> None:
    """Give a softmax layer the attributes that hls4ml's HGQ2 front end gives its exact one."""
    from hls4ml.backends.fpga.fpga_backend import FPGABackend

    types = {key: FPGABackend.convert_precision_string(text) for key, text in sizes.items()}
    layer.update(
        class_name="Softmax",
        activation="softmax",
        axis=-1,
        n_outer=1,
        n_inner=1,
        implementation="stable",
        exp_table_size=2 ** types["inp_norm_t"].width,
        inv_table_size=2 ** types["inv_inp_t"].width,
        exp_scale=1.0,
        parallelization_factor=1,
        _bit_exact=True,
        **types,
    )


def main() -> None:
    """Answer requests until the input ends."""
    bind_keras()
    allow_negative_integers()
    server = _Server()
    serve(
        {
            "load": server.load,
            "convert": server.convert,
            "convert_recurrent": server.convert_recurrent,
            "describe": server.describe,
            "evaluate": server.evaluate,
            "trace": server.trace,
        }
    )


if __name__ == "__main__":
    main()
