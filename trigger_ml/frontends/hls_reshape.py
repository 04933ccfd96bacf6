"""What hls4ml's passes get wrong about Reshape and Permute layers (version 1.3.0).

In a parallel project a reshape is no function: what reads it gets the array before it. hls4ml's
bit-exact pass settles a type for it nevertheless, which may be narrower, and the C++ would then
name a type that its argument has not.

Of Permute, Flatten and Dense another pass leaves out the first and puts its order into the
weights; of three axes it takes every order for that of (channels, height, width).
"""

from __future__ import annotations

from copy import copy
from typing import Any, Final

import numpy as np

__all__ = ["register_reshape"]

TAKEN_BACK: Final = (1, 2, 0)
"""The order that the pass gives to three axes of the weights, whatever the layer's is."""


def register_reshape() -> None:
    """Mend both passes. Calling it twice does no harm."""
    from hls4ml.model.layers import Reshape
    from hls4ml.model.optimizer.passes import bit_exact
    from hls4ml.model.optimizer.passes.convert_to_channels_last import RemoveTransposeBeforeFlatten
    from hls4ml.model.types import NamedType

    def settle(layer: Any) -> None:
        source = layer.get_input_variable().type.precision
        settled = NamedType(f"{layer.name}_t", copy(source))
        layer.get_output_variable().type = settled
        layer.attributes["result_t"] = settled

    bit_exact.register_precision.register(Reshape, settle)
    if not hasattr(RemoveTransposeBeforeFlatten, "transform_channels"):
        RemoveTransposeBeforeFlatten.transform_channels = RemoveTransposeBeforeFlatten.transform
        RemoveTransposeBeforeFlatten.transform = _in_the_layers_order


def _in_the_layers_order(self: Any, model: Any, node: Any) -> bool:
    """Order the weights so that they are right once the pass has ordered them in its way."""
    layer = node.get_input_node()
    shape = tuple(layer.get_output_variable().shape)
    back = tuple(int(axis) for axis in np.argsort(layer.get_attr("perm")))
    if len(shape) == len(TAKEN_BACK) and back != TAKEN_BACK:
        weight = node.get_output_nodes()[0].get_weights("weight")
        wanted = weight.data.reshape(*shape, -1).transpose(*back, len(back))
        made = wanted.reshape(*(shape[axis] for axis in TAKEN_BACK), -1)
        forth = np.argsort(TAKEN_BACK)
        weight.data = made.transpose(*forth, len(forth)).reshape(weight.data.shape)
    removed: bool = self.transform_channels(model, node)
    return removed
