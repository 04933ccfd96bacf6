"""What the readers of all model file formats share: a layer, names, wiring, the last activation."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.foreign_files import foreign_file, foreign_folder

__all__ = [
    "BROKEN",
    "TAIL",
    "Layer",
    "first_line",
    "input_names",
    "input_shape",
    "name_problems",
    "read_bytes",
    "well_formed",
    "wiring_problems",
]

TAIL: Final = ("softmax", "sigmoid")
"""Last activations that firmware leaves out by default: a trigger compares the logits."""


BROKEN: Final = (
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    RecursionError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile, json and h5py raise on files that are not whole."""
RESERVED: Final = ("input", "output_data", "input_data")
"""Names that hls4ml's C++ takes for its own."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: name, class, what it reads, and the parameters that matter."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    config: Mapping[str, Any]


def read_bytes(path: Path) -> bytes:
    """A model file's content. Raises ModelError where it is empty, or of no format read here."""
    if path.is_dir():
        raise ModelError(foreign_folder(path))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(Blocker(str(path), f"cannot be read: {error.strerror}")) from error
    if not data:
        raise ModelError(Blocker(str(path), "is empty", "save the model again"))
    if (foreign := foreign_file(data, path)) is not None:
        raise ModelError(foreign)
    return data


def first_line(error: BaseException) -> str:
    """What an exception says, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0]


def input_shape(config: Mapping[str, Any]) -> Any:
    """Shape of an input layer with its batch axis, under the name of Keras 2 or of Keras 3."""
    return config.get("batch_input_shape", config.get("batch_shape"))


@contextmanager
def well_formed(where: str) -> Iterator[None]:
    """Make a ModelError of what plain code raises on a value of another kind than it expects.

    Around the reading of one layer: its file may hold anything, in any place.
    """
    try:
        yield
    except (TypeError, AttributeError, LookupError, ValueError, OverflowError) as error:
        what = f"its parameters make no sense: {first_line(error)[:80]}"
        raise ModelError(Blocker(where, what, "save the model again")) from error


def name_problems(names: Sequence[str]) -> list[Blocker]:
    """A blocker for each layer name that hls4ml or its C++ cannot take."""
    found = []
    lower: dict[str, str] = {}
    for name in names:
        where = f"layer {name}"
        if not _is_identifier(name):
            found.append(Blocker(where, "this name cannot be a C++ identifier", "rename the layer"))
        elif name.lower() in RESERVED:
            found.append(Blocker(where, "hls4ml cannot use this name", "rename the layer"))
        elif name.lower() in lower:
            other = lower[name.lower()]
            found.append(Blocker(where, f"hls4ml takes it for {other}", "rename one of them"))
        lower[name.lower()] = name
    return found


def _is_identifier(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None


def input_names(inputs: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Other names for input layers whose own hls4ml or its C++ cannot take; no weights have them.

    inputs: names of the input layers. names: of all layers.
    """
    taken = {name.lower() for name in names}
    renamed: dict[str, str] = {}
    for name in inputs:
        if _is_identifier(name) and name.lower() not in RESERVED:
            continue
        made = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "input"
        made = made if made[0].isalpha() else f"input_{made}"
        made = f"{made}_layer" if made.lower() in RESERVED else made
        while made.lower() in taken:
            made += "_q"
        taken.add(made.lower())
        renamed[name] = made
    return renamed


def wiring_problems(
    layers: Sequence[Layer], joins: Collection[str] = (), outputs: Collection[str] = ()
) -> list[Blocker]:
    """What keeps layers, in evaluation order, from being a network.

    joins: classes of layers that read two others; where there is none, only a chain is one.
    outputs: names of the layers whose results leave it; without them there may be one input, the
    first layer, and one output, the last.
    """
    found = []
    known: set[str] = set()
    read = {name for layer in layers for name in layer.inputs} | {*outputs}
    for position, layer in enumerate(layers):
        where = f"layer {layer.name}"
        for name in layer.inputs:
            if name not in known:
                found.append(Blocker(where, f"reads {name}, which is not before it"))
        is_input = layer.kind == "InputLayer"
        expected = 0 if is_input else 2 if layer.kind in joins else 1
        misplaced = not is_input if position == 0 else is_input and not outputs
        if misplaced or len(layer.inputs) != expected:
            found.append(Blocker(where, *_wiring_rule(layer, joins)))
        elif layer.name not in read and (outputs or position < len(layers) - 1):
            last = "an output" if outputs else "the last layer"
            found.append(Blocker(where, f"nothing reads it, and it is not {last}"))
        known.add(layer.name)
    return found


def _wiring_rule(layer: Layer, joins: Collection[str]) -> tuple[str, str]:
    if layer.kind in joins:
        return f"reads {len(layer.inputs)} layers, hls4ml joins two", "nest the joins"
    if layer.kind != "InputLayer" and not layer.inputs:
        return "reads nothing, and is no input", "save the model again"
    if joins:
        return f"reads {len(layer.inputs)} layers, and takes one", "join them with a layer"
    return "only a chain of layers with one input can be compiled yet", "split the model"
