"""Graphs that hls4ml converted by default, or with its own types, and saved as ``.fml``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fml_models import convolution, dense_relu, dense_softmax, merged, narrow, save_fml
from tests.layers.case import Case

KIND = "hls4ml .fml"


def _resource(choice: dict[str, Any]) -> None:
    choice["Model"] |= {"Strategy": "Resource", "ReuseFactor": 1}


def _case(name: str, model: Callable[[], Any], config: str = "", **options: Any) -> Case:
    def build(path: Path) -> None:
        save_fml(model(), path, **options)

    return Case(name, build, KIND, config)


CASES = (
    _case("Dense, ReLU: converted by default", dense_relu),
    _case("Dense, ReLU, Softmax: converted by default", dense_softmax),
    _case(
        "Dense, ReLU, Softmax: one type for all, strategy Resource",
        dense_softmax,
        granularity="model",
        change=_resource,
    ),
    _case(
        "Dense, ReLU: for Vivado",
        dense_relu,
        config="firmware: {backend: Vivado}",
        backend="Vivado",
    ),
    _case("BatchNormalization, LeakyReLU, tanh, Add, Concatenate, sigmoid", merged, change=narrow),
    _case("Conv2D, MaxPooling2D, pointwise Conv2D, Flatten", convolution, change=narrow),
)
