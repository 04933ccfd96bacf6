"""Bit operations of an edge classifier: a measure of its size that no tool is needed for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from trigger_ml.tasks.tracks.sectors import SectorShape
from trigger_ml.tasks.tracks.training_recipe import EdgeLayer, Grids, Sizes

__all__ = ["bit_operations", "dense_bit_operations"]

DENSE_BITS: Final = 8
"""Of weights and of activations of the network that is compared with."""


def bit_operations(
    sizes: Sizes,
    grids: Grids,
    shape: SectorShape,
    counts: Mapping[str, tuple[tuple[int, ...], int]],
) -> int:
    """Sum over all edges and nodes of a sector, and over the weights that are not zero, of the
    bits of the weight times those of what it multiplies.

    counts: by layer, how many weights of each input are not zero, and how many outputs.
    """
    total = 0
    for layer in sizes.layers:
        bits = list(_input_bits(layer, grids, shape))
        rows, _ = counts[layer.name]
        weighed = sum(row * width for row, width in zip(rows, bits, strict=True))
        total += _places(layer, shape) * weighed * grids.weight_bits
    return total


def dense_bit_operations(sizes: Sizes, shape: SectorShape) -> int:
    """The same with all weights, and DENSE_BITS for them and for what they multiply."""
    return sum(
        _places(layer, shape) * layer.inputs * layer.outputs * DENSE_BITS**2
        for layer in sizes.layers
    )


def _places(layer: EdgeLayer, shape: SectorShape) -> int:
    return shape.nodes if layer.nodes else shape.edges


def _input_bits(layer: EdgeLayer, grids: Grids, shape: SectorShape) -> Iterator[int]:
    """Bits of each input of a layer."""
    if layer.name == "edge0":
        yield from [grids.input_bits] * layer.inputs
    elif layer.nodes:
        # A sum over all edges that may end at a node.
        terms = shape.slots * shape.spread
        yield from [grids.activation_bits + (terms - 1).bit_length()] * layer.inputs
    elif len(layer.joined) > 1:
        *values, features = layer.joined
        yield from [grids.activation_bits] * sum(values)
        yield from [grids.input_bits] * features
    else:
        yield from [grids.activation_bits] * layer.inputs
