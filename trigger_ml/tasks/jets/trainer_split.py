"""Which jets train and which test: decided by the number of their event alone."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.tasks.jets.names import CLASSES
from trigger_ml.tasks.jets.recipe import Split
from trigger_ml.tasks.jets.sample import JetSample

__all__ = ["SIDES", "split_by_event"]

SIDES: Final = ("train", "validation", "test")


def split_by_event(sample: JetSample, split: Split, seed: int) -> dict[str, NDArray[np.int64]]:
    """Row numbers of every side, in the order of the sample.

    Both jets of an event land on the same side, and an event stays on its side when the sample
    grows: the side follows from a hash of seed and event number. Jets of unknown events count
    as an event each.

    Raises DataError when a side has no jet of some class.
    """
    event = np.arange(len(sample)) if sample.event is None else sample.event
    draw = _uniform(event, seed)
    side = np.where(draw < split.test, 2, np.where(draw < split.test + split.validation, 1, 0))
    rows = {name: np.flatnonzero(side == number) for number, name in enumerate(SIDES)}
    blockers = []
    for name, chosen in rows.items():
        missing = [CLASSES[k] for k in range(len(CLASSES)) if k not in sample.labels[chosen]]
        if missing:
            what = f"the {name} side ({len(chosen)} of {len(sample)} jets) has none of class "
            blockers.append(
                Blocker(sample.source, what + ", ".join(missing), "give more jets, of all classes")
            )
    if blockers:
        raise DataError(blockers)
    return rows


def _uniform(event: NDArray[Any], seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) for every event: the output function of SplitMix64 (G. Steele,
    D. Lea, C. Flood, OOPSLA 2014), one step for the seed and one for the event."""
    with np.errstate(over="ignore"):
        mixed = _mix(np.array([seed], dtype=np.uint64))
        mixed = _mix(mixed + event.astype(np.int64).view(np.uint64))
    return np.asarray((mixed >> np.uint64(11)) * 2.0**-53)


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
