"""A float model made fixed-point: types of one width everywhere, their ranges from events.

This is for looking at a float model as firmware, not for making it small: ``trigger-ml compress``
searches types, prunes and trains. Here nothing is lost that could be seen, and nothing is saved.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ConfigError, DataError
from trigger_ml.events import input_problems, read_arrays, require_inputs
from trigger_ml.float_graph.client import Evaluator
from trigger_ml.float_graph.plain import shapes_of
from trigger_ml.float_graph.search import narrowest
from trigger_ml.float_graph.source import FloatSource, holds_floats, read_source
from trigger_ml.graph.types import FixedType

__all__ = ["LARGEST_ERROR", "FixedPointModel", "choose_types", "is_float"]

WIDTHS: Final = range(6, 17)
"""Bits of weights and activations, tried one after the other."""
LARGEST_ERROR: Final = 0.02
"""Of the logits: root mean square over their standard deviation. It changes the class of some per
mille of the events: 0.4 % of the jets of models/jet_tagger, at 9 bits."""
EVENTS: Final = 20_000
MOST_ELEMENTS: Final = 2**26
"""Of all layers on all events that types are chosen from: large images need fewer."""
FEWEST: Final = 100
"""Events that are looked at, however large they are."""


@dataclass(frozen=True, slots=True, eq=False)
class FixedPointModel:
    """What a float model became.

    file: QKeras ``.h5``. bits: of weights and activations. error: of the logits, over their
    standard deviation. made_from: in words, for the report. scores: the float model's logits,
    shape (events, outputs), for the first events of the file, as many as are verified.
    """

    file: Path
    bits: int
    error: float
    made_from: str
    scores: NDArray[np.float64]


def is_float(path: Path) -> bool:
    """Whether a file holds a network with float weights. Never raises."""
    return holds_floats(path)


def choose_types(path: Path, data: Path, config: Config, folder: Path) -> FixedPointModel:
    """Give a float model the narrowest types whose error cannot be seen, and write it.

    data: events as the model takes them. folder: where the QKeras model is put.
    Raises ModelError for a network that has no firmware, DataError for events that do not fit or
    are too few, ConfigError where no width is enough.
    """
    source = read_source(path, config)
    events = _events(source, data)
    asked = config.firmware.input_type
    input_type = None if asked is None else FixedType.parse(asked)
    shapes = shapes_of(source.network.layers)
    held = sum(prod(shape) for shape in shapes.values())
    count = min(EVENTS, max(MOST_ELEMENTS // held, FEWEST), len(events))
    with tempfile.TemporaryDirectory() as name, Evaluator(Path(name)) as evaluator:
        verified = max(config.verify.events, count)
        scores = source.logits(events[:verified], evaluator, Path(name))
        found, enough = narrowest(
            source.network,
            events[:count],
            scores[:count],
            evaluator,
            WIDTHS,
            LARGEST_ERROR,
            input_type,
        )
        if not enough:
            what = f"with {WIDTHS[-1]}-bit types the logits are still off by {found.error:.2%}"
            fix = "train it with quantizers: trigger-ml compress"
            raise ConfigError(Blocker("model", f"{what} of their spread", fix))
        file = folder / f"{path.stem}_fixed.h5"
        evaluator.write(found.network, file)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    made_from = (
        f"{path.name} (SHA-256 {digest[:16]}) with {found.bits}-bit weights and activations, "
        f"chosen from {data.name}: error of the logits {found.error:.2%} of their spread"
    )
    return FixedPointModel(file, found.bits, found.error, made_from, scores)


def _events(source: FloatSource, data: Path) -> NDArray[np.float32]:
    """All events as flat rows, the inputs one after another. Raises DataError."""
    inputs = require_inputs(data, read_arrays(data))
    shapes = shapes_of(source.network.layers)
    size = sum(prod(shapes[name]) for name in source.network.inputs)
    problems = input_problems(data, inputs, size)
    if problems:
        raise DataError(problems)
    return inputs.reshape(len(inputs), size).astype(np.float32)
