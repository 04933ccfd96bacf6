"""hls4ml's default conversion of an HGQ2 model. Runs in the front-end process of such models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trigger_ml.frontends.default_conversion import default_conversion

__all__ = ["convert_hgq_by_default"]


def convert_hgq_by_default(model: Any, tail: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """As :func:`trigger_ml.frontends.default_conversion.convert_by_default` says.

    model: of Keras 3, without its last activation. tail: that one ("softmax", "sigmoid"), or "".
    """
    import keras

    whole = model
    if tail:
        last = keras.layers.Activation(tail, name=tail)(model.outputs[0])
        whole = keras.Model(model.inputs, last, name=model.name)
    return default_conversion(whole, request)[1]
