"""What float models say in the Keras that wrote them.

``python -m tests.float_graph.own_outputs GROUP FOLDER`` writes the models of a group of cases and,
beside each, an ``.npz`` with flat rows: events ``x`` and the model's outputs ``y``.
"""

from __future__ import annotations

import sys
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.layers.build import main as build
from tests.layers.case import KERAS_2, cases

__all__ = ["main"]

EVENTS: Final = 60


def main(group: str, folder: Path) -> None:
    """Build and evaluate every case of a group, all of one Keras."""
    build(group, folder)
    for case in cases(group):
        path = folder / case.file
        rows, values = _said(_loaded(path, keras_2=case.kind in KERAS_2))
        np.savez(path.with_suffix(".npz"), x=rows, y=values)


def _loaded(path: Path, *, keras_2: bool) -> Any:
    if not keras_2:
        import keras

        return keras.models.load_model(path, compile=False)
    import tf_keras
    from qkeras.utils import _add_supported_quantized_objects

    objects: dict[str, Any] = {}
    _add_supported_quantized_objects(objects)
    return tf_keras.models.load_model(path, objects, compile=False)


def _said(model: Any) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    random = np.random.default_rng(2)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    parts = [random.normal(size=(EVENTS, *shape)).astype(np.float32) for shape in shapes]
    made = model(parts if len(parts) > 1 else parts[0], training=False)
    made = made if isinstance(made, list | tuple) else [made]
    flat = [part.reshape(EVENTS, prod(part.shape[1:])) for part in parts]
    outputs = [np.asarray(part, np.float64).reshape(EVENTS, -1) for part in made]
    return np.concatenate(flat, axis=1), np.concatenate(outputs, axis=1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
