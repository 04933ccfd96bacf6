"""Models of cases in their own Keras, against the networks read from their files.

``python -m tests.frontends.source_models GROUP FOLDER`` writes the models of a group of cases,
evaluates each as its file has it and as it was read, and writes {name: differing outputs} into
``differing.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.layers.case import Case, cases

__all__ = ["main", "own_cases"]

EVENTS: Final = 500


def own_cases(group: str) -> list[Case]:
    """Those whose Keras is the one of this process."""
    return [case for case in cases(group) if case.kind == "QKeras .h5"]


def main(group: str, folder: Path) -> None:
    """Write how many outputs differ, by case."""
    from trigger_ml.keras2 import bind_keras

    bind_keras()
    found = {}
    for case in own_cases(group):
        path = folder / case.file
        case.build(path)
        found[case.name] = _differing(path)
    (folder / "differing.json").write_text(json.dumps(found))


def _differing(path: Path) -> int:
    import tf_keras
    from qkeras.utils import _add_supported_quantized_objects

    from trigger_ml.frontends.keras_files import read_keras

    objects: dict[str, Any] = {}
    _add_supported_quantized_objects(objects)
    source = tf_keras.models.load_model(path, objects, compile=False)
    network = read_keras(path)
    made = tf_keras.models.model_from_json(
        network.architecture(tail=False, input_quantizer=None), custom_objects=objects
    )
    for layer in made.layers:
        layer.set_weights(list(network.weights.get(layer.name, ())))
    random = np.random.default_rng(2)
    events = [
        random.uniform(-6, 6, (EVENTS, *tensor.shape[1:])).astype(np.float32)
        for tensor in source.inputs
    ]
    wanted, got = _outputs(source, events), _outputs(made, events)
    if wanted.shape != got.shape or not np.ptp(wanted, axis=0).any():
        return wanted.size
    return int(np.count_nonzero(wanted != got))


def _outputs(model: Any, events: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    outputs = model.predict(events, verbose=0)
    parts = outputs if isinstance(outputs, list) else [outputs]
    return np.concatenate([np.reshape(part, (EVENTS, -1)) for part in parts], axis=1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
