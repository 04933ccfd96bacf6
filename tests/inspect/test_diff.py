"""What changed between two model files, and between what was measured of two builds."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from tests.inspect.files import TINY, changed, layer
from trigger_ml.config import Config
from trigger_ml.errors import ModelError
from trigger_ml.inspect.diff import Difference, FigureChange, compare
from trigger_ml.inspect.diff_table import diff_table
from trigger_ml.inspect.subject import Subject, read_subjects

Arrays = dict[str, NDArray[Any]]


def differ(old: Path, new: Path) -> Difference:
    return compare(*read_subjects(old, new, Config(), full=False))


def printed(found: Difference) -> str:
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(diff_table(found))
    return console.export_text()


def test_a_copy_is_no_difference(tmp_path: Path) -> None:
    found = differ(TINY, changed(tmp_path / "m.h5"))
    assert not found.different
    assert (found.layers, found.notes) == ((), ())
    assert json.loads(json.dumps(found.to_json()))["different"] is False


def test_weights_that_moved_are_counted_in_steps(tmp_path: Path) -> None:
    """Of quantized_bits(4,0): steps of 1/8."""

    def move(arrays: Arrays) -> None:
        kernel = arrays["fc1/kernel"]
        kernel[:] = np.rint(kernel * 8) / 8
        kernel[0, 0], kernel[1, 1] = 0.0, 0.0
        arrays["fc1/bias"][:] = 0.0

    def moved_more(arrays: Arrays) -> None:
        move(arrays)
        kernel = arrays["fc1/kernel"]
        kernel[0, 0], kernel[1, 1] = 0.125, -0.375
        kernel[2, 2] += 0.01
        arrays["fc1/bias"][2] = 0.5

    old = changed(tmp_path / "old.h5", weights=move)
    new = changed(tmp_path / "new.h5", weights=moved_more)
    found = differ(old, new)
    (change,) = found.layers
    assert (change.status, change.new) == ("changed", "fc1")
    assert {figure.name for figure in change.figures} == {"bias type"}
    kernel, bias = change.weights
    assert (kernel.what, kernel.changed, kernel.of) == ("weights", 2, 24)
    assert (kernel.largest, kernel.steps) == (0.375, 3)
    # Its type is as narrow as 0 and 0.5 allow.
    assert (bias.what, bias.changed, bias.of, bias.steps) == ("bias", 1, 6, 1)
    totals = {item.name: (item.old, item.new) for item in found.sections["totals"]}
    before, after = totals["parameters not zero"]
    assert after == before + 3
    text = printed(found)
    assert "2 of 24 changed, by at most 0.375 (3 steps)" in text


def test_a_finer_grid_that_no_weight_uses_is_the_same_firmware(tmp_path: Path) -> None:
    def on_old_grid(arrays: Arrays) -> None:
        for name, values in arrays.items():
            if name.startswith("fc2/"):
                values[:] = np.clip(np.rint(values * 8), -8, 7) / 8

    def finer(architecture: dict[str, Any]) -> None:
        layer(architecture, "fc2")["kernel_quantizer"]["config"]["bits"] = 6

    old = changed(tmp_path / "old.h5", weights=on_old_grid)
    new = changed(tmp_path / "new.h5", weights=on_old_grid, config=finer)
    found = differ(old, new)
    assert not found.layers and not found.sections["totals"]


def test_steps_are_those_of_the_finer_type(tmp_path: Path) -> None:
    def one(value: float) -> Callable[[Arrays], None]:
        def change(arrays: Arrays) -> None:
            arrays["fc2/kernel"][:] = 0.0
            arrays["fc2/kernel"][0, 0] = value

        return change

    def finer(architecture: dict[str, Any]) -> None:
        layer(architecture, "fc2")["kernel_quantizer"]["config"]["bits"] = 6

    old = changed(tmp_path / "old.h5", weights=one(0.25))
    new = changed(tmp_path / "new.h5", weights=one(0.25 + 3 / 32), config=finer)
    for found in (differ(old, new), differ(new, old)):
        (weights,) = found.layers[0].weights
        assert (weights.changed, weights.largest, weights.steps) == (1, 3 / 32, 3)
        assert "weight type" in {figure.name for figure in found.layers[0].figures}


def test_a_layer_with_another_name_is_the_same_layer(tmp_path: Path) -> None:
    new = changed(tmp_path / "new.h5", rename=("fc2", "middle"))
    found = differ(TINY, new)
    assert [(item.status, item.old, item.new) for item in found.layers] == [
        ("renamed", "fc2", "middle")
    ]
    assert found.sections["totals"] == ()
    assert found.different


def test_a_layer_that_is_gone(tmp_path: Path) -> None:
    """Behind the quantizer of the input, fc1 and its activation: fc2 with as many inputs."""

    def without(architecture: dict[str, Any]) -> None:
        layers = architecture["config"]["layers"]
        gone = next(i for i, x in enumerate(layers) if x["config"]["name"] == "fc2_relu")
        name, before = layers[gone]["config"]["name"], layers[gone]["inbound_nodes"]
        for item in layers:
            for node in item.get("inbound_nodes", []):
                for entry in node:
                    if entry[0] == name:
                        entry[0] = before[0][0][0]
        del layers[gone]

    new = changed(tmp_path / "new.h5", config=without)
    found = differ(TINY, new)
    by_status = {item.status: item for item in found.layers}
    assert by_status["removed"].old == "fc2_relu"
    assert by_status["changed"].new == "logits"
    figures = {item.name: (item.old, item.new) for item in by_status["changed"].figures}
    assert figures["reads"] == ("fc2_relu", "fc2")
    back = differ(new, TINY)
    assert {item.status for item in back.layers} == {"added", "changed"}


def built(base: Subject, **sections: dict[str, Any]) -> Subject:
    return Subject("build", base.network, base.totals, sections)


def test_what_was_measured_of_two_builds() -> None:
    base, _ = read_subjects(TINY, TINY, Config(), full=False)
    old = built(
        base,
        latency={"latency in clocks": 10, "latency in ns": 27.8},
        verdicts={"bits:csim": "pass", "latency": "pass"},
        physics={"accuracy firmware": 0.7},
    )
    new = built(
        base,
        latency={"latency in clocks": 12, "latency in ns": 27.8 + 1e-14},
        verdicts={"bits:csim": "pass", "latency": "FAIL"},
        physics={"accuracy firmware": 0.7, "auc t firmware": 0.9},
    )
    found = compare(old, new)
    assert found.sections["latency"] == (FigureChange("latency in clocks", 10, 12),)
    assert found.sections["verdicts"] == (FigureChange("latency", "pass", "FAIL"),)
    assert found.sections["physics"] == (FigureChange("auc t firmware", None, 0.9),)
    text = printed(found)
    assert "+20.0%" in text
    assert not compare(old, old).different


def test_a_model_and_a_build_are_compared_as_networks() -> None:
    base, _ = read_subjects(TINY, TINY, Config(), full=False)
    found = compare(base, built(base, latency={"latency in clocks": 10}))
    assert not found.different
    assert "Only one of them is a build" in found.notes[0]


def test_both_sides_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"nothing")
    with pytest.raises(ModelError) as raised:
        differ(tmp_path / "a.h5", tmp_path / "b.h5")
    text = str(raised.value)
    assert "a.h5" in text
    assert "b.h5" in text


def test_a_folder_that_is_no_build(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="there is no report here"):
        differ(TINY, tmp_path)
