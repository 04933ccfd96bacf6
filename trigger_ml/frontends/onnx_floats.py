"""Operators of ONNX that float networks have and quantized ones seldom: the layers of Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.onnx_file import Node
from trigger_ml.frontends.onnx_layers import read_tail
from trigger_ml.frontends.onnx_walk import Tensor, Walk

__all__ = ["FLOAT_READERS", "read_normalization", "without_quantizers"]

NORMALIZATION: Final = ("gamma", "beta", "moving mean", "moving variance")


def read_normalization(walk: Walk, node: Node) -> None:
    """BatchNormalization of the channels, in inference."""
    tensor = walk.tensor(node)
    if node.attributes.get("training_mode", 0) or any(node.outputs[1:]):
        raise ModelError(Blocker(node.where, "is in training mode", "export with model.eval()"))
    arrays = [walk.need(node, at).reshape(-1) for at in range(1, 5)]
    for name, values in zip(NORMALIZATION, arrays, strict=True):
        if values.shape != tensor.shape[:1] or not np.isfinite(values).all():
            what = f"its {name} is no finite number for each of {tensor.shape[0]} channels"
            raise ModelError(Blocker(node.where, what, "save the model again"))
    layer = walk.channels_last(node, tensor)
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    config = {"axis": -1, "epsilon": epsilon, "center": True, "scale": True}
    rank = len(tensor.shape)
    made = walk.emit(node, "BatchNormalization", [layer], config, arrays)
    walk.put(node, Tensor(made, tensor.shape, (rank - 1, *range(rank - 1))))


def without_quantizers(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Layers that were read as quantized ones, as float ones."""
    found = []
    for item in layers:
        config = {k: v for k, v in item["config"].items() if not k.endswith("_quantizer")}
        kind = item["class_name"]
        plain = kind.removeprefix("Q") if kind in ("QDense", "QConv1D", "QConv2D") else kind
        found.append({**item, "class_name": plain, "config": config})
    return found


def _read_function(walk: Walk, node: Node) -> None:
    """Tanh, and a Sigmoid that is not the last node."""
    if node.outputs[0] in walk.model.outputs and node.op == "Sigmoid":
        read_tail(walk, node)
        return
    walk.elementwise(node, walk.tensor(node), "Activation", {"activation": node.op.lower()})


def _read_prelu(walk: Walk, node: Node) -> None:
    """A slope for all elements, or for each channel."""
    tensor = walk.tensor(node)
    slopes: NDArray[Any] = walk.need(node, 1)
    if slopes.size not in (1, tensor.shape[0]):
        what = f"slopes of shape {slopes.shape} for values of shape {tensor.shape}"
        raise ModelError(Blocker(node.where, what, "use one for each channel"))
    layer = walk.channels_last(node, tensor)
    rank = len(tensor.shape)
    # Of the shape of the values, with the channels last.
    spread = np.broadcast_to(slopes.reshape(-1), (*tensor.shape[1:], tensor.shape[0]))
    made = walk.emit(node, "PReLU", [layer], {"shared_axes": None}, [spread])
    walk.put(node, Tensor(made, tensor.shape, (rank - 1, *range(rank - 1))))


FLOAT_READERS: Final[Mapping[str, Callable[[Walk, Node], None]]] = {
    "PRelu": _read_prelu,
    "Sigmoid": _read_function,
    "Tanh": _read_function,
}
"""Readers that take the place of those of quantized networks, or join them."""
