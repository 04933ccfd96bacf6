"""Keras models on disk, read without Keras: what is in them, and what stands in the way.

Three kinds of files: a whole model in HDF5 (``.h5``, written by Keras 2 or 3), an architecture
in JSON beside an HDF5 file of weights, and the zip of Keras 3 (``.keras``). All blockers are found
in one pass.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import h5py

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.fml_archive import GZIP_START
from trigger_ml.frontends.hdf5_copy import copied
from trigger_ml.frontends.keras_ages import VERSION, keras_version, lost_uses, spelled_alike
from trigger_ml.frontends.keras_config import LayerReader, read_layers
from trigger_ml.frontends.keras_folding import fold
from trigger_ml.frontends.keras_images import layer_shapes, streamable
from trigger_ml.frontends.keras_layers import read_layer
from trigger_ml.frontends.keras_merges import settle_shapes
from trigger_ml.frontends.keras_nested import Flattened, flattened
from trigger_ml.frontends.keras_network import KerasNetwork, Weights, cut_tail
from trigger_ml.frontends.keras_operations import with_plain_operations
from trigger_ml.frontends.keras_quantizers import own_activations
from trigger_ml.frontends.keras_rectifiers import expanded_slopes
from trigger_ml.frontends.keras_rewrites import rewritten, without_origins
from trigger_ml.frontends.keras_streams import stream_problems
from trigger_ml.frontends.keras_weights import (
    broken_weights,
    keras2_weights,
    keras3_weights,
)
from trigger_ml.frontends.keras_zip import zip_members
from trigger_ml.frontends.known_part import Beyond, part_problems
from trigger_ml.frontends.model_file import BROKEN, Layer, first_line, read_bytes

__all__ = [
    "HDF5_START",
    "JSON_STARTS",
    "ZIP_START",
    "checked_network",
    "read_keras",
    "weights_beside",
]

HDF5_START: Final = b"\x89HDF"
ZIP_START: Final = b"PK"
JSON_STARTS: Final = (b"{", b'"{')
"""Of an architecture, which some programs write as JSON in a text of JSON."""
ZIP_MEMBERS: Final = ("config.json", "model.weights.h5")
WEIGHT_FILES: Final = ("{}_weights.h5", "{}.weights.h5", "{}.h5")
"""Where the weights of an architecture in JSON are looked for, by the stem of its name."""


Arrays = Callable[[list[Layer]], Weights]


def read_keras(
    path: Path,
    reader: LayerReader = read_layer,
    *,
    parallel: bool = False,
    shaped: bool | None = None,
    written_out: bool | None = None,
    beyond: Beyond | None = None,
) -> KerasNetwork:
    """Read and check a model file of plain Keras or QKeras layers.

    reader: says which layers may be in it. parallel: it becomes one flat pipeline, even where it
    could be a stream of columns. shaped: the layers have to fit each other's shapes; None for
    those of ``read_layer`` alone. written_out: every use of a layer becomes a layer, and what Keras
    has one layer for may become several; None likewise. beyond: more checks of what can be read
    where some layers are refused, so that all is told at once. Raises ModelError with everything in
    it that cannot become firmware.
    """
    data = read_bytes(path)
    if path.suffix.lower() == ".onnx":
        fix = "build the network in Keras and copy its weights (docs/pytorch.md)"
        raise ModelError(Blocker(str(path), "is ONNX, and only Keras files are read here", fix))
    if data.startswith(GZIP_START):
        fix = "give the model that hls4ml converted; compile and inspect take .fml"
        raise ModelError(Blocker(str(path), "is packed, and only Keras files are read here", fix))
    if data.startswith(ZIP_START):
        config, weights = _read_zip(data, path)
    elif data.startswith(JSON_STARTS):
        config = _parsed(data, path)
        beside = weights_beside(path)
        weights = _read_hdf5(beside, config=False)[1]
        data += beside.read_bytes()
    else:
        config, weights = _read_hdf5(path, config=True)
    digest = hashlib.sha256(data).hexdigest()
    return checked_network(
        config,
        path,
        digest,
        weights,
        reader,
        parallel=parallel,
        shaped=shaped,
        written_out=written_out,
        beyond=beyond,
    )


def checked_network(
    config: Mapping[str, Any],
    path: Path,
    sha256: str,
    weights: Arrays,
    reader: LayerReader = read_layer,
    *,
    parallel: bool = True,
    shaped: bool | None = None,
    written_out: bool | None = None,
    beyond: Beyond | None = None,
) -> KerasNetwork:
    """The network that an architecture describes, as Keras writes it, whatever file it is from.

    weights: reads those of the layers. parallel: do not look for what a stream of columns cannot
    hold. shaped, written_out, beyond: as of :func:`read_keras`. Raises ModelError with everything
    that is wrong.
    """
    written_out = reader is read_layer if written_out is None else written_out
    flat = _flat(config, copies=written_out)
    layers, outputs, blockers = read_layers(flat.config, path, reader)
    shapes: Mapping[str, tuple[int, ...]] = {}
    arrays, unread = _stored(weights, layers, path)
    notes, whole = flat.notes, layers
    if not blockers and written_out:
        plain = rewritten(layers, arrays, floats=reader is not read_layer)
        layers, arrays, notes = plain.layers, plain.weights, (*notes, *plain.notes)
        # Without its weights a layer may be refused for nothing.
        blockers += [] if unread else plain.blockers
        whole = [layer for layer in layers if layer.name not in plain.lost]
    if (not blockers or whole != layers) and (reader is read_layer if shaped is None else shaped):
        # Other readers are for networks that become firmware later, and in another form.
        shapes, wrong = layer_shapes(whole)
        blockers += wrong
        if not parallel and whole == layers and streamable(layers, outputs):
            blockers += stream_problems(layers, arrays)
        layers = layers if blockers or unread else settle_shapes(layers, shapes)
    layers = without_origins(layers)
    blockers += unread
    arrays, wrong = expanded_slopes(layers, shapes, arrays)
    blockers += wrong + broken_weights(arrays)
    folded = fold(layers, arrays)
    tail = ""
    if not blockers:
        layers, arrays, blockers = folded.layers, folded.weights, folded.blockers
        blockers += broken_weights(arrays)
    if not blockers:
        layers, tail, blockers = cut_tail(layers, outputs)
    if not blockers:
        layers, outputs, blockers = own_activations(layers, outputs)
    if blockers:
        if reader is read_layer:
            blockers += part_problems(layers, outputs, arrays, blockers, beyond)
        raise ModelError(blockers)
    name = str(config["config"].get("name") or "model")
    several = outputs if len(outputs) > 1 else ()
    notes = (*notes, *folded.notes)
    return KerasNetwork(path, sha256, name, tuple(layers), tail, arrays, several, notes)


def _flat(config: Mapping[str, Any], *, copies: bool) -> Flattened:
    """The architecture in plain layers. copies: layers may be used again, and lie in wrappers.

    Raises ModelError where it cannot be written so.
    """
    flat = flattened(with_plain_operations(config), wrappers=copies)
    blockers = lost_uses(config) or list(flat.blockers)
    if not copies:
        # Training them would give each copy weights of its own.
        fix = "give each use its own layer"
        blockers += [
            Blocker(f"layer {name}", "is used more than once", fix) for name in flat.copies
        ]
    if blockers:
        raise ModelError(blockers)
    return flat


def _stored(weights: Arrays, layers: list[Layer], path: Path) -> tuple[Weights, list[Blocker]]:
    """The weights that the file holds, or why they cannot be read."""
    try:
        return weights(layers), []
    except BROKEN as error:
        what = f"its weights cannot be read: {first_line(error)}"
        return {}, [Blocker(str(path), what, "is the file whole?")]


def weights_beside(path: Path) -> Path:
    """The file of weights that belongs to an architecture in JSON. Raises ModelError."""
    names = [name.format(path.stem) for name in WEIGHT_FILES]
    for name in names:
        if (path.parent / name).is_file():
            return path.parent / name
    what = "is an architecture, and its weights are not beside it"
    raise ModelError(Blocker(str(path), what, f"put them there as {' or '.join(names)}"))


def _read_hdf5(path: Path, config: bool) -> tuple[dict[str, Any], Arrays]:
    """Architecture, where it is asked for, and weights by layer."""
    try:
        copy = io.BytesIO(copied(path.read_bytes()))
        with h5py.File(copy, "r") as file:
            read = _model_config(file, path) if config else {}
            if config and "model_weights" not in file:
                raise ModelError(Blocker(str(path), "holds no weights", "save the whole model"))
    except BROKEN as error:
        raise ModelError(
            Blocker(str(path), f"cannot be read as HDF5: {first_line(error)}", "is the file whole?")
        ) from error

    def weights(layers: list[Layer]) -> Weights:
        with h5py.File(copy, "r") as file:
            if "layers" in file and "model_weights" not in file:
                return keras3_weights(file, layers)
            return keras2_weights(file.get("model_weights", file), layers)

    return read, weights


def _model_config(file: h5py.File, path: Path) -> dict[str, Any]:
    text = file.attrs.get("model_config")
    if text is None:
        what, fix = "holds weights and no architecture", "save the whole model: model.save"
        raise ModelError(Blocker(str(path), what, f"{fix}('model.h5')"))
    config = _parsed(text if isinstance(text, bytes) else str(text).encode(), path)
    version = file.attrs.get("keras_version")
    found = version.decode() if isinstance(version, bytes) else version
    return {VERSION: str(found or ""), **config}


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(text, object_hook=spelled_alike)
        if isinstance(config, str):
            config = json.loads(config, object_hook=spelled_alike)
    except (ValueError, RecursionError) as error:
        raise ModelError(Blocker(str(path), "its architecture is not JSON")) from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise ModelError(Blocker(str(path), "its architecture describes no model"))
    return config


def _read_zip(data: bytes, path: Path) -> tuple[dict[str, Any], Arrays]:
    members = zip_members(data, path, ZIP_MEMBERS, optional=("metadata.json",))
    try:
        copy = io.BytesIO(copied(members["model.weights.h5"]))
    except BROKEN as error:
        raise ModelError(
            Blocker(str(path), f"cannot be read as .keras: {first_line(error)}", "is it whole?")
        ) from error

    def weights(layers: list[Layer]) -> Weights:
        with h5py.File(copy, "r") as file:
            return keras3_weights(file, layers)

    config = _parsed(members["config.json"], path)
    return {VERSION: keras_version(members), **config}, weights
