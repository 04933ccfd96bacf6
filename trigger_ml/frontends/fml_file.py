"""hls4ml's own saved model, ``.fml``: read into plain data, without hls4ml and without its C++.

hls4ml 1.3 saves a converted ``ModelGraph`` with every type settled, and with the C++ of its
layers as text. That text, names of types and variables, paths and quantizers are not read: the
C++ is made anew from numbers, words out of lists, and names of layers that are identifiers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.fml_archive import ARCHITECTURE, CONFIG, STATE, VERSION, FmlArchive
from trigger_ml.frontends.fml_layers import SavedLayer, read_layer
from trigger_ml.frontends.fml_shapes import shape_problems
from trigger_ml.frontends.model_file import Layer, name_problems, read_bytes
from trigger_ml.frontends.reserved import TAKEN_WORDS

__all__ = ["FmlFile", "read_fml"]

LAYOUT: Final = "1"
"""hls4ml's own number of the format (``model_graph`` in version.json)."""
BACKENDS: Final = ("Vivado", "Vitis")
"""Those whose C++ the graph's operations repeat and whose passes are known here."""
MOST_INPUT_BITS: Final = 24
"""Inputs travel in single precision (IEEE 754 binary32)."""
MOST_TABLE_BITS: Final = 16
"""Bits of what is looked up: RTL has an entry for each value."""
MOST_LAYERS: Final = 2000
MOST_NAME: Final = 100
OWN_NAMES: Final = re.compile(r"layer\d+_out|[absw]\d+", re.ASCII)
"""What hls4ml's C++ calls its own arrays; it calls inputs by the names of their layers."""
TAILS: Final = ("softmax", "sigmoid")


