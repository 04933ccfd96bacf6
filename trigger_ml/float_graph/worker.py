"""The process that evaluates a float network and its quantized candidates: TensorFlow lives here.

Started by :mod:`trigger_ml.float_graph.client` with ``python -m trigger_ml.float_graph.worker``; it
answers requests as :mod:`trigger_ml.serving` says. Models come as a reduced architecture and
arrays, never as files of Keras.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.float_graph.spread import Spread
from trigger_ml.frontends.keras_models import built, stored_arrays
from trigger_ml.frontends.qkeras_powers import allow_negative_integers
from trigger_ml.keras2 import bind_keras
from trigger_ml.serving import serve

BATCH_ELEMENTS: Final = 2**22
"""Elements of a batch, over the outputs of all layers: 16 MiB in single precision."""
MOST_BATCH: Final = 4096


def logits(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a model says of events: a flat row of doubles for each."""
    model = _model(request)
    # Called as it is: for a few batches a graph of TensorFlow would take longer to trace.
    rows = [_row(model(batch, training=False)) for batch in _batches(model, request["events"])]
    np.save(request["outputs"], np.concatenate(rows))
    return {}


def spreads(request: Mapping[str, Any]) -> dict[str, Any]:
    """How large the results of layers get on events."""
    import tf_keras

    model = _model(request)
    names = request["tensors"]
    if not names:
        return {"spreads": {}}
    wanted = [model.get_layer(name).output for name in names]
    inner = tf_keras.Model(model.inputs, wanted)
    found: dict[str, Spread] = {}
    for batch in _batches(model, request["events"]):
        made = inner(batch, training=False)
        for name, values in zip(names, made if len(names) > 1 else [made], strict=True):
            spread = Spread.of(np.asarray(values))
            found[name] = found[name] + spread if name in found else spread
    return {"spreads": {name: spread.to_json() for name, spread in found.items()}}


def write(request: Mapping[str, Any]) -> dict[str, Any]:
    """Save a model as ``.h5``."""
    _model(request).save(request["file"], save_format="h5", include_optimizer=False)
    return {}


def _model(request: Mapping[str, Any]) -> Any:
    return built(request["architecture"], stored_arrays(request["weights"]))


def _row(outputs: Any) -> NDArray[np.float64]:
    parts = outputs if isinstance(outputs, list | tuple) else [outputs]
    rows = [np.asarray(part, np.float64).reshape(len(part), -1) for part in parts]
    return np.concatenate(rows, axis=1)


def _batches(model: Any, file: str) -> Iterator[Any]:
    """Events from a file of flat rows, in the shapes of the model's inputs and their order."""
    values: NDArray[np.float32] = np.load(file)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    ends = np.cumsum([prod(shape) for shape in shapes])[:-1]
    held = sum(prod(layer.output.shape[1:]) for layer in model.layers)
    size = int(max(min(MOST_BATCH, BATCH_ELEMENTS // max(held, 1)), 1))
    for start in range(0, len(values), size):
        rows = values[start : start + size]
        parts = np.split(rows, ends, axis=1)
        shaped = [part.reshape(len(rows), *s) for part, s in zip(parts, shapes, strict=True)]
        yield shaped if len(shaped) > 1 else shaped[0]


def main() -> None:
    """Answer requests until the input ends."""
    bind_keras()
    allow_negative_integers()
    serve({"logits": logits, "spreads": spreads, "write": write})


if __name__ == "__main__":
    main()
