"""Follow the shapes through a chain of HGQ2 layers: what fits, and what would not be exact."""

from __future__ import annotations

from collections.abc import Sequence

from trigger_ml.errors import Blocker
from trigger_ml.frontends.keras_v3_layers import WITH_WEIGHTS
from trigger_ml.frontends.model_file import TAIL, Layer

__all__ = ["shape_problems"]

Shape = tuple[int, ...]


def shape_problems(layers: Sequence[Layer]) -> list[Blocker]:
    """What is wrong with a chain whose tail is cut off: shapes, missing quantizers, means."""
    blockers = [
        Blocker(
            f"layer {layer.name}",
            f"{layer.config['activation']} in the middle of a network has no exact firmware here",
            "use relu",
        )
        for layer in layers
        if layer.config.get("activation") in TAIL
    ]
    if not any(layer.kind in WITH_WEIGHTS for layer in layers):
        blockers.append(Blocker("model", "has no layer with weights", "there is nothing to build"))
    first = layers[1] if len(layers) > 1 else layers[0]
    if first.kind != "Quantizer" and not first.config.get("enable_iq"):
        blockers.append(
            Blocker(
                f"layer {layers[0].name}",
                "nothing says which fixed-point type the inputs have",
                "put hgq.layers.Quantizer first, or give the first layer enable_iq=True",
            )
        )
    shape: Shape = tuple(layers[0].config["batch_shape"][1:])
    for layer in layers[1:]:
        after, problem = _step(layer, shape)
        if problem is not None:
            return [*blockers, problem]
        shape = after
    return blockers


def _step(layer: Layer, shape: Shape) -> tuple[Shape, Blocker | None]:
    """The shape after a layer, or why it cannot follow this shape."""
    where = f"layer {layer.name}"
    match layer.kind:
        case "QDense" | "QBatchNormDense":
            if len(shape) != 1:
                fix = "use QEinsumDense, with an equation like bnc,cd->bnd"
                return shape, Blocker(where, f"reads a tensor of shape {shape}, not one axis", fix)
            return (int(layer.config["units"]),), None
        case "QEinsumDense" | "QEinsumDenseBatchnorm":
            return _einsum(layer, shape)
        case "QGlobalAveragePooling1D":
            if len(shape) != 2:
                return shape, Blocker(where, f"reads a tensor of shape {shape}, not two axes")
            if shape[0] & (shape[0] - 1):
                return shape, Blocker(
                    where,
                    f"a mean over {shape[0]} is not exact in binary fractions",
                    "pad the axis with zeros to a power of two",
                )
            return shape[1:], None
        case _:
            return shape, None


def _einsum(layer: Layer, shape: Shape) -> tuple[Shape, Blocker | None]:
    equation, sizes = str(layer.config["equation"]), tuple(layer.config["output_shape"])
    reads, makes = equation.split(",")[0][1:], equation.split("->")[1][1:]
    where = f"layer {layer.name}"
    if len(reads) != len(shape) or len(makes) != len(sizes):
        what = f"equation {equation} does not fit the shapes {shape} and {sizes}"
        return shape, Blocker(where, what)
    known = dict(zip(reads, shape, strict=True))
    for axis, size in zip(makes, sizes, strict=True):
        if known.get(axis, size) != size:
            what = f"axis {axis} has size {known[axis]} before and {size} after it"
            return shape, Blocker(where, what)
    return sizes, None
