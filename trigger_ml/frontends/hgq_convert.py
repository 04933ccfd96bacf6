"""From a loaded HGQ2 model to hls4ml's ModelGraph. Runs in processes that can import HGQ2 only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trigger_ml.frontends.hls_project import project_settings

__all__ = ["hgq_model_graph"]

NARROWEST: Final = "fixed<1,0>"
"""Type of whatever hls4ml's bit-exact pass leaves open, which is nothing in these models."""


def hgq_model_graph(model: Any, request: Mapping[str, Any]) -> Any:
    """ModelGraph with every type settled by hls4ml's bit-exact pass.

    model: of Keras 3 with HGQ2 layers. request: directory, top, backend, part, clock_ns, io_type.
    Raises ConfigError for a backend that hls4ml does not have.
    """
    from hls4ml.converters.keras_v3_to_hls import parse_keras_v3_model
    from hls4ml.model import ModelGraph

    layers, inputs, outputs, _ = parse_keras_v3_model(
        model, allow_da_fallback=False, allow_v2_fallback=False
    )
    choice = {"Precision": NARROWEST, "ReuseFactor": 1, "Strategy": "latency"}
    config = project_settings(request, model, choice, {layer["name"]: {} for layer in layers})
    return ModelGraph.from_layer_list(config, layers, inputs, outputs)
