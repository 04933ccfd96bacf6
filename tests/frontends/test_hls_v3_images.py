"""HGQ2's layers on images through hls4ml: every graph is the model, to the last bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.frontends.hgq_graphs import UNROLLED, WRAPPING
from tests.layers.cases_hgq_images import CASES
from trigger_ml.frontends.hgq_paths import worker_environment
from trigger_ml.frontends.hls_v3_images import _without_sign, plain_kernel, settle_means

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each model's graph says, by name."""
    folder = tmp_path_factory.mktemp("graphs")
    command = [sys.executable, "-m", "tests.frontends.hgq_graphs", str(folder)]
    environment = {**os.environ, **worker_environment("numpy")}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True)
    answers: dict[str, dict[str, Any]] = json.loads((folder / "found.json").read_text())
    return answers


@pytest.mark.slow
@pytest.mark.parametrize("name", [*(case.name for case in CASES), UNROLLED, *WRAPPING])
def test_the_graph_is_the_model(found: dict[str, dict[str, Any]], name: str) -> None:
    answer = found[name]
    assert answer["inexact"] == []
    assert answer["mismatches"] == 0
    assert answer["distinct"] > 3
    assert (answer["io_type"] == "io_stream") == name.endswith(": a stream")
    assert answer["streamable"] or answer["io_type"] == "io_parallel"


@pytest.mark.slow
def test_windows_beyond_images_above_zero_read_zeros(found: dict[str, dict[str, Any]]) -> None:
    kinds = found["QMaxPooling2D, MaxPooling2D: same, above zero"]["kinds"]
    assert "zero_pad" in kinds
    assert "zero_pad" not in found["QMaxPooling2D, QAveragePooling2D: same"]["kinds"]


@pytest.mark.slow
def test_a_layer_may_have_a_letter_of_input_as_its_name(found: dict[str, dict[str, Any]]) -> None:
    assert "u" in found["UpSampling1D"]["sources"]


def test_a_plain_kernel_has_the_taps_where_they_were() -> None:
    kernel = np.arange(1, 13, dtype=np.float32).reshape(3, 2, 2)
    spread = plain_kernel(kernel, (2,), 1)
    assert spread.shape == (5, 2, 2)
    assert np.array_equal(spread[::2], kernel)
    assert not spread[1::2].any()
    wide = plain_kernel(kernel, (1,), 2)
    assert wide.shape == (3, 4, 2)
    assert np.array_equal(wide[:, :2, 0], kernel[:, :, 0])
    assert np.array_equal(wide[:, 2:, 1], kernel[:, :, 1])
    assert not wide[:, 2:, 0].any()
    assert not wide[:, :2, 1].any()


def quantizer(*signs: int) -> SimpleNamespace:
    return SimpleNamespace(quantizer=SimpleNamespace(kif=(np.array(signs), None, None)))


def relu() -> None:
    """Stands for Keras' function of this name."""


@pytest.mark.parametrize(
    ("layer", "before", "expected"),
    [
        ({}, {"activation": relu}, True),
        ({}, {}, False),
        ({"iq": quantizer(0, 0)}, {}, True),
        ({"iq": quantizer(0, 1)}, {"activation": relu}, False),
        # A quantizer with a sign that wraps makes numbers below zero of those above.
        ({"iq": quantizer(1, 1)}, {"oq": quantizer(0, 0)}, False),
        ({}, {"oq": quantizer(0, 0)}, True),
        ({}, {"oq": quantizer(1, 0), "activation": relu}, False),
    ],
)
def test_who_says_that_nothing_is_below_zero(
    layer: dict[str, Any], before: dict[str, Any], expected: bool
) -> None:
    flags = {"iq": "enable_iq", "oq": "enable_oq"}
    reader, made = (
        SimpleNamespace(**of, **{flags[key]: True for key in of if key in flags})
        for of in (layer, before)
    )
    tensor = SimpleNamespace(_keras_history=SimpleNamespace(operation=made))
    assert _without_sign(reader, tensor) is expected


def precision(width: int, integer: int) -> SimpleNamespace:
    class Precision(SimpleNamespace):
        @property
        def fractional(self) -> int:
            return int(self.width - self.integer)

    return Precision(width=width, integer=integer)


@pytest.mark.parametrize(("width", "wanted"), [(6, 9), (11, 11)])
def test_a_mean_holds_the_quotient_of_what_it_reads(width: int, wanted: int) -> None:
    attributes = {
        "pool_op": "Average",
        "pool_height": 2,
        "pool_width": 3,
        "accum_t": SimpleNamespace(precision=precision(width, 3)),
    }
    read = SimpleNamespace(shape=(4, 6, 2), type=SimpleNamespace(precision=precision(5, 2)))
    layer = SimpleNamespace(
        class_name="Pooling2D",
        get_attr=lambda key, default=None: attributes.get(key, default),
        get_input_variable=lambda: read,
    )
    settle_means(SimpleNamespace(get_layers=lambda: [layer]))
    # Three fraction bits, and three more for windows of up to eight elements.
    kind = attributes["accum_t"].precision
    assert (kind.width, kind.fractional) == (wanted, wanted - 3)
