"""The lock file: what a build was, to the last bit, so that CI can hold it to that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from trigger_ml.artifacts import Synthesis, Verdict
from trigger_ml.errors import BuildError
from trigger_ml.graph.types import Codes

__all__ = [
    "LOCK_FILE",
    "Lock",
    "codes_digest",
    "compare_locks",
    "file_digests",
    "read_lock",
    "resource_counts",
]

LOCK_FILE: Final = "trigger-ml.lock.json"
SCHEMA: Final = 1
RESOURCE_TOLERANCE: Final = 0.02
"""Relative change of a resource count that is no failure: tool versions differ that much."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Everything a rebuild must repeat.

    model, graph, vectors, outputs: SHA-256 of the model file, the graph, the input codes and
    the output codes. files: SHA-256 of each file of the HLS and RTL projects. resources: counts
    by origin. physics: figures by name, such as "accuracy firmware". versions: for people; a
    difference there explains one elsewhere.
    """

    model: str
    graph: str
    vectors: str
    outputs: str
    files: Mapping[str, str]
    latency_cycles: int | None
    ii_cycles: int | None
    resources: Mapping[str, Mapping[str, float | None]]
    physics: Mapping[str, float]
    versions: Mapping[str, str]
    config: Mapping[str, Any]

    def to_text(self) -> str:
        """Contents of the lock file."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1, sort_keys=True) + "\n"


def read_lock(build: Path) -> Lock:
    """Read a build's lock. Raises BuildError when it is missing, broken or of another schema."""
    path = build / LOCK_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        schema = data.pop("schema")
        names = {field.name for field in fields(Lock)}
        if schema != SCHEMA or set(data) != names:
            raise BuildError(f"{path} is not a lock of schema {SCHEMA}; compile the model again")
        return Lock(**data)
    except FileNotFoundError:
        raise BuildError(
            f"{build} holds no {LOCK_FILE}; give the folder that trigger-ml compile wrote"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildError(f"{path} cannot be read: {error}; compile the model again") from error


def codes_digest(codes: Codes) -> str:
    """SHA-256 of an array of codes: shape, then little-endian values."""
    head = "x".join(map(str, codes.shape)).encode()
    return hashlib.sha256(head + codes.astype("<i8").tobytes()).hexdigest()


def file_digests(root: Path, folders: Iterable[str]) -> dict[str, str]:
    """SHA-256 of every file below some folders of a build, by path relative to it."""
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                name = path.relative_to(root).as_posix()
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def resource_counts(synthesis: Iterable[Synthesis]) -> dict[str, dict[str, float | None]]:
    """Counts by origin, as a lock holds them."""
    return {item.origin: item.total.to_json() for item in synthesis}


def compare_locks(locked: Lock, found: Lock) -> tuple[Verdict, ...]:
    """One verdict for each kind of thing that a rebuild must repeat."""
    verdicts = [
        _same("lock:model", "the model file", locked.model, found.model),
        _same("lock:graph", "the fixed-point graph", locked.graph, found.graph),
        _same("lock:vectors", "the test vectors", locked.vectors, found.vectors),
        _same("lock:outputs", "output bits", locked.outputs, found.outputs),
        _files(locked.files, found.files),
    ]
    for name in ("latency_cycles", "ii_cycles"):
        before, now = getattr(locked, name), getattr(found, name)
        measured = now is not None and before is not None
        text = f"{now} clock cycles, locked {before}" if measured else "not measured"
        verdicts.append(Verdict(f"lock:{name}", measured and now == before, text))
    verdicts += _resources(locked.resources, found.resources)
    for name, value in locked.physics.items():
        now = found.physics.get(name)
        same = now is not None and bool(np.isclose(now, value, rtol=0, atol=1e-12))
        verdicts.append(Verdict(f"lock:{name}", same, f"{now}, locked {value}"))
    return tuple(verdicts)


def _same(name: str, what: str, before: str, now: str) -> Verdict:
    if before == now:
        return Verdict(name, True, f"{what}: unchanged ({now[:12]})")
    return Verdict(name, False, f"{what} changed: {now[:12]}, locked {before[:12]}")


def _files(before: Mapping[str, str], now: Mapping[str, str]) -> Verdict:
    changed = sorted(name for name in before.keys() & now.keys() if before[name] != now[name])
    gone, new = sorted(before.keys() - now.keys()), sorted(now.keys() - before.keys())
    if not (changed or gone or new):
        return Verdict("lock:files", True, f"{len(now)} files unchanged")
    parts = [
        f"{word} {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
        for word, names in (("changed:", changed), ("missing:", gone), ("added:", new))
        if names
    ]
    return Verdict("lock:files", False, "; ".join(parts))


def _resources(
    before: Mapping[str, Mapping[str, float | None]],
    now: Mapping[str, Mapping[str, float | None]],
) -> list[Verdict]:
    verdicts = []
    for origin, counts in before.items():
        name = f"lock:resources:{origin}"
        if origin not in now:
            verdicts.append(Verdict(name, False, "not measured this time"))
            continue
        off = [
            f"{key} {now[origin].get(key)}, locked {value}"
            for key, value in counts.items()
            if not _close(value, now[origin].get(key))
        ]
        same = f"{len(counts)} counts within {RESOURCE_TOLERANCE:.0%}"
        verdicts.append(Verdict(name, not off, "; ".join(off) or same))
    return verdicts


def _close(before: float | None, now: float | None) -> bool:
    if before is None or now is None:
        return before is now
    return abs(now - before) <= RESOURCE_TOLERANCE * max(abs(before), 1.0)
