"""Keras layers that pool, stretch, pad and crop images and sequences: parameters and shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.keras_sizes import Shape, axis_order, places, rims, sizes_of
from trigger_ml.frontends.model_file import Layer

__all__ = ["WINDOW_READERS", "axes_of", "window_shape"]

Reader = Callable[[str, Mapping[str, Any]], dict[str, Any]]


def axes_of(kind: str) -> int:
    """Axes, without the channels, of what a class of layers reads: its name says it."""
    return int(kind[-2])


def _pooling(axes: int) -> Reader:
    def read(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Largest elements or means of windows. Raises ModelError."""
        where = f"layer {name}"
        blockers = axis_order(where, config)
        size = sizes_of(config.get("pool_size"), axes)
        strides = sizes_of(config.get("strides") or size, axes)
        padding = str(config.get("padding")).lower()
        if size is None:
            blockers.append(Blocker(where, f"pool_size {config.get('pool_size')!r}"))
        if strides is None and size is not None:
            blockers.append(Blocker(where, f"strides {config.get('strides')!r}"))
        if padding not in ("same", "valid"):
            blockers.append(Blocker(where, f"padding {padding!r}", "use same or valid"))
        return _done(blockers, name, pool_size=size, strides=strides, padding=padding)

    return read


def _global_pooling(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The largest element or the mean of everything, for each channel. Raises ModelError."""
    where = f"layer {name}"
    blockers = axis_order(where, config)
    if config.get("keepdims"):
        what = "keepdims has another shape in hls4ml 1.3"
        blockers.append(Blocker(where, what, "leave it out, and use Reshape after it"))
    return _done(blockers, name, keepdims=False)


def _stretching(axes: int) -> Reader:
    def read(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Every element several times. Raises ModelError."""
        where = f"layer {name}"
        blockers = axis_order(where, config)
        size, how = sizes_of(config.get("size"), axes), config.get("interpolation", "nearest")
        if size is None:
            blockers.append(Blocker(where, f"size {config.get('size')!r}"))
        if how != "nearest":
            blockers.append(Blocker(where, f"interpolation {how!r}", "use nearest"))
        if axes == 1:
            return _done(blockers, name, order=False, size=size[0] if size else None)
        return _done(blockers, name, size=size, interpolation="nearest")

    return read


def _rim(axes: int, key: str) -> Reader:
    def read(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """What is put around or taken off, before and after each axis. Raises ModelError."""
        where = f"layer {name}"
        blockers = axis_order(where, config)
        around = rims(config.get(key), axes)
        if around is None:
            blockers.append(Blocker(where, f"{key} {config.get(key)!r}"))
        if axes == 1:
            made: dict[str, Any] = {key: around[0] if around else None}
            return _done(blockers, name, order=False, **made)
        both: dict[str, Any] = {key: around}
        return _done(blockers, name, **both)

    return read


def _done(
    blockers: list[Blocker], name: str, *, order: bool = True, **parameters: Any
) -> dict[str, Any]:
    """Parameters of a layer. order: whether its class takes data_format."""
    if blockers:
        raise ModelError(blockers)
    if order:
        parameters["data_format"] = "channels_last"
    return {"name": name, **parameters, "dtype": "float32"}


WINDOW_READERS: Final[Mapping[str, Reader]] = {
    **{f"{kind}Pooling{axes}D": _pooling(axes) for kind in ("Max", "Average") for axes in (1, 2)},
    **{
        f"Global{kind}Pooling{axes}D": _global_pooling
        for kind in ("Max", "Average")
        for axes in (1, 2)
    },
    **{f"UpSampling{axes}D": _stretching(axes) for axes in (1, 2)},
    **{f"ZeroPadding{axes}D": _rim(axes, "padding") for axes in (1, 2)},
    **{f"Cropping{axes}D": _rim(axes, "cropping") for axes in (1, 2)},
}
"""Readers of these layers by class; each raises ModelError with everything that is wrong."""


def window_shape(layer: Layer, shape: Shape) -> Shape | Blocker:
    """Shape of what leaves one of these layers, or why it cannot be; sizes below 1 are none.

    shape: of what it reads, with as many axes as its class needs.
    """
    config, kind, axes = layer.config, layer.kind, axes_of(layer.kind)
    if kind.startswith("Global"):
        return _averaged(layer, shape, [prod(shape[:-1])], shape[-1:])
    if "Pooling" in kind:
        size, strides, padding = config["pool_size"], config["strides"], config["padding"]
        made = (*places(shape, size, strides, padding), shape[-1])
        counts = [1]
        for length, window, step in zip(shape, size, strides, strict=False):
            counts = [a * b for a in counts for b in _inside(length, window, step, padding)]
        return _averaged(layer, shape, counts, made)
    if kind.startswith("UpSampling"):
        factors = [config["size"]] if axes == 1 else config["size"]
        return (*(a * b for a, b in zip(shape, factors, strict=False)), shape[-1])
    key, sign = ("padding", 1) if kind.startswith("ZeroPadding") else ("cropping", -1)
    around = [config[key]] if axes == 1 else config[key]
    return (*(a + sign * sum(b) for a, b in zip(shape, around, strict=False)), shape[-1])


def _averaged(layer: Layer, shape: Shape, counts: list[int], made: Shape) -> Shape | Blocker:
    """The shape ``made``, or a blocker where a mean of so many elements is not exact."""
    odd = sorted({count for count in counts if count & (count - 1)})
    if "Average" not in layer.kind or not odd or min(made) < 1:
        return made
    what = f"a mean over {odd[0]} elements of {shape} is not exact in fixed point"
    fix = "use windows of 2, 4, 8 ... elements that fit, or the largest element"
    return Blocker(f"layer {layer.name}", what, fix)


def _inside(length: int, window: int, step: int, padding: str) -> list[int]:
    """Elements of an axis in each window along it, as TensorFlow places them."""
    if padding == "valid":
        return [window]
    count = -(-length // step)
    before = max((count - 1) * step + window - length, 0) // 2
    starts = [number * step - before for number in range(count)]
    return [min(start + window, length) - max(start, 0) for start in starts]
