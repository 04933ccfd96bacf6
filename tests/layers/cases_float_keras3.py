"""Float models of Keras 3, which get their types from events."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from tests.layers.case import Case
from tests.layers.float_networks import NETWORKS, Network, Shapes, save


def _build(network: Network, shapes: Shapes, path: Path) -> None:
    # Nothing is computed, so the backend that starts fastest will do.
    os.environ.setdefault("KERAS_BACKEND", "numpy")
    import keras

    save(keras, path, shapes, network)


CASES = tuple(
    Case(name, partial(_build, *built), "float Keras 3 .keras") for name, built in NETWORKS.items()
)
