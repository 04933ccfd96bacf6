"""What versions of Keras write in another way than the others, or wrongly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.keras_calls import calls_of, ends_of

__all__ = ["VERSION", "keras_version", "lost_uses", "spelled_alike"]

VERSION: Final = "keras_version"
"""Key of the version that wrote an architecture, beside the architecture."""
LOSING: Final = "3.2."
"""Versions whose ``serialize_node`` (keras/src/models/functional.py) counts every use of a layer
as one of another model, and so writes use 0 for all of them. 3.1 and 3.3 do not."""
MOST_DEPTH: Final = 16
_FIX: Final = (
    "build the model again from its own code in another version of Keras, load_weights of this "
    "file, and save it"
)


def keras_version(members: Mapping[str, bytes]) -> str:
    """The version that a ``.keras`` file says, or "". members: of the zip, by name."""
    try:
        metadata = json.loads(members.get("metadata.json", b"{}"))
    except (ValueError, RecursionError):
        return ""
    return str(metadata.get(VERSION) or "") if isinstance(metadata, dict) else ""


def spelled_alike(item: dict[str, Any]) -> Any:
    """An object of an architecture's JSON as later versions of Keras write it.

    Before 2.2.3 a Sequential model is the list of its layers. Keras 2 writes numbers of NumPy, a
    slope for one, as an array (``get_json_type``), in HDF5 files alone.
    """
    if item.keys() == {"type", "value"} and item["type"] == "ndarray":
        return item["value"]
    if item.get("class_name") == "Sequential" and isinstance(item.get("config"), list):
        name = item.get("name", "sequential")
        return {**item, "config": {"name": name, "layers": item["config"]}}
    return item


def lost_uses(config: Mapping[str, Any]) -> list[Blocker]:
    """A blocker for each layer that is used again, where the file has lost which use is read.

    config: an architecture, with the version that wrote it under :data:`VERSION` where it is
    known. Where it is not (JSON of Keras 3), a use that nothing reads tells.
    """
    version = str(config.get(VERSION) or "")
    if version and not version.startswith(LOSING):
        return []
    writer = f"Keras {version}" if version else "Keras 3.2"
    what = f"is used more than once, and {writer} writes of what is behind it that it reads use 1"
    return [Blocker(f"layer {name}", what, _FIX) for name in _lost(config, bool(version), 0)]


def _lost(config: Mapping[str, Any], known: bool, depth: int) -> Iterator[str]:
    inner = config.get("config")
    items = inner.get("layers") if isinstance(inner, Mapping) else None
    if not isinstance(items, list) or depth > MOST_DEPTH:
        return
    layers = [item for item in items if isinstance(item, Mapping) and "config" in item]
    yield from _lost_here(inner, layers, known)
    for item in layers:
        yield from _lost(item, known, depth + 1)


def _lost_here(inner: Any, layers: list[Any], known: bool) -> Iterator[str]:
    again = [item for item in layers if _uses(item) > 1]
    if not again:
        return
    if known:
        yield from (str(item["config"].get("name")) for item in again)
        return
    try:
        read = {tensor for item in layers for call in calls_of(item) for tensor in call.tensors}
    except (ModelError, AttributeError):
        return
    read |= set(ends_of(inner.get("output_layers")) or ())
    for item in again:
        name = str(item["config"].get("name"))
        if {tensor.use for tensor in read if tensor.layer == name} == {0}:
            yield name


def _uses(item: Mapping[str, Any]) -> int:
    """How often Keras 3 says that a layer is used."""
    nodes = item.get("inbound_nodes")
    nodes = nodes if isinstance(nodes, list) else []
    return len(nodes) if all(isinstance(node, Mapping) for node in nodes) else 0
