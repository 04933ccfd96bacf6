"""What a model makes of the very numbers that hls4ml's default conversion shows of each layer.

Runs in the front-end process of Keras models. A layer that is given the same numbers as hls4ml's
and says something else is where the conversion is wrong; one that only reads wrong numbers is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.default_conversion import default_conversion, weight_types
from trigger_ml.frontends.default_matching import (
    matches,
    source_layers,
    split_activations,
)
from trigger_ml.frontends.folding import Arrays
from trigger_ml.frontends.keras_models import built
from trigger_ml.graph.types import FixedType

__all__ = ["DefaultSide", "evaluated"]

QUANTIZERS: Final = ("kernel_quantizer", "bias_quantizer", "depthwise_quantizer")
LINEAR: Final = ("weight", "bias")
AFFINE: Final = ("scale", "bias")
MOST_VALUES: Final = 2**24
"""Numbers of one layer in a batch of events."""

Array = NDArray[np.float32]


class DefaultSide:
    """The default conversion of a model, and the model layer by layer."""

    def __init__(self) -> None:
        self._layers: list[dict[str, Any]] = []
        self._arrays: dict[str, dict[str, NDArray[np.float64]]] = {}

    def convert(
        self, architecture: str, weights: Arrays, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """As :func:`trigger_ml.frontends.default_conversion.convert_by_default`.

        architecture: of the model with its last activation, in Keras' JSON.
        """
        project, answer = default_conversion(built(architecture, weights), request)
        self._layers = answer["layers"]
        self._arrays = {} if project is None else _cut_arrays(project)
        return answer

    def compare(
        self, architecture: str, weights: Arrays, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Results of the model for the layers of the last conversion.

        architecture: of what the conversion is held to. request: inputs, a file of flat rows;
        shown, a file of what hls4ml's layers and inputs gave, flat rows by their names; outputs,
        a file to write. It gets, by "<what>/<layer of hls4ml>": wanted, from the inputs; local,
        from the numbers that hls4ml's layers read; bare, the same before what was melted into the
        layer; weights, the same with the weights cut to hls4ml's types.

        Returns by layer of hls4ml: source, the model's layer; first, the first layer of those
        that were melted into it.
        """
        split = split_activations(architecture)
        model = built(split, weights)
        source = source_layers(split)
        found = matches(source, self._layers)
        ends = {match.source: name for name, match in found.items()}
        starts = {match.first: name for name, match in found.items()}
        rows: Array = np.load(request["inputs"])
        with np.load(request["shown"]) as arrays:
            shown = {name: arrays[name] for name in arrays.files}
        made: dict[str, list[NDArray[np.float64]]] = {}
        step = max(MOST_VALUES // max(prod(layer.output.shape[1:]) for layer in model.layers), 1)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            walk = _Walk(model, {name: values[part] for name, values in shown.items()})
            for name in walk.inputs(rows[part]):
                ends.pop(name, None)
            for layer in source:
                if layer.inputs:
                    cut = self._arrays.get(starts.get(layer.name, ""), {})
                    walk.step(layer, starts.get(layer.name), ends.get(layer.name), cut)
            for key, values in walk.made.items():
                made.setdefault(key, []).append(values)
        whole = {key: np.concatenate(parts) for key, parts in made.items()}
        np.savez(request["outputs"], allow_pickle=False, **whole)
        return {
            "matches": {
                name: {"source": match.source, "first": match.first}
                for name, match in found.items()
            }
        }


class _Walk:
    """Evaluates a model on some events, layer by layer.

    shown: what hls4ml gave. made: as :meth:`DefaultSide.compare` writes it.
    """

    def __init__(self, model: Any, shown: Mapping[str, NDArray[np.float64]]) -> None:
        self._model = model
        self._shown = shown
        self._right: dict[str, Any] = {}
        self._given: dict[str, Any] = {}
        self.made: dict[str, NDArray[np.float64]] = {}

    def inputs(self, rows: Array) -> list[str]:
        """Take flat rows, the inputs one after another; returns their names."""
        names, start = [], 0
        for tensor in self._model.inputs:
            shape = tuple(tensor.shape[1:])
            size = prod(shape)
            names.append(str(tensor.node.layer.name))
            values = rows[:, start : start + size].reshape(len(rows), *shape)
            self._right[names[-1]] = values
            self._given[names[-1]] = self._from_hls4ml(names[-1], values)
            start += size
        return names

    def step(
        self,
        layer: Any,
        first: str | None,
        end: str | None,
        cut: Mapping[str, NDArray[np.float64]],
    ) -> None:
        """Evaluate a layer. first, end: hls4ml's layer that begins and ends with it, or None."""
        own = self._model.get_layer(layer.name)
        self._right[layer.name] = own(_read(self._right, layer.inputs))
        reads = _read(self._given, layer.inputs)
        local = self._given[layer.name] = own(reads)
        if first is not None:
            self.made[f"bare/{first}"] = _flat(local)
            if cut:
                rough = _with_weights(own, reads, cut)
                if rough is not None:
                    self.made[f"weights/{first}"] = _flat(rough)
        if end is not None:
            self.made[f"wanted/{end}"] = _flat(self._right[layer.name])
            self.made[f"local/{end}"] = _flat(local)
            self._given[layer.name] = self._from_hls4ml(end, local)

    def _from_hls4ml(self, name: str, values: Any) -> Any:
        """What hls4ml gave of a layer in place of these values, where it can be seen."""
        known = self._shown.get(name)
        if known is None or known.size != prod(values.shape):
            return values
        return np.asarray(known, np.float32).reshape(tuple(values.shape))


def evaluated(architecture: str, weights: Arrays, file: str) -> NDArray[np.float64]:
    """What a model says of a file of flat rows, in flat rows. architecture: in Keras' JSON."""
    model = built(architecture, weights)
    rows: Array = np.load(file)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    ends = np.cumsum([prod(shape) for shape in shapes])[:-1]
    parts = [
        part.reshape(len(rows), *shape)
        for part, shape in zip(np.split(rows, ends, axis=1), shapes, strict=True)
    ]
    outputs = model.predict(parts, verbose=0)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return np.concatenate([_flat(part) for part in outputs], axis=1)


def _read(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    reads = [values[name] for name in names]
    return reads if len(reads) > 1 else reads[0]


def _flat(values: Any) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    return array.reshape(len(array), -1)


def _cut_arrays(project: Any) -> dict[str, dict[str, NDArray[np.float64]]]:
    """By layer, its weights as the C++ holds them, in the order in which Keras has them."""
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    for layer in project.get_layers():
        types = weight_types(layer)
        if not types or not all(types.values()) or layer.get_attr("_weights_transposed", False):
            continue
        found[layer.name] = {}
        for name, text in types.items():
            kind, values = FixedType.parse(text), np.asarray(layer.weights[name].data, np.float64)
            found[layer.name][name] = kind.decode(kind.encode(values))
    return found


def _with_weights(layer: Any, reads: Any, cut: Mapping[str, NDArray[np.float64]]) -> Any:
    """What a layer makes of numbers with these weights, None where it has others."""
    kind = type(layer).__name__
    if kind in ("BatchNormalization", "QBatchNormalization"):
        if set(AFFINE) - set(cut):
            return None
        width = np.shape(reads)[-1]
        if any(cut[name].size != width for name in AFFINE):
            return None
        scale, bias = (cut[name].reshape(-1) for name in AFFINE)
        return np.asarray(reads, np.float64) * scale + bias
    stored = layer.get_weights()
    if "weight" not in cut and not set(AFFINE) - set(cut) and len(stored) == len(LINEAR):
        # hls4ml moves the bias of a layer with a scale behind that scale.
        quantizer = getattr(layer, "bias_quantizer_internal", None)
        bias = np.asarray(stored[1] if quantizer is None else quantizer(stored[1]), np.float64)
        if cut["bias"].size != bias.size:
            return None
        return np.asarray(layer(reads), np.float64) - bias + cut["bias"].reshape(-1)
    names = LINEAR[: len(stored)]
    added = cut["bias"].reshape(-1) if names == LINEAR[:1] and "bias" in cut else 0.0
    if not stored or len(stored) > len(LINEAR) or any(name not in cut for name in names):
        return None
    if any(cut[name].size != values.size for name, values in zip(names, stored, strict=True)):
        return None
    with _plain(layer):
        layer.set_weights(
            [
                cut[name].reshape(values.shape).astype(np.float32)
                for name, values in zip(names, stored, strict=True)
            ]
        )
        try:
            return np.asarray(layer(reads), np.float64) + added
        finally:
            layer.set_weights(stored)


@contextmanager
def _plain(layer: Any) -> Iterator[None]:
    """A layer without the quantizers of its weights."""
    keys = [key for name in QUANTIZERS for key in (name, f"{name}_internal")]
    before = {key: getattr(layer, key) for key in keys if hasattr(layer, key)}
    try:
        for key in before:
            setattr(layer, key, None)
        yield
    finally:
        for key, value in before.items():
            setattr(layer, key, value)
