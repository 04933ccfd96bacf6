"""Integer equality of two witnesses, event by event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trigger_ml.artifacts import Run
from trigger_ml.graph.types import Codes

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two witnesses side by side.

    name: "csim~graph", say. events: compared. mismatches: events with any element different.
    first: (event, element) of the first difference, in flat output order, or None.
    codes: the two integers there, left and right.
    """

    name: str
    events: int
    mismatches: int
    first: tuple[int, int] | None
    codes: tuple[int, int] | None

    @property
    def exact(self) -> bool:
        """Whether something was compared and all of it was equal."""
        return self.events > 0 and self.mismatches == 0


def compare(left: Run, right: Run) -> Comparison:
    """Compare all events of ``left`` with the same first events of ``right``.

    A run with other events or another width counts every event as a mismatch.
    """
    name = f"{left.witness}~{right.witness}"
    a: Codes = left.codes
    b: Codes = right.codes[: len(a)]
    if a.shape != b.shape:
        return Comparison(name, len(a), len(a), None, None)
    different = a != b
    rows = different.any(axis=1)
    count = int(rows.sum())
    if count == 0:
        return Comparison(name, len(a), 0, None, None)
    event = int(np.argmax(rows))
    element = int(np.argmax(different[event]))
    found = (int(a[event, element]), int(b[event, element]))
    return Comparison(name, len(a), count, (event, element), found)
