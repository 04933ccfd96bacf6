"""What else is wrong with a network of which some layers are refused: all is told at once.

A refused layer counts as unknown, and so does what reads it; nothing is said of those. So a size
is the least that there is, and checks of the whole network are left for when it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from trigger_ml.config import Config
from trigger_ml.errors import BlockedError, Blocker
from trigger_ml.frontends.flat import size_problems
from trigger_ml.frontends.keras_folding import FOLDED, fold
from trigger_ml.frontends.keras_identities import without_identities
from trigger_ml.frontends.keras_images import TO_VECTORS, layer_shapes
from trigger_ml.frontends.keras_network import KerasNetwork, Weights, cut_tail
from trigger_ml.frontends.keras_quantizers import own_activations
from trigger_ml.frontends.model_file import BROKEN, Layer

__all__ = ["Beyond", "known_part", "known_problems", "open_inputs", "part_problems"]

Beyond = Callable[[KerasNetwork], Sequence[Blocker]]
"""Checks of a part of a network beyond those of its layers."""
PLACE: Final = "layer "
"""How the place of a blocker in a layer starts."""


def part_problems(
    layers: Sequence[Layer],
    outputs: Sequence[str],
    weights: Weights,
    refused: Sequence[Blocker],
    beyond: Beyond | None,
) -> list[Blocker]:
    """What is wrong with the layers that were read, besides what is refused of others.

    layers, outputs, weights: as far as they are known. refused: what is known to be wrong.
    """
    try:
        plain_layers, _ = without_identities(layers)
        if not plain_layers:
            return []
        # These look at each layer by itself, whatever it reads.
        found = [*fold(plain_layers, weights).blockers, *cut_tail(plain_layers, tuple(outputs))[2]]
        wrong = _refused(refused)
        found = [item for item in found if _in_layer(item) and _name(item) not in wrong]
        kept = known_part(plain_layers, refused)
        ends = [name for name in outputs if name in {layer.name for layer in kept}]
        found += own_activations(kept, ends)[2]
        if kept and beyond is not None:
            plain = tuple(layer for layer in kept if FOLDED not in layer.config)
            found += beyond(KerasNetwork(Path(), "", "part", plain, "", weights, tuple(ends)))
    except BlockedError as error:
        found = list(error.blockers)
    except BROKEN:
        # What was read may be of any form yet, and the layers that are wrong are told.
        return []
    return [item for item in found if item not in refused]


def known_part(layers: Sequence[Layer], refused: Sequence[Blocker]) -> list[Layer]:
    """The layers that are not refused, read none that is, and fit the shapes that they read."""
    wrong = _refused(refused)
    kept: list[Layer] = []
    names: set[str] = set()
    for layer in layers:
        if layer.name not in wrong and names.issuperset(layer.inputs):
            kept.append(layer)
            names.add(layer.name)
    shapes, _ = layer_shapes(kept)
    return [layer for layer in kept if layer.name in shapes]


def _refused(blockers: Sequence[Blocker]) -> set[str]:
    """Names of the layers that blockers are of."""
    return {_name(item) for item in blockers if _in_layer(item)}


def _name(blocker: Blocker) -> str:
    return blocker.where[len(PLACE) :].split(" ")[0]


def _in_layer(blocker: Blocker) -> bool:
    return blocker.where.startswith(PLACE)


def known_problems(
    network: KerasNetwork, config: Config, unsure: Collection[str] = ()
) -> list[Blocker]:
    """What a part of a network cannot be with this configuration.

    unsure: inputs of which it is not known what reads them first.
    """
    found = [] if config.firmware.input_type else open_inputs(network, unsure)
    kinds = {layer.kind for layer in network.layers}
    if config.firmware.io_type == "io_parallel" or kinds & {*TO_VECTORS}:
        found += size_problems(network)
    return found


def open_inputs(
    network: KerasNetwork, unsure: Collection[str] = (), places: Mapping[str, str] | None = None
) -> list[Blocker]:
    """The inputs of which nothing says which type they have. places: what to call them."""
    return [
        Blocker(
            (places or {}).get(name, f"{PLACE}{name}"),
            "nothing says which fixed-point type the inputs have",
            "put QActivation(quantized_bits(16,5,alpha=1)) first, or set "
            "firmware.input_type: fixed<16,6>",
        )
        for name in network.unquantized_inputs
        if name not in unsure
    ]
