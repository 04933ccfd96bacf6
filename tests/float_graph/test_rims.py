"""Largest elements with zeros around are those without what lies beyond an image."""

from __future__ import annotations

import numpy as np
import pytest

from trigger_ml.float_graph.rims import within
from trigger_ml.frontends.model_file import Layer


def pool(size: list[int], strides: list[int], padding: str, kind: str = "2D") -> Layer:
    config = {"pool_size": size, "strides": strides, "padding": padding}
    return Layer("pool", f"MaxPooling{kind}", ("float",), {"name": "pool", **config})


def largest(image: np.ndarray, size: list[int], strides: list[int], fill: float) -> np.ndarray:
    """As Keras says: every window from padding='same', places beyond the image left out."""
    counts = [-(-length // step) for length, step in zip(image.shape, strides, strict=True)]
    made = np.full(counts, fill)
    starts = [
        max((count - 1) * step + part - length, 0) // 2
        for count, step, part, length in zip(counts, strides, size, image.shape, strict=True)
    ]
    for at in np.ndindex(*counts):
        corner = [p * step - start for p, step, start in zip(at, strides, starts, strict=True)]
        own = tuple(
            slice(max(first, 0), first + part) for first, part in zip(corner, size, strict=True)
        )
        made[at] = image[own].max()
    return made


@pytest.mark.parametrize("size", [[2, 2], [3, 2], [3, 3]])
@pytest.mark.parametrize("strides", [[1, 1], [2, 2], [2, 3]])
def test_zeros_change_no_largest_element(size: list[int], strides: list[int]) -> None:
    image = np.random.default_rng(1).random((5, 4))
    layers = within(pool(size, strides, "same"), "relu", (5, 4, 1), "rim")
    made = layers[-1]
    assert made.config["padding"] == "valid" and made.name == "pool"
    around = layers[0].config["padding"] if len(layers) > 1 else [[0, 0], [0, 0]]
    assert layers[0].inputs == ("relu",)
    padded = np.pad(image, around)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)
    found = windows[:: strides[0], :: strides[1]].max(axis=(2, 3))
    assert np.array_equal(found, largest(image, size, strides, np.nan))


def test_where_no_window_reaches_beyond_it() -> None:
    for layer, shape in (
        (pool([2, 2], [2, 2], "same"), (4, 4, 1)),
        (pool([3, 3], [2, 2], "valid"), (4, 4, 1)),
    ):
        (made,) = within(layer, "relu", shape, "rim")
        assert made.kind == "MaxPooling2D" and made.inputs == ("relu",)
    zeros, made = within(pool([2], [2], "same", "1D"), "relu", (5, 3), "rim")
    assert (zeros.kind, zeros.config["padding"]) == ("ZeroPadding1D", [0, 1])
    assert made.inputs == ("rim",)
