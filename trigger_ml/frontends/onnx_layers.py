"""Operators of ONNX on vectors and elements, and the Keras layers that stand for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.onnx_file import Node
from trigger_ml.frontends.onnx_values import axes_of, target_shape
from trigger_ml.frontends.onnx_walk import Tensor, Walk

__all__ = [
    "read_concat",
    "read_flatten",
    "read_gemm",
    "read_join",
    "read_leaky_relu",
    "read_matmul",
    "read_relu",
    "read_reshape",
    "read_same",
    "read_squeeze",
    "read_tail",
    "read_transpose",
    "read_unsqueeze",
]

Array = NDArray[Any]


def read_matmul(walk: Walk, node: Node) -> None:
    """MatMul with constant weights: a QDense without bias, of the last axis of a tensor."""
    _dense(walk, node, walk.need(node, 1), None)


def read_gemm(walk: Walk, node: Node) -> None:
    """Gemm with constant weights and bias: a QDense."""
    if node.attributes.get("transA", 0):
        raise ModelError(Blocker(node.where, "transA, which mixes events", "use transA 0"))
    weight, bias = walk.need(node, 1), walk.constant(node, 2)
    if node.attributes.get("transB", 0):
        weight = weight.T
    weight = weight * np.float64(node.attributes.get("alpha", 1.0))
    if bias is not None:
        bias = bias * np.float64(node.attributes.get("beta", 1.0))
    _dense(walk, node, weight, bias)


def _dense(walk: Walk, node: Node, weight: Array, bias: Array | None) -> None:
    tensor = walk.tensor(node)
    ranks = (1,) if node.op == "Gemm" else (1, 2, 3)
    if len(tensor.shape) not in ranks or weight.ndim != 2 or weight.shape[0] != tensor.shape[-1]:
        what = f"{tensor.shape} times {weight.shape}: a vector of each event is multiplied"
        raise ModelError(Blocker(node.where, what, "put a Flatten before it"))
    outputs = weight.shape[1]
    arrays = [weight]
    if bias is not None:
        if bias.size not in (1, outputs):
            raise ModelError(Blocker(node.where, f"a bias of shape {bias.shape}"))
        arrays.append(np.broadcast_to(bias.reshape(-1), (outputs,)))
    rank = len(tensor.shape)
    read = tensor.layer
    if rank > 1:
        read = walk.arranged(node, tensor, range(rank))
    walk.require_values(node, tensor)
    layer = walk.set_kernel(node, "QDense", read, {"units": outputs}, arrays)
    walk.put_sum(node, Tensor(layer, (*tensor.shape[:-1], outputs), tuple(range(rank))))


def read_join(walk: Walk, node: Node) -> None:
    """Add, Sub, Mul, Max and Min of two tensors; constants go into the layer before them."""
    sides = [walk.tensors.get(name) for name in node.inputs]
    if None not in sides and node.op != "Div":
        _join(walk, node, [side for side in sides if side is not None])
        return
    position = next(at for at, side in enumerate(sides) if side is not None)
    tensor, value = walk.tensor(node, position), walk.need(node, 1 - position)
    layer = walk.sums.get(node.inputs[position])
    plain = node.op in ("Add", "Mul") or (node.op in ("Sub", "Div") and position == 0)
    if not plain or layer is None or walk.readers[node.inputs[position]] > 1:
        what = "computes with a constant"
        fix = "put it into the weights of the layer before it, or after"
        raise ModelError(Blocker(node.where, what, fix))
    rank = len(tensor.shape)
    # The layer has its channels last; a bias is aligned with the last axes of the tensor.
    axis = tensor.axes.index(rank - 1)
    channels, at = tensor.shape[axis], axis + value.ndim - rank
    fits = value.size == channels and at >= 0 and value.shape[at] == channels
    if value.size != 1 and not fits:
        what = f"adds constants of shape {value.shape} to {tensor.shape}"
        raise ModelError(Blocker(node.where, what, "use one number for each channel"))
    values = np.broadcast_to(value.reshape(-1).astype(np.float64), (channels,))
    if node.op in ("Add", "Sub"):
        walk.add_bias(node, layer, -values if node.op == "Sub" else values, 1 - position)
    else:
        if not walk.floats:
            _powers_of_two(node, values)
        walk.scale_sum(node, layer, values if node.op == "Mul" else 1 / values)
    walk.put_sum(node, tensor)


def _powers_of_two(node: Node, values: Array) -> None:
    if not np.all(np.isfinite(values)) or np.any(np.frexp(np.abs(values))[0] != 0.5):
        what = f"has the factors {values[:4].tolist()}, which are no powers of two"
        fix = "put them into the weights of the layer before it, and quantize those"
        raise ModelError(Blocker(node.where, what, fix))


def _join(walk: Walk, node: Node, sides: list[Tensor]) -> None:
    shapes = {side.shape for side in sides}
    if len(shapes) > 1:
        what = f"joins tensors of shapes {', '.join(str(side.shape) for side in sides)}"
        raise ModelError(Blocker(node.where, what, "give them one shape"))
    kind = {"Add": "Add", "Sub": "Subtract", "Mul": "Multiply", "Max": "Maximum"}.get(
        node.op, "Minimum"
    )
    axes = sides[0].axes
    reads = [walk.arranged(node, side, axes) for side in sides]
    walk.put(node, Tensor(walk.emit(node, kind, reads, {}), sides[0].shape, axes))


def read_concat(walk: Walk, node: Node) -> None:
    """Concat of tensors: a Concatenate along the same axis."""
    sides = [walk.tensor(node, position) for position in range(len(node.inputs))]
    rank = len(sides[0].shape)
    axis = int(node.attributes["axis"]) % (rank + 1)
    if axis == 0:
        raise ModelError(Blocker(node.where, "joins events", "join along another axis"))
    # Keras joins along its last axis, where hls4ml has channels.
    axes = (rank - 1, *range(rank - 1)) if axis == 1 else tuple(range(rank))
    reads = [walk.arranged(node, side, axes) for side in sides]
    others = {side.shape[: axis - 1] + side.shape[axis:] for side in sides}
    if len(others) > 1:
        what = f"joins tensors of shapes {', '.join(str(side.shape) for side in sides)}"
        raise ModelError(Blocker(node.where, what))
    shape = list(sides[0].shape)
    shape[axis - 1] = sum(side.shape[axis - 1] for side in sides)
    layer = walk.emit(node, "Concatenate", reads, {"axis": axes[axis - 1] + 1})
    walk.put(node, Tensor(layer, tuple(shape), axes))


def read_relu(walk: Walk, node: Node) -> None:
    """Relu."""
    walk.elementwise(node, walk.tensor(node), "Activation", {"activation": "relu"})


def read_leaky_relu(walk: Walk, node: Node) -> None:
    """LeakyRelu: Keras calls its slope alpha too."""
    slope = float(node.attributes.get("alpha", 0.01))
    walk.elementwise(node, walk.tensor(node), "LeakyReLU", {"alpha": slope})


def read_tail(walk: Walk, node: Node) -> None:
    """Softmax and Sigmoid at the end: an Activation that firmware leaves out."""
    tensor = walk.tensor(node)
    if node.outputs[0] not in walk.model.outputs:
        what = "in the middle of a network has no exact fixed-point form"
        fix = "use it at the end, or train the network with HGQ2, whose QSoftmax has tables"
        raise ModelError(Blocker(node.where, what, fix))
    if node.op == "Softmax" and len(tensor.shape) != 1:
        what = f"over a tensor of shape {tensor.shape}"
        raise ModelError(Blocker(node.where, what, "end in one vector for each event"))
    layer = walk.in_order(node, tensor)
    function = node.op.lower()
    made = walk.emit(node, "Activation", [layer], {"activation": function})
    walk.put(node, replace(tensor, layer=made, axes=_flat_axes(tensor)))


def _flat_axes(tensor: Tensor) -> tuple[int | None, ...]:
    return tuple(range(len(tensor.shape)))


def read_same(walk: Walk, node: Node) -> None:
    """Identity, and what is the identity where nothing is trained: Dropout, a Cast to float."""
    if node.op == "Cast" and int(node.attributes.get("to", 1)) != 1:
        what = "casts values to another element type"
        raise ModelError(Blocker(node.where, what, "export in single precision"))
    walk.put(node, walk.tensor(node))


def read_flatten(walk: Walk, node: Node) -> None:
    """Flatten of all axes but the batch."""
    if int(node.attributes.get("axis", 1)) != 1:
        raise ModelError(Blocker(node.where, f"axis {node.attributes['axis']}", "use axis 1"))
    tensor = walk.tensor(node)
    _reshaped(walk, node, tensor, (int(np.prod(tensor.shape)),))


def read_reshape(walk: Walk, node: Node) -> None:
    """Reshape that keeps the events apart."""
    tensor = walk.tensor(node)
    asked = [int(size) for size in walk.need(node, 1).reshape(-1)]
    allow_zero = bool(node.attributes.get("allowzero", 0))
    try:
        if not asked or (asked[0] not in (-1, 1) and (asked[0] or allow_zero)):
            raise ValueError(f"to {asked}: its first axis is not that of the events")
        # One event stands for all.
        shape = target_shape((1, *tensor.shape), asked, allow_zero)
        if shape[0] != 1:
            raise ValueError(f"to {asked}: it mixes events")
    except (ValueError, IndexError) as error:
        raise ModelError(Blocker(node.where, f"reshapes {tensor.shape} {error}")) from error
    _reshaped(walk, node, tensor, shape[1:])


def read_squeeze(walk: Walk, node: Node) -> None:
    """Squeeze of axes of size 1."""
    tensor = walk.tensor(node)
    rank = len(tensor.shape)
    constants = [walk.constants.get(name) for name in node.inputs]
    given = axes_of(node, constants)
    axes = [at + 1 for at, size in enumerate(tensor.shape) if size == 1] if given is None else given
    gone = {axis % (rank + 1) for axis in axes}
    if 0 in gone or any(tensor.shape[axis - 1] != 1 for axis in gone):
        raise ModelError(Blocker(node.where, f"removes the axes {axes} of {tensor.shape}"))
    shape = tuple(size for at, size in enumerate(tensor.shape) if at + 1 not in gone)
    _reshaped(walk, node, tensor, shape)


def read_unsqueeze(walk: Walk, node: Node) -> None:
    """Unsqueeze: new axes of size 1."""
    tensor = walk.tensor(node)
    axes = axes_of(node, [walk.constants.get(name) for name in node.inputs]) or ()
    rank = len(tensor.shape) + 1 + len(axes)
    new = {axis % rank for axis in axes}
    if 0 in new or not new:
        raise ModelError(Blocker(node.where, f"puts axes at {axes}", "keep the batch in front"))
    sizes = iter(tensor.shape)
    shape = tuple(1 if axis in new else next(sizes) for axis in range(1, rank))
    _reshaped(walk, node, tensor, shape)


def _reshaped(walk: Walk, node: Node, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """The same elements, in the order of ONNX, in another shape."""
    if not shape:
        raise ModelError(Blocker(node.where, "leaves no axis", "keep one axis of size 1"))
    if shape == tensor.shape:
        walk.put(node, tensor)
        return
    layer = walk.in_order(node, tensor)
    if len(shape) == 1:
        if tensor.places > 1:
            layer = walk.emit(node, "Flatten", [layer], {})
    else:
        layer = walk.emit(node, "Reshape", [layer], {"target_shape": list(shape)})
    walk.put(node, Tensor(layer, shape, tuple(range(len(shape)))))


def read_transpose(walk: Walk, node: Node) -> None:
    """Transpose: axes are looked for elsewhere, and nothing moves yet."""
    tensor = walk.tensor(node)
    rank = len(tensor.shape) + 1
    order = tuple(node.attributes.get("perm", range(rank - 1, -1, -1)))
    if sorted(order) != list(range(rank)) or order[0] != 0:
        raise ModelError(Blocker(node.where, f"perm {list(order)}", "keep the batch in front"))
    shape = tuple(tensor.shape[axis - 1] for axis in order[1:])
    axes = tuple(tensor.axes[axis - 1] for axis in order[1:])
    walk.put(node, replace(tensor, shape=shape, axes=axes))
