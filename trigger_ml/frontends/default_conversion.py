"""The conversion that hls4ml makes when nobody sets a type. Runs in the front-end process only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trigger_ml.errors import BlockedError
from trigger_ml.frontends.hls_project import backend_name, write_project
from trigger_ml.graph.hls4ml_values import fixed_type

__all__ = ["convert_by_default"]


def convert_by_default(model: Any, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write the project of hls4ml's tutorials: a configuration by name, and not one key changed.

    model: of Keras 2, with its last activation. request: as for a conversion of our own.
    Returns the layers in order: name, class_name, shape, and type and accumulator as text, empty
    where it has none. traced: whether the C simulation shows its values.
    """
    import hls4ml

    backend = backend_name(request["backend"])
    choice = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
    for layer in choice["LayerName"].values():
        layer["Trace"] = True
    project = hls4ml.converters.convert_from_keras_model(
        model,
        hls_config=choice,
        output_dir=request["directory"],
        project_name=request["top"],
        backend=backend,
        part=request["part"],
        clock_period=request["clock_ns"],
        io_type=request["io_type"],
    )
    project.config.trace_output = True
    write_project(project, Path(request["directory"]))
    return [_described(layer) for layer in project.get_layers()]


def _described(layer: Any) -> dict[str, Any]:
    variable = layer.get_output_variable()
    accumulator = layer.get_attr("accum_t")
    return {
        "name": layer.name,
        "class_name": layer.class_name,
        "shape": [int(size) for size in variable.shape],
        "type": _text(variable.type.precision, layer.name),
        "accumulator": _text(accumulator.precision, layer.name) if accumulator else "",
        "traced": bool(layer.get_attr("function_cpp")) and bool(layer.get_attr("trace")),
    }


def _text(precision: Any, name: str) -> str:
    """A type as we write it; empty for one that is not fixed-point."""
    try:
        return str(fixed_type(precision, name))
    except BlockedError:
        return ""
