"""The conversion that hls4ml makes when nobody sets a type. Runs in front-end processes only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trigger_ml.errors import BlockedError
from trigger_ml.frontends.hls_project import backend_name, write_project
from trigger_ml.frontends.model_file import first_line
from trigger_ml.graph.hls4ml_values import fixed_type

__all__ = ["convert_by_default", "default_conversion", "weight_types"]


def default_conversion(model: Any, request: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """As :func:`convert_by_default` of a model of Keras; returns the ModelGraph too, if any."""
    made: list[Any] = []
    settable: set[str] = set()

    def convert(backend: str) -> Any:
        import hls4ml

        choice = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
        settable.update(choice["LayerName"])
        for name, layer in choice["LayerName"].items():
            layer["Trace"] = True
            _change(layer, request["changes"].get(name, {}))
        made[:] = [
            hls4ml.converters.convert_from_keras_model(
                model,
                hls_config=choice,
                output_dir=request["directory"],
                project_name=request["top"],
                backend=backend,
                part=request["part"],
                clock_period=request["clock_ns"],
                io_type=request["io_type"],
            )
        ]
        return made[0]

    answer = convert_by_default(convert, request)
    for layer in answer["layers"]:
        layer["settable"] = layer["name"] in settable
    return (None if answer["refused"] else made[0]), answer


def convert_by_default(convert: Callable[[str], Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Write the project of hls4ml's tutorials: a configuration by name, and no key changed.

    convert: the name of a backend to hls4ml's ModelGraph, with the model's last activation.
    request: as for a conversion of our own, and changes: what is set after all, by layer.

    Returns the layers in order: name, class_name, shape, inputs (names of layers); type and
    accumulator as text, empty where it has none; weights, the types of its arrays by their names;
    cut, names of those with values that are not of their types; table, what it looks up its
    results in. traced: whether the C simulation shows its values. inputs, outputs: names of
    layers, in the order of the C++. refused: what hls4ml said where it makes no project, and then
    there is nothing else.
    """
    backend = backend_name(request["backend"])
    try:
        project = convert(backend)
        project.config.trace_output = True
        write_project(project, Path(request["directory"]))
    except Exception as error:  # hls4ml raises what it likes, AssertionError and Exception too.
        said = f"{type(error).__name__}: {first_line(error)}"
        return {"refused": said, "layers": [], "inputs": [], "outputs": []}
    makers = {str(output): layer.name for layer in project.get_layers() for output in layer.outputs}
    return {
        "refused": "",
        "layers": [_described(layer) for layer in project.get_layers()],
        "inputs": [makers[str(name)] for name in project.inputs],
        "outputs": [makers[str(name)] for name in project.outputs],
    }


def weight_types(layer: Any) -> dict[str, str]:
    """Types of the arrays of a layer of hls4ml, by hls4ml's names for them."""
    return {
        name: _text(variable.type.precision, layer.name)
        for name, variable in layer.weights.items()
        if variable.data is not None and np.size(variable.data)
    }


def _change(layer: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Set keys of a layer's configuration; those of its types one by one."""
    for key, value in changes.items():
        if isinstance(value, Mapping):
            layer[key] = {**layer.get(key, {}), **value}
        else:
            layer[key] = value


def _described(layer: Any) -> dict[str, Any]:
    variable = layer.get_output_variable()
    accumulator = layer.get_attr("accum_t")
    reads = [] if layer.class_name == "Input" else [layer.get_input_node(n) for n in layer.inputs]
    return {
        "name": layer.name,
        "class_name": layer.class_name,
        "function": str(layer.get_attr("activation") or ""),
        "shape": [int(size) for size in variable.shape],
        "inputs": [read.name for read in reads if read is not None],
        "type": _text(variable.type.precision, layer.name),
        "accumulator": _text(accumulator.precision, layer.name) if accumulator else "",
        "weights": weight_types(layer),
        "cut": [name for name, kind in weight_types(layer).items() if _is_cut(layer, name, kind)],
        "table": _table(layer),
        "traced": bool(layer.get_attr("function_cpp")) and bool(layer.get_attr("trace")),
    }


def _is_cut(layer: Any, name: str, text: str) -> bool:
    from trigger_ml.graph.types import FixedType

    if not text:
        return False
    kind, values = FixedType.parse(text), np.asarray(layer.weights[name].data, np.float64)
    return not np.array_equal(kind.decode(kind.encode(values)), values)


def _table(layer: Any) -> str:
    size, kind = layer.get_attr("table_size"), layer.get_attr("table_t")
    if not size or kind is None:
        return ""
    return f"{size} entries of {_text(kind.precision, layer.name)}"


def _text(precision: Any, name: str) -> str:
    """A type as we write it; empty for one that is not fixed-point."""
    try:
        return str(fixed_type(precision, name))
    except BlockedError:
        return ""
