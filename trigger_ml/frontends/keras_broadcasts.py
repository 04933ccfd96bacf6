"""Joins of tensors of different shapes, and along other axes than the last one.

hls4ml joins tensors of one shape, and side by side along the last axis. Elements that a join
repeats are repeated before it, which takes no logic; an axis and all behind it are seen as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from trigger_ml.frontends.keras_chain import Chain, Made
from trigger_ml.frontends.keras_sizes import Shape
from trigger_ml.frontends.model_file import Layer

__all__ = ["beside", "broadcast", "repeat"]


def broadcast(layer: Layer, reads: Sequence[Shape], names: Iterator[str]) -> Made | None:
    """An element-wise join whose smaller tensors are repeated as Keras does; None where that is
    not needed or not possible."""
    rank = max(len(shape) for shape in reads)
    wide = [(*[1] * (rank - len(shape)), *shape) for shape in reads]
    made = tuple(max(sizes) for sizes in zip(*wide, strict=True))
    fits = all(size in (1, most) for shape in wide for size, most in zip(shape, made, strict=True))
    if len(set(reads)) == 1 or not fits:
        return None
    layers: list[Layer] = []
    inputs = []
    for source, shape, own in zip(layer.inputs, wide, reads, strict=True):
        chain = Chain(f"layer {layer.name}", own)
        repeat(chain, shape, made)
        if chain.steps:
            repeated = chain.made(next(names), source, names).layers
            layers += repeated
            source = repeated[-1].name
        inputs.append(source)
    joined = Layer(layer.name, layer.kind, tuple(inputs), layer.config)
    return Made((*layers, joined))


def repeat(chain: Chain, shape: Shape, made: Shape) -> None:
    """Repeat elements until ``shape``, which has an axis of one where that is needed, is made."""
    axis = 0
    while axis < len(made):
        end = axis
        while end < len(made) and shape[end] == 1:
            end += 1
        count = prod(made[axis:end])
        if count > 1:
            before, behind = prod(made[:axis]), prod(shape[end:])
            chain.reshape((before, 1, behind))
            config = {"size": [1, count], "interpolation": "nearest"}
            wide = (before, count, behind)
            chain.add("UpSampling2D", {**config, "data_format": "channels_last"}, wide)
        axis = max(end, axis + 1)
    if chain.steps or chain.shape != made:
        chain.reshape(made)


def beside(layer: Layer, reads: Sequence[Shape], names: Iterator[str]) -> Made | None:
    """A Concatenate along an axis that is not the last one; None where it is, or does not fit.

    Its axis, from the left, and those behind it are seen as one, side by side in the last axis.
    """
    left, right = reads
    axis, rank = int(layer.config["axis"]), len(left)
    place = axis - 1 if axis > 0 else axis + rank
    if len(right) != rank or not 0 <= place < rank - 1:
        return None
    if left[:place] != right[:place] or left[place + 1 :] != right[place + 1 :]:
        return None
    ahead = (prod(left[:place]),) if place else ()
    layers: list[Layer] = []
    for source, shape in zip(layer.inputs, reads, strict=True):
        chain = Chain(f"layer {layer.name}", shape)
        chain.reshape((*ahead, prod(shape[place:])))
        layers += chain.made(next(names), source, names).layers
    inputs = tuple(part.name for part in layers)
    name = next(names)
    layers.append(Layer(name, "Concatenate", inputs, {**layer.config, "name": name, "axis": -1}))
    chain = Chain(f"layer {layer.name}", (*ahead, prod(left[place:]) + prod(right[place:])))
    chain.reshape((*left[:place], left[place] + right[place], *left[place + 1 :]))
    return Made((*layers, *chain.made(layer.name, name, names).layers))
