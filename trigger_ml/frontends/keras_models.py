"""Models of tf_keras and QKeras, built from a reduced architecture and stored arrays.

For processes that hold TensorFlow: it is imported when a function is called.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.folding import Arrays
from trigger_ml.frontends.hls_einsum import einsum_layer
from trigger_ml.frontends.keras_products import EINSUM_OF_TWO

__all__ = ["built", "stored_arrays"]


def stored_arrays(weights: str) -> Arrays:
    """Arrays of every layer from a file of them, "<layer>/<position>" each."""
    found: dict[str, list[NDArray[np.float32]]] = {}
    with np.load(weights) as arrays:
        for key in sorted(arrays.files, key=lambda key: int(key.rsplit("/", 1)[1])):
            found.setdefault(key.rsplit("/", 1)[0], []).append(arrays[key])
    return found


def built(architecture: str, arrays: Arrays) -> Any:
    """A model of tf_keras and QKeras. Raises ModelError where arrays do not fit."""
    import tf_keras
    from qkeras.quantizers import quantized_hswish
    from qkeras.utils import _add_supported_quantized_objects

    # QKeras 0.9 forgot this one in its list.
    objects: dict[str, Any] = {"quantized_hswish": quantized_hswish, EINSUM_OF_TWO: einsum_layer()}
    _add_supported_quantized_objects(objects)
    model = tf_keras.models.model_from_json(architecture, custom_objects=objects)
    blockers = []
    for layer in model.layers:
        shapes = [tuple(weight.shape) for weight in layer.weights]
        own = list(arrays.get(layer.name, ()))
        if [values.shape for values in own] != shapes:
            what = f"has weights of shapes {[values.shape for values in own]}, not {shapes}"
            blockers.append(Blocker(f"layer {layer.name}", what, "save the model again"))
        else:
            layer.set_weights(own)
    if blockers:
        raise ModelError(blockers)
    return model
