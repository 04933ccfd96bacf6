"""hls4ml's project of a network with recurrent layers. Runs in the front-end process only.

hls4ml's bit-exact pass knows no recurrent layer, and without it hls4ml drops quantizers and sums
in 16 bits, so :mod:`trigger_ml.frontends.recurrent_plan` sets every type. Tanh and sigmoid are
tables of ``table_size`` entries from -4 to 4 and from -8 to 8 (nnet_activation.h), whatever is set:
that, and rounding, is what differs from the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from trigger_ml.frontends.folding import rebuilt
from trigger_ml.frontends.hls_project import backend_name, project_settings, write_project
from trigger_ml.frontends.keras_models import built
from trigger_ml.frontends.recurrent_plan import Plan, planned
from trigger_ml.graph.hls4ml_values import fixed_type

__all__ = ["write_recurrent"]

REPAIRS: Final = {
    "nnet::dense<data_T, res_T, typename CONFIG_T::mult_config1>(data, tmpres, ": (
        "nnet::dense<data_T, typename CONFIG_T::accum_t, typename CONFIG_T::mult_config1>("
        "data, tmpres, "
    ),
    "nnet::dense<data_T, res_T, typename CONFIG_T::mult_config2>(h_newstate, tmpres_state, ": (
        "nnet::dense<res_T, typename CONFIG_T::accum_t, typename CONFIG_T::mult_config2>("
        "h_newstate, tmpres_state, "
    ),
}
"""Calls in nnet_recurrent.h, and what they should be."""


def write_recurrent(model: Any, request: Mapping[str, Any], architecture: str) -> dict[str, Any]:
    """Convert a network with recurrent layers, write its project.

    model: of tf_keras and QKeras, with its weights. request: bits, table_size, and what a
    conversion needs.
    Answers the inputs and outputs, each with shape and type, and the types of every layer.
    """
    plan = planned(model, architecture, int(request["bits"]))
    plain = built(rebuilt(architecture, plan.changes), plan.arrays)
    project = _converted(plain, plan, request)
    write_project(project, Path(request["directory"]))
    _repair(Path(request["directory"]))
    ends = [_described(variable) for variable in project.get_output_variables()]
    return {
        "inputs": [_described(variable) for variable in project.get_input_variables()],
        "outputs": ends,
        "layers": [
            {
                "layer": name,
                "types": {key: str(kind) for key, kind in types.items()},
                "table_size": request["table_size"] if name in plan.tables else None,
            }
            for name, types in plan.types.items()
        ],
    }


def _converted(model: Any, plan: Plan, request: Mapping[str, Any]) -> Any:
    """hls4ml's ModelGraph with the plan's types."""
    import hls4ml
    from hls4ml.converters.keras_v2_to_hls import get_model_arch, parse_keras_model

    backend = backend_name(request["backend"])
    choice = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
    layers = choice["LayerName"]
    for name, types in plan.types.items():
        precision = layers[name]["Precision"]
        precision |= {key: f"ap_{kind}" for key, kind in types.items()}
        if name in plan.tables:
            layers[name]["TableSize"] = request["table_size"]
        if f"{name}_linear" in layers:
            layers[f"{name}_linear"]["Precision"]["result"] = f"ap_{types['result']}"
    config = project_settings(request, model, choice["Model"], layers)
    config["HLSConfig"]["Model"]["BitExact"] = False
    architecture, reader = get_model_arch(config)
    return hls4ml.model.ModelGraph.from_layer_list(
        config, *parse_keras_model(architecture, reader)[:3]
    )


def _repair(directory: Path) -> None:
    """Let hls4ml 1.3's LSTM compile where inputs, sums and states have different types.

    Its function without static states names wrong types in two calls; the one with them, which is
    called, names the right ones, and both have to compile.
    """
    header = directory / "firmware" / "nnet_utils" / "nnet_recurrent.h"
    if not header.is_file():
        return
    text = header.read_text(encoding="utf-8")
    for wrong, right in REPAIRS.items():
        text = text.replace(wrong, right)
    header.write_text(text, encoding="utf-8")


def _described(variable: Any) -> dict[str, Any]:
    precision = variable.type.precision
    shape = [int(size) for size in variable.shape]
    return {"name": variable.name, "shape": shape, "type": fixed_type(precision, "").to_json()}
