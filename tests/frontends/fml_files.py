"""The tiny ``.fml`` taken apart, changed, and packed again."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["TINY", "documents", "members", "pack", "put", "strings", "with_document"]

TINY = Path(__file__).parents[1] / "data" / "tiny.fml"


@cache
def _contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {
            item.name: archive.extractfile(item).read()  # type: ignore[union-attr]
            for item in archive
            if item.isreg()
        }


def members(path: Path = TINY) -> dict[str, bytes]:
    """Content of every file in it."""
    return dict(_contents(path))


def documents(path: Path = TINY) -> dict[str, Any]:
    """Its JSON."""
    return {
        name: json.loads(data) for name, data in members(path).items() if name.endswith(".json")
    }


def pack(
    path: Path,
    contents: Mapping[str, bytes],
    change: Callable[[tarfile.TarInfo], None] | None = None,
) -> Path:
    """Write an archive. change: of every member's header."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, data in contents.items():
            item = tarfile.TarInfo(name)
            item.size = len(data)
            if change is not None:
                change(item)
            archive.addfile(item, io.BytesIO(data))
    path.write_bytes(gzip.compress(raw.getvalue(), 1))
    return path


def with_document(path: Path, name: str, content: Any) -> Path:
    """The tiny file with one of its JSON documents replaced."""
    return pack(path, {**members(), name: json.dumps(content).encode()})


def strings(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every text in a tree, and of every key, with None behind it."""
    if isinstance(tree, str):
        yield path
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield (*path, key, None)
            yield from strings(value, (*path, key))
    elif isinstance(tree, list):
        for place, value in enumerate(tree):
            yield from strings(value, (*path, place))


def put(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with one text, or one key where the path ends in None, replaced."""
    changed = json.loads(json.dumps(tree))
    inner = changed
    named = path[-1] is None
    steps = path[:-1] if named else path
    for step in steps[:-1]:
        inner = inner[step]
    if named:
        items = [(value if key == steps[-1] else key, item) for key, item in inner.items()]
        inner.clear()
        inner.update(items)
    else:
        inner[steps[-1]] = value
    return changed
