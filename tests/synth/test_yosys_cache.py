"""The cache of what yosys found."""

from __future__ import annotations

import gzip
import json
import os
from multiprocessing import get_context
from pathlib import Path

import pytest

from trigger_ml.synth.yosys_cache import Cache, digest_of, open_cache

RESULT = {"cells": {"LUT2": 3}, "rtlil": "module \\x\n" * 50}


def test_what_was_put_is_got(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "a" / "b")
    assert cache.get("d") is None
    cache.put("d", RESULT)
    assert cache.get("d") == RESULT
    assert cache.get("e") is None
    assert [path.suffix for path in cache.folder.iterdir()] == [".gz"]


def test_a_digest_is_of_everything(tmp_path: Path) -> None:
    base = {"script": "abc", "files": {"a": "1"}}
    assert digest_of(base) == digest_of({"files": {"a": "1"}, "script": "abc"})
    assert digest_of(base) != digest_of({**base, "files": {"a": "2"}})
    assert digest_of(base) != digest_of({**base, "yosys": "0.70"})


def tampered(path: Path) -> None:
    data = json.loads(gzip.decompress(path.read_bytes()))
    data["result"]["cells"]["LUT2"] = 2
    path.write_bytes(gzip.compress(json.dumps(data).encode()))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:40]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not gzip"),
        lambda path: path.write_bytes(gzip.compress(b"[]")),
        lambda path: path.write_bytes(gzip.compress(b"\xff\xfe")),
        tampered,
    ],
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    cache = Cache(tmp_path)
    cache.put("d", RESULT)
    damage(tmp_path / "d.json.gz")
    assert cache.get("d") is None
    cache.put("d", RESULT)
    assert cache.get("d") == RESULT


def test_a_file_of_another_digest_is_none(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("d", RESULT)
    (tmp_path / "d.json.gz").rename(tmp_path / "e.json.gz")
    assert cache.get("e") is None


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "below")
    cache.put("d", RESULT)
    cache.trim()
    assert cache.get("d") is None


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    Cache(tmp_path).put("d", RESULT)
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for age, name in enumerate(("new", "middle", "old")):
        cache.put(name, {**RESULT, "name": name})
        os.utime(tmp_path / f"{name}.json.gz", (1e9 - age, 1e9 - age))
    assert cache.get("old")
    size = (tmp_path / "old.json.gz").stat().st_size
    Cache(tmp_path, limit_bytes=2 * size + 10).trim()
    assert {path.name.split(".")[0] for path in tmp_path.iterdir()} == {"old", "new"}
    Cache(tmp_path, limit_bytes=0).trim()
    assert list(tmp_path.iterdir()) == []


def busy(folder: str, seed: int) -> int:
    cache = Cache(Path(folder))
    wrong = 0
    for k in range(60):
        name = str((seed + k) % 5)
        cache.put(name, {"name": name, "load": "x" * 20_000})
        found = cache.get(name)
        wrong += found is None or found["name"] != name
    return wrong


def test_processes_share_a_folder(tmp_path: Path) -> None:
    with get_context("spawn").Pool(2) as pool:
        wrong = pool.starmap(busy, [(str(tmp_path), 0), (str(tmp_path), 2)])
    assert wrong == [0, 0]
    assert len(list(tmp_path.iterdir())) == 5


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRIGGER_ML_CACHE", str(tmp_path))
    assert open_cache().folder == tmp_path / "yosys"
    monkeypatch.delenv("TRIGGER_ML_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert open_cache().folder == tmp_path / "xdg" / "trigger_ml" / "yosys"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert open_cache().folder == Path.home() / ".cache" / "trigger_ml" / "yosys"
