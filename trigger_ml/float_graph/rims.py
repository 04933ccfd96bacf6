"""Windows that reach beyond an image, over zeros that are put around it.

hls4ml 1.3 takes what lies beyond an image for the largest value where values have no sign; a zero
is the smallest of these, so it changes no largest element.
"""

from __future__ import annotations

from dataclasses import replace

from trigger_ml.frontends.keras_sizes import Shape, places
from trigger_ml.frontends.model_file import Layer

__all__ = ["within"]


def within(pool: Layer, read: str, shape: Shape, name: str) -> list[Layer]:
    """A pooling of largest elements as one with padding='valid', with zeros before it if needed.

    read: the layer that it reads. shape: of what that makes. name: of the layer that puts zeros
    there.
    """
    zeros = _rim(pool, shape)
    plain = replace(pool, inputs=(read,), config={**pool.config, "padding": "valid"})
    if not any(map(any, zeros)):
        return [plain]
    kind = pool.kind.replace("MaxPooling", "ZeroPadding")
    padding = zeros if len(zeros) > 1 else zeros[0]
    config = {"name": name, "padding": padding, "dtype": "float32"}
    return [Layer(name, kind, (read,), config), replace(plain, inputs=(name,))]


def _rim(pool: Layer, shape: Shape) -> list[list[int]]:
    """Places before and after each axis beyond an image. TensorFlow puts the odd one behind."""
    size, strides = pool.config["pool_size"], pool.config["strides"]
    counts = places(shape, size, strides, pool.config["padding"])
    found = []
    for length, window, step, count in zip(shape, size, strides, counts, strict=False):
        beyond = max((count - 1) * step + window - length, 0)
        found.append([beyond // 2, beyond - beyond // 2])
    return found
