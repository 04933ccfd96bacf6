"""How many products a flat pipeline of HGQ2's convolutions takes, and when that is too many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trigger_ml.frontends import hgq_sizes
from trigger_ml.frontends.hgq_calls import Call


def call(kind: str, name: str, nonzero: int, shape: tuple[int, ...]) -> Call:
    kernel = np.zeros((4, 25))
    kernel.ravel()[:nonzero] = 0.5
    layer = type(kind, (), {"name": name, "qkernel": kernel})()
    return Call(layer, ("before",), ((),), shape)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """A list of calls stands for a model."""
    monkeypatch.setattr(hgq_sizes, "calls_of", lambda model: model)
    return [
        call("QConv2D", "first", 50, (20, 20, 4)),
        call("QConv1D", "second", 100, (300, 2)),
        call("QDense", "fc", 100, (5,)),
    ]


def test_a_convolution_has_its_products_at_every_place(model: Any) -> None:
    assert hgq_sizes.hgq_products(model) == {"first": 20_000, "second": 30_000}
    assert hgq_sizes.hgq_size_problems(model) == []


def test_more_than_is_traced_in_minutes(model: Any) -> None:
    (found,) = hgq_sizes.hgq_size_problems([*model, call("QConv2D", "third", 1, (1, 1, 1))])
    assert found.where == "model"
    assert "take 50,001 products with non-zero weights (30,000 of them in second)" in found.what
    assert "beta0" in found.fix
