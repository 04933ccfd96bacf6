"""Whole models in the formats that other libraries write; see the scripts in tests/data."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from tests.layers.case import Case

DATA = Path(__file__).parents[1] / "data"


def _copy(path: Path, name: str) -> None:
    shutil.copyfile(DATA / name, path)


def _case(name: str, kind: str, file: str) -> Case:
    return Case(name, partial(_copy, name=file), kind)


CASES = (
    _case("QDense, QActivation, by qkeras-v3", "Keras 3 .keras", "tiny_qkeras3.keras"),
    _case("QDense, a width for every weight", "HGQ2 .keras", "tiny_hgq.keras"),
    _case("QEinsumDense, QGlobalAveragePooling1D", "HGQ2 .keras", "tiny_set_hgq.keras"),
    _case(
        "Quantizer, QBatchNormDense, QEinsumDenseBatchnorm, ReLU",
        "HGQ2 .keras",
        "tiny_norm_hgq.keras",
    ),
)
