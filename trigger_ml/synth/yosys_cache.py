"""Results of yosys kept between runs, by the digest of everything that decides them.

One compressed file for each result, which appears whole or not at all, so that processes can share
the folder. A file that cannot be read, or is not what was written, is as good as none. Emptying
the cache is removing its folder; it keeps itself below LIMIT_BYTES by dropping what was not used
for longest.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["LIMIT_BYTES", "Cache", "digest_of", "open_cache"]

SCHEMA: Final = "trigger-ml yosys 1"
"""In every digest: another one where the meaning of a result changes."""
LIMIT_BYTES: Final = 512 * 2**20
SUFFIX: Final = ".json.gz"


def digest_of(parts: Mapping[str, Any]) -> str:
    """Name of a result: a digest of all that it follows from, given as JSON."""
    text = json.dumps({"schema": SCHEMA, **parts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of results. limit_bytes: what it may hold."""

    folder: Path
    limit_bytes: int = LIMIT_BYTES

    def get(self, digest: str) -> dict[str, Any] | None:
        """The result of that digest, or None."""
        path = self._path(digest)
        try:
            with gzip.open(path, "rt", encoding="utf-8") as file:
                data = json.load(file)
            if data["digest"] != digest or data["check"] != _check(data["result"]):
                return None
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return None
        with suppress(OSError):
            os.utime(path)
        result: dict[str, Any] = data["result"]
        return result

    def put(self, digest: str, result: Mapping[str, Any]) -> None:
        """Keep a result, as JSON. A folder that cannot be written keeps nothing."""
        data = {"digest": digest, "check": _check(result), "result": result}
        packed = gzip.compress(json.dumps(data).encode(), compresslevel=3, mtime=0)
        part = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(suffix=".part", dir=self.folder)
            part = Path(name)
            with os.fdopen(handle, "wb") as file:
                file.write(packed)
            part.replace(self._path(digest))
        except OSError:
            if part is not None:
                with suppress(OSError):
                    part.unlink()

    def trim(self) -> None:
        """Drop what was not used for longest until the rest is within the limit."""
        found = []
        with suppress(OSError):
            for path in self.folder.iterdir():
                with suppress(OSError):
                    status = path.stat()
                    found.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.limit_bytes:
                break
            with suppress(OSError):
                path.unlink()
            total -= size

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest}{SUFFIX}"


def _check(result: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()


def open_cache() -> Cache:
    """The user's cache: below TRIGGER_ML_CACHE, or else the XDG cache folder."""
    base = os.environ.get("TRIGGER_ML_CACHE")
    if not base:
        xdg = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        base = str(Path(xdg) / "trigger_ml")
    return Cache(Path(base) / "yosys")
