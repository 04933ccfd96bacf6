"""From a loaded HGQ2 model to hls4ml's ModelGraph. Runs in processes that can import HGQ2 only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from trigger_ml.frontends.hgq_tables import register_tables, settle_tables
from trigger_ml.frontends.hls_images import register_images
from trigger_ml.frontends.hls_project import project_settings
from trigger_ml.frontends.hls_reshape import register_reshape
from trigger_ml.frontends.hls_resize import register_resize
from trigger_ml.frontends.hls_saturation import register_saturation
from trigger_ml.frontends.hls_v3_images import (
    register_v3_images,
    settle_copies,
    settle_means,
)
from trigger_ml.frontends.hls_v3_joins import mend_joins, register_outputs
from trigger_ml.frontends.hls_wraps import register_wraps

__all__ = ["hgq_model_graph"]

NARROWEST: Final = "fixed<1,0>"
"""Type of whatever hls4ml's bit-exact pass leaves open, which is nothing in these models."""
PREPARATIONS: Final[tuple[Callable[[], None], ...]] = (
    register_resize,
    register_reshape,
    register_images,
    register_v3_images,
    register_wraps,
    register_outputs,
    register_tables,
    register_saturation,
)
"""What teaches hls4ml, before it converts, what it does not know of these models."""
MENDS: Final[tuple[Callable[[list[dict[str, Any]]], None], ...]] = (mend_joins,)
"""What changes its description of the layers, in place, before it makes a graph of them."""


def hgq_model_graph(model: Any, request: Mapping[str, Any]) -> Any:
    """ModelGraph with every type settled by hls4ml's bit-exact pass.

    model: of Keras 3 with HGQ2 layers. request: directory, top, backend, part, clock_ns, io_type.
    Raises ConfigError for a backend that hls4ml does not have, and ModelError for tables that its
    C++ would make others than HGQ2.
    """
    from hls4ml.converters.keras_v3_to_hls import parse_keras_v3_model
    from hls4ml.model import ModelGraph

    for prepare in PREPARATIONS:
        prepare()
    layers, inputs, outputs, _ = parse_keras_v3_model(
        model, allow_da_fallback=False, allow_v2_fallback=False
    )
    for mend in MENDS:
        mend(layers)
    choice = {"Precision": NARROWEST, "ReuseFactor": 1, "Strategy": "latency"}
    config = project_settings(request, model, choice, {layer["name"]: {} for layer in layers})
    project = ModelGraph.from_layer_list(config, layers, inputs, outputs)
    settle_tables(model, project)
    settle_copies(project)
    settle_means(project)
    return project
