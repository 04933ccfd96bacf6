"""Which jets train and which test: decided by the number of their event alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.splits import SIDES, Split, sides
from trigger_ml.tasks.jets.names import CLASSES
from trigger_ml.tasks.jets.sample import JetSample

__all__ = ["SIDES", "split_by_event"]


def split_by_event(sample: JetSample, split: Split, seed: int) -> dict[str, NDArray[np.int64]]:
    """Row numbers of every side, in the order of the sample.

    Both jets of an event land on the same side, and an event stays on its side when the sample
    grows (see :func:`trigger_ml.splits.sides`). Jets of unknown events count as an event each.

    Raises DataError when a side has no jet of some class.
    """
    event = np.arange(len(sample)) if sample.event is None else sample.event
    side = sides(event, split, seed)
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