@dataclass(frozen=True, slots=True, eq=False)
class FmlFile:
    """A saved graph. See :class:`trigger_ml.frontends.opened.ModelFile` for what all formats say.

    written_by: hls4ml's version. saved: all layers in evaluation order. outputs: names of layers.
    logits: those whose results firmware gives, the outputs themselves or what the tail reads.
    """

    path: Path
    sha256: str
    written_by: str
    backend: str
    saved: tuple[SavedLayer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    logits: tuple[str, ...]
    tail: str

    @property
    def layers(self) -> tuple[Layer, ...]:
        """In evaluation order, the tail left out."""
        return tuple(
            Layer(layer.name, layer.kind, layer.inputs, {})
            for layer in self.saved
            if not self.tail or layer.name not in self.outputs
        )

    @property
    def parameters(self) -> int:
        """Weights, biases and constants of normalizations."""
        return sum(array.size for layer in self.saved for array in layer.weights.values())

    @property
    def nonzero(self) -> int:
        """Those that hls4ml's C++ does not take for zero."""
        return sum(
            int(np.count_nonzero(array)) for layer in self.saved for array in layer.weights.values()
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the source witness is, and what hls4ml does to weights."""
        found = [
            "The source is hls4ml's own emulation of the saved graph, with the file's types and "
            "weights and C++ that was made anew. It shares code with the C simulation: the "
            "independent witnesses are the graph and the RTL."
        ]
        moved = sum(
            int((array != layer.weights[key]).sum())
            for layer in self.saved
            for key, array in layer.saved.items()
        )
        if moved:
            found.append(
                f"{moved:,} of {self.parameters:,} weights are not values of their types; "
                "hls4ml's C++ drops what does not fit, and so does the firmware."
            )
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """What the front-end process needs, but for the arrays."""
        return {
            "backend": self.backend,
            "layers": [layer.to_json() for layer in self.saved],
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "logits": list(self.logits),
            "tail": self.tail,
        }

    def write_arrays(self, path: Path) -> None:
        """The weights, "<layer>/<name>" as C++ holds them and "saved/<layer>/<name>" as saved."""
        arrays = {}
        for layer in self.saved:
            for key, array in layer.weights.items():
                arrays[f"{layer.name}/{key}"] = array
                arrays[f"saved/{layer.name}/{key}"] = layer.saved[key]
        np.savez(path, allow_pickle=False, **arrays)


def read_fml(path: Path) -> FmlFile:
    """Read a saved graph. Raises ModelError with everything that stands in the way."""
    data = read_bytes(path)
    archive = FmlArchive(data, path)
    documents = archive.documents()
    blockers: list[Blocker] = []
    version = documents[VERSION]
    if version.get("model_graph") != LAYOUT:
        what = f"has layout {str(version.get('model_graph'))[:20]!r}, {LAYOUT!r} is known"
        blockers.append(Blocker(str(path), what, "save it with hls4ml 1.3"))
    settings = documents[CONFIG].get("config")
    settings = settings if isinstance(settings, dict) else {}
    blockers += _setting_problems(settings, path)
    if blockers:
        # Every layer of another layout or interface is wrong in the same way.
        raise ModelError(blockers)
    layers, blockers = _layers(documents[ARCHITECTURE], archive)
    if blockers:
        raise ModelError(blockers)
    inputs, outputs = _ends(documents[STATE], layers, path)
    wired = _wired(layers)
    blockers += [*_network_problems(wired, inputs, outputs), *shape_problems(wired)]
    if blockers:
        raise ModelError(blockers)
    logits, tail = _cut(wired, outputs)
    blockers += _limits(wired, tail, outputs)
    if blockers:
        raise ModelError(blockers)
    written_by = re.sub(r"[^0-9A-Za-z.+]", "", str(version.get("hls4ml", ""))[:30])
    backend = str(settings["Backend"])
    digest = hashlib.sha256(data).hexdigest()
    return FmlFile(path, digest, written_by, backend, wired, inputs, outputs, logits, tail)


def _setting_problems(settings: Mapping[str, Any], path: Path) -> Iterator[Blocker]:
    backend, io_type = settings.get("Backend"), settings.get("IOType")
    if backend not in BACKENDS:
        what = f"was converted for the backend {str(backend)[:40]!r}"
        yield Blocker(str(path), what, f"convert it for {' or '.join(BACKENDS)}")
    if io_type != "io_parallel":
        what = f"was converted with io_type {str(io_type)[:40]!r}, whose columns are not read yet"
        fix = "convert it with io_type='io_parallel', or compile the model that hls4ml converted"
        yield Blocker(str(path), what, fix)


def _layers(
    architecture: Mapping[str, Any], archive: FmlArchive
) -> tuple[list[SavedLayer], list[Blocker]]:
    if not 0 < len(architecture) <= MOST_LAYERS:
        what = f"holds {len(architecture)} layers, 1 to {MOST_LAYERS} are read"
        raise ModelError(Blocker(str(archive.path), what))
    blockers = [
        Blocker(f"layer {name[:80]}...", "its name is too long", "rename the layer")
        for name in architecture
        if len(name) > MOST_NAME
    ] or name_problems(list(architecture))
    found = []
    for name, data in architecture.items():
        try:
            found.append(read_layer(name, data, archive))
        except BlockedError as error:
            blockers += error.blockers
    return found, blockers


def _ends(
    state: Mapping[str, Any], layers: list[SavedLayer], path: Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the layers that are inputs and outputs. Raises ModelError."""
    owners = {layer.output: layer.name for layer in layers}
    ends = []
    for key in ("inputs", "outputs"):
        names = state.get(key)
        known = isinstance(names, list) and all(
            isinstance(name, str) and name in owners for name in names
        )
        if not known or not names or len(set(names)) != len(names):
            what = f"its {key} are no results of its layers"
            raise ModelError(Blocker(str(path), what, "save it again"))
        ends.append(tuple(owners[name] for name in names))
    return ends[0], ends[1]


def _wired(layers: list[SavedLayer]) -> tuple[SavedLayer, ...]:
    """The layers, each naming the layers that it reads instead of their results."""
    owners = {layer.output: layer.name for layer in layers}
    return tuple(
        replace(layer, inputs=tuple(owners.get(name, name) for name in layer.inputs))
        for layer in layers
    )


def _network_problems(
    layers: tuple[SavedLayer, ...], inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> Iterator[Blocker]:
    known: set[str] = set()
    read = {name for layer in layers for name in layer.inputs} | {*outputs}
    if len({layer.output for layer in layers}) != len(layers):
        yield Blocker("layers", "two of them give the same result", "save it again")
    for layer in layers:
        where = f"layer {layer.name}"
        for name in layer.inputs:
            if name not in known:
                yield Blocker(where, f"reads {name[:80]}, which is not before it", "save it again")
        if layer.name not in read:
            yield Blocker(where, "nothing reads it, and it is not an output")
        is_input = layer.kind == "Input"
        if is_input != (layer.name in inputs):
            yield Blocker(where, "is an input in one place and not in the other", "save it again")
        if is_input and layer.name in outputs:
            yield Blocker(where, "is an input and an output", "save it again")
        if is_input and (layer.name.lower() in TAKEN_WORDS or OWN_NAMES.fullmatch(layer.name)):
            yield Blocker(where, "C++ has another meaning for this name", "rename the input")
        known.add(layer.name)


def _cut(layers: tuple[SavedLayer, ...], outputs: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """What firmware gives, and the function behind it that it leaves out."""
    by_name = {layer.name: layer for layer in layers}
    last = by_name[outputs[-1]]
    function = last.values.get("activation")
    if len(outputs) != 1 or function not in TAILS or last.kind not in ("Softmax", "Activation"):
        return outputs, ""
    logits = by_name[last.inputs[0]]
    while logits.kind == "Reshape":
        logits = by_name[logits.inputs[0]]
    return (outputs, "") if logits.kind == "Input" else ((logits.name,), str(function))


def _limits(
    layers: tuple[SavedLayer, ...], tail: str, outputs: tuple[str, ...]
) -> Iterator[Blocker]:
    """What is a network and has no firmware."""
    by_name = {layer.name: layer for layer in layers}
    for layer in layers:
        where, width = f"layer {layer.name}", layer.type.fixed.width
        if layer.kind == "Input" and width > MOST_INPUT_BITS:
            what = f"inputs of {width} bits do not fit single precision"
            yield Blocker(where, what, f"give the input a type of at most {MOST_INPUT_BITS} bits")
        if tail and layer.name in outputs:
            continue
        if layer.kind == "Softmax":
            what = "a softmax within a network that hls4ml converted has no firmware here"
            fix = "put it last, or train it as hgq.layers.QSoftmax and compile the HGQ2 file"
            yield Blocker(where, what, fix)
        if layer.values.get("activation") in ("tanh", "sigmoid"):
            read = by_name[layer.inputs[0]].type.fixed.width
            if read > MOST_TABLE_BITS:
                what = f"a table for inputs of {read} bits; {MOST_TABLE_BITS} is the most"
                fix = f"set the Precision result of {layer.inputs[0]}, and convert it again"
                yield Blocker(where, what, fix)
