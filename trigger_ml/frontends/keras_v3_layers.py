"""The HGQ2 and Keras 3 layers that a ``.keras`` file may hold, reduced to what they compute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends import (
    keras_v3_dense,
    keras_v3_einsum,
    keras_v3_images,
    keras_v3_merges,
    keras_v3_tables,
)
from trigger_ml.frontends.hls_v3_joins import join_names
from trigger_ml.frontends.keras_v3_fields import Fields, read_dtype
from trigger_ml.frontends.keras_v3_rules import Rule
from trigger_ml.frontends.model_file import Layer

__all__ = ["RULES", "names_in_hls4ml", "read_layer"]

RULES: Final[Mapping[str, Rule]] = {
    **keras_v3_dense.RULES,
    **keras_v3_einsum.RULES,
    **keras_v3_images.RULES,
    **keras_v3_merges.RULES,
    **keras_v3_tables.RULES,
}
"""Layer classes with firmware."""


def read_layer(kind: str, name: str, config: Mapping[str, Any], inputs: int = 1) -> dict[str, Any]:
    """The layer's parameters that matter, in Keras' own terms.

    inputs: how many tensors it reads.
    Raises ModelError with everything that is wrong in this layer.
    """
    rule = RULES.get(kind)
    if rule is None:
        raise ModelError(Blocker(f"layer {name}", *_refusal(kind)))
    fields = Fields(f"layer {name}", config, inputs)
    read_dtype(fields)
    found = rule.reader(fields)
    if fields.blockers:
        raise ModelError(fields.blockers)
    return {"name": name, **found}


def _refusal(kind: str) -> tuple[str, str]:
    if kind == "Lambda":
        return "a Lambda layer holds code, which is never run", "write it with layers"
    if kind == "Softmax":
        what = "Keras' own softmax, of real numbers, as a layer has no exact firmware"
        return what, "use hgq.layers.QSoftmax, or Activation('softmax') as the last layer"
    return f"the layer class {kind} has no firmware here", f"use one of {', '.join(sorted(RULES))}"


def names_in_hls4ml(layer: Layer) -> Iterator[str]:
    """The names of what hls4ml makes of a layer, with what the front-end process calls them."""
    yield layer.name
    if layer.config.get("enable_iq"):
        several = layer.config.get("iq_confs")
        places = [""] if several is None else [f"_{place}" for place in range(len(several))]
        yield from (f"{layer.name}_iq{place}" for place in places)
    if layer.config.get("enable_oq"):
        yield f"{layer.name}_oq"
    if len(layer.inputs) > 2:
        yield from join_names(layer.name, len(layer.inputs))
    behind = RULES[layer.kind].function and layer.kind != "Activation"
    if behind and layer.config.get("activation") == "relu":
        yield f"{layer.name}_relu"
