"""The lock: what a rebuild must repeat."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trigger_ml.check.lock import (
    LOCK_FILE,
    Lock,
    codes_digest,
    compare_locks,
    file_digests,
    read_lock,
)
from trigger_ml.errors import BuildError

LOCK = Lock(
    model="m" * 64,
    graph="g" * 64,
    vectors="v" * 64,
    outputs="o" * 64,
    files={"rtl/verilog/top.v": "1" * 64, "hls/a.h": "2" * 64},
    latency_cycles=19,
    ii_cycles=1,
    resources={"yosys": {"lut": 1000.0, "ff": 500.0, "dsp": 0.0, "bram36": None, "carry8": 9.0}},
    physics={"accuracy firmware": 0.75},
    versions={"yosys": "0.70"},
    config={},
)


def failed(**changes: object) -> dict[str, str]:
    found = replace(LOCK, **changes)  # type: ignore[arg-type]
    return {v.name: v.message for v in compare_locks(LOCK, found) if not v.passed}


def test_the_same_passes() -> None:
    assert failed() == {}


@pytest.mark.parametrize("part", ["model", "graph", "vectors", "outputs"])
def test_a_changed_digest_is_named(part: str) -> None:
    assert set(failed(**{part: "x" * 64})) == {f"lock:{part}"}


def test_changed_missing_and_added_files_are_named() -> None:
    message = failed(files={"hls/a.h": "9" * 64, "hls/b.h": "0" * 64})["lock:files"]
    assert message == "changed: hls/a.h; missing: rtl/verilog/top.v; added: hls/b.h"


def test_cycles_are_exact_and_a_missing_one_fails() -> None:
    assert failed(latency_cycles=20) == {"lock:latency_cycles": "20 clock cycles, locked 19"}
    assert failed(ii_cycles=None) == {"lock:ii_cycles": "not measured"}


def test_resources_have_a_tolerance() -> None:
    def with_lut(lut: float | None) -> dict[str, object]:
        return {"resources": {"yosys": {**LOCK.resources["yosys"], "lut": lut}}}

    assert failed(**with_lut(1019.0)) == {}
    assert failed(**with_lut(1021.0)) == {"lock:resources:yosys": "lut 1021.0, locked 1000.0"}
    assert set(failed(**with_lut(None))) == {"lock:resources:yosys"}
    assert failed(resources={}) == {"lock:resources:yosys": "not measured this time"}


def test_physics_is_exact() -> None:
    assert failed(physics={"accuracy firmware": 0.7500001}) == {
        "lock:accuracy firmware": "0.7500001, locked 0.75"
    }
    assert set(failed(physics={})) == {"lock:accuracy firmware"}


def test_a_lock_survives_the_file(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text(LOCK.to_text())
    assert read_lock(tmp_path) == LOCK


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', '{"schema": 2}', "null"])
def test_what_is_no_lock_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK_FILE).write_text(text)
    with pytest.raises(BuildError, match=r"trigger-ml\.lock\.json"):
        read_lock(tmp_path)


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    data = {**json.loads(LOCK.to_text()), "colour": "blue"}
    (tmp_path / LOCK_FILE).write_text(json.dumps(data))
    with pytest.raises(BuildError, match="is not a lock"):
        read_lock(tmp_path)


def test_digests(tmp_path: Path) -> None:
    codes = np.arange(6).reshape(2, 3)
    assert codes_digest(codes) == codes_digest(codes.astype(np.int64))
    assert codes_digest(codes) != codes_digest(codes.reshape(3, 2))
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "a.v").write_text("module a; endmodule")
    assert list(file_digests(tmp_path, ("rtl", "hls"))) == ["rtl/a.v"]
