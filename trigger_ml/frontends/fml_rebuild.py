"""An hls4ml ModelGraph of a saved graph's plain data. Runs in the front-end process only.

The saved types are given to hls4ml as settings, so that none is left for it to choose, and of its
flow those passes alone are run that write C++ for a graph: initialization for the backend, types,
and templates. None of the passes that change a graph or its types is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.model_file import first_line

__all__ = ["Arrays", "model_graph"]

Arrays = Mapping[str, NDArray[np.float64]]
BEFORE: Final = ("parse_qonnx", "convert", "optimize")
"""Flows that hls4ml ran before it saved the graph, beside those of the backend."""
CODE: Final = ("vivado:init_layers", "vivado:specific_types")
TEMPLATES: Final = "apply_templates"
IN_PLACE: Final = "vivado:inplace_parallel_reshape"
"""Gives what a Reshape makes the array that it reads; it was run before the graph was saved."""


def model_graph(
    graph: Mapping[str, Any], arrays: Arrays, outputs: Sequence[str], request: Mapping[str, Any]
) -> Any:
    """ModelGraph with C++ for every layer, whose results and traces can be seen.

    graph: from :meth:`trigger_ml.frontends.fml_file.FmlFile.to_json`. arrays: "<layer>/<name>".
    outputs: names of layers; what only later layers need is left out. request: directory, top,
    part, clock_ns. Raises ModelError where hls4ml makes something else of it.
    """
    layers = _needed(graph["layers"], outputs)
    try:
        model = _converted(graph, layers, arrays, outputs, request)
        _make_code(model, graph["backend"].lower())
    except Exception as error:  # whatever hls4ml raises on a graph that it did not make
        what = f"hls4ml makes no project of it: {first_line(error)[:200]}"
        raise ModelError(Blocker("the saved graph", what, "save it again")) from error
    _check(model, layers)
    return model


def _needed(layers: Sequence[Mapping[str, Any]], outputs: Sequence[str]) -> list[Mapping[str, Any]]:
    """The layers that some outputs depend on, in their order, and all inputs."""
    needed = set(outputs)
    for layer in reversed(layers):
        if layer["name"] in needed:
            needed |= set(layer["inputs"])
    return [layer for layer in layers if layer["name"] in needed or layer["kind"] == "Input"]


def _converted(
    graph: Mapping[str, Any],
    layers: Sequence[Mapping[str, Any]],
    arrays: Arrays,
    outputs: Sequence[str],
    request: Mapping[str, Any],
) -> Any:
    from hls4ml.model import ModelGraph
    from hls4ml.utils.config import create_config

    config = create_config(
        output_dir=request["directory"],
        project_name=request["top"],
        backend=graph["backend"],
        part=request["part"],
        clock_period=request["clock_ns"],
        io_type="io_parallel",
    )
    config["TraceOutput"] = True
    config["HLSConfig"] = {
        # Every type is set below; this one stands where hls4ml looks for one that is not used.
        "Model": {"Precision": {"default": "ap_fixed<16,6>"}, "ReuseFactor": 1},
        "LayerName": {layer["name"]: _settings(layer) for layer in layers},
        "Flows": [],
    }
    made = [_attributes(layer, arrays) for layer in layers]
    model = ModelGraph.from_layer_list(config, made, list(graph["inputs"]), list(outputs))
    del model.config.config["HLSConfig"]["Flows"]
    return model


def _settings(layer: Mapping[str, Any]) -> dict[str, Any]:
    """A layer's section in hls4ml's configuration."""
    precision = {"result": layer["type"], **layer["weight_types"]}
    if "param" in layer["types"]:
        precision["param"] = layer["types"]["param"]
    return {
        "Precision": precision,
        "ReuseFactor": layer["reuse"],
        "Strategy": layer["strategy"].capitalize(),
        "Trace": True,
    }


def _attributes(layer: Mapping[str, Any], arrays: Arrays) -> dict[str, Any]:
    """What a converter of hls4ml's tells of a layer."""
    from hls4ml.backends.fpga.fpga_backend import FPGABackend

    name = layer["name"]
    return {
        "name": name,
        "class_name": layer["kind"],
        "inputs": list(layer["inputs"]),
        "data_format": "channels_last",
        **layer["values"],
        **{
            f"{key}_t": FPGABackend.convert_precision_string(text)
            for key, text in layer["types"].items()
            if key != "param"
        },
        **{f"{key}_data": arrays[f"{name}/{key}"] for key in layer["weight_types"]},
    }


def _make_code(model: Any, backend: str) -> None:
    from hls4ml.model.flow import get_flow
    from hls4ml.model.optimizer import optimize_model

    whole = f"{backend}:ip"
    done = (*BEFORE, *get_flow(whole).requires, whole)
    model._applied_flows = [{name: set() for name in done}]
    model.apply_flow(CODE[0])
    optimize_model(model, [IN_PLACE])
    model.apply_flow(CODE[1])
    for flow in dict.fromkeys((f"{backend}:{TEMPLATES}", f"vivado:{TEMPLATES}")):
        model.apply_flow(flow)


def _check(model: Any, layers: Sequence[Mapping[str, Any]]) -> None:
    """The graph that was made has the layers, shapes and types that the file tells."""
    from hls4ml.backends.fpga.fpga_backend import FPGABackend

    made = {layer.name: layer for layer in model.get_layers()}
    blockers = []
    for layer in layers:
        where = f"layer {layer['name']}"
        if layer["name"] not in made:
            blockers.append(Blocker(where, "hls4ml leaves it out", "save it again"))
            continue
        variable = made[layer["name"]].get_output_variable()
        shape = [int(size) for size in variable.shape]
        if shape != layer["shape"]:
            what = f"hls4ml gives it the shape {shape}, the file {layer['shape']}"
            blockers.append(Blocker(where, what, "save it again"))
        if variable.type.precision != FPGABackend.convert_precision_string(layer["type"]):
            what = f"hls4ml gives it the type {variable.type.precision}, the file {layer['type']}"
            blockers.append(Blocker(where, what, "save it again"))
    if len(made) != len(layers):
        blockers.append(Blocker("the saved graph", "hls4ml adds layers to it", "save it again"))
    if blockers:
        raise ModelError(blockers)
