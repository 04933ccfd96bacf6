"""Where the weights of a layer lie in a file, when the layer has another name or place there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import h5py

from trigger_ml.frontends.model_file import Layer

__all__ = ["ORIGIN", "Origin", "Step", "group_of_origin", "names_of_origin", "origin_of"]

ORIGIN: Final = "origin"
"""Key of a layer's origin in its parameters, until its weights are known."""
DENSE: Final = ("kernel", "bias")
_SEPARABLE: Final = ("depthwise_kernel", "pointwise_kernel", "bias")
_NORMALIZATION: Final = ("gamma", "beta", "moving_mean", "moving_variance")
ARRAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "BatchNormalization": _NORMALIZATION,
    "QBatchNormalization": _NORMALIZATION,
    "PReLU": ("alpha",),
    **{f"{q}SeparableConv{n}D": _SEPARABLE for q in ("", "Q") for n in (1, 2)},
}
"""Names that Keras 3 gives the arrays of layers; other layers with weights have those of DENSE."""


@dataclass(frozen=True, slots=True)
class Step:
    """A layer within a model. key: what Keras 3 calls its group. wrappers: layers around it,
    each of which holds the next one."""

    name: str
    key: str
    wrappers: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Steps from the outermost model to a layer. steps_of_time: how many axes of what it reads
    TimeDistributed takes away, where the layer computes for each of their places."""

    steps: tuple[Step, ...]
    steps_of_time: int = 0


def origin_of(config: Mapping[str, Any]) -> Origin | None:
    """That of a layer or an item of an architecture; what a file puts in its place is none."""
    found = config.get(ORIGIN)
    return found if isinstance(found, Origin) else None


def names_of_origin(layer: Layer, names: Sequence[str]) -> list[str]:
    """Those of a layer's own arrays among the names in the group of the outermost layer.

    Raises ValueError where layers of one name cannot be told apart.
    """
    origin = origin_of(layer.config)
    if origin is None or len(origin.steps) == 1:
        return list(names)
    path = [step.name for step in origin.steps]
    if not any("/" in name for name in names):
        # Keras 3.0 to 3.2 wrote no layer into them, so no two layers could have an array of one
        # name.
        own = ARRAYS.get(layer.kind, DENSE if "use_bias" in layer.config else ())
        return [name for name in names if name in own]
    found = {name: tuple(name.split("/")[:-1]) for name in names}
    found = {name: parts for name, parts in found.items() if path[-1] in parts}
    places = {parts[: parts.index(path[-1]) + 1] for parts in found.values()}
    if len(places) > 1:
        places &= {tuple(path)}
    if len(places) != 1:
        if not places and not found:
            return []
        raise ValueError(f"several layers are named {path[-1]} in {path[0]}")
    (place,) = places
    return [name for name, parts in found.items() if parts[: len(place)] == place]


def group_of_origin(file: h5py.Group, origin: Origin) -> Any:
    """The group of a layer in a ``model.weights.h5``; an empty one where it has none."""
    group: Any = file
    for step in origin.steps:
        layers = group.get("layers", {})
        keys = dict(_named(layers))
        group = layers.get(keys.get(step.name, step.key), {})
        for _ in range(step.wrappers):
            group = group.get("layer", {})
    return group


def _named(layers: Any) -> Iterator[tuple[str, str]]:
    """Names that Keras 3.6 and later gives the layers of a model, and their groups."""
    for key, group in layers.items():
        name = group.get("vars", {}) and group["vars"].attrs.get("name")
        if name:
            yield (name.decode() if isinstance(name, bytes) else str(name)), key
