"""How close a C simulation is to its model, where it cannot be equal: tables and rounding.

Differences are in units of the outputs and in steps of their types (LSB). A decision is the largest
of several outputs, or each output on a side of a cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import Verdict

__all__ = ["Closeness", "Decision", "judge_closeness", "measure_closeness"]

Values = NDArray[np.float64]


class Decision(Enum):
    """What a trigger makes of the outputs. The value says it in words."""

    LARGEST = "the largest output"
    CUT = "each output at or above the cut, or below it"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Closeness:
    """A C simulation beside its model, on the same vectors.

    vectors: compared. equal: those of which every output is the same number. largest, rms: of the
    differences, in units; largest_lsb, rms_lsb: in steps of each output's type. spread: standard
    deviation of the model's outputs. agree: vectors with the same decision, None without one.
    """

    vectors: int
    equal: int
    largest: float | None
    rms: float | None
    largest_lsb: float | None
    rms_lsb: float | None
    spread: float | None
    agree: int | None

    @property
    def error(self) -> float | None:
        """The differences, root mean square over the spread; None where that says nothing."""
        if self.rms is None or self.spread is None:
            return None
        if self.rms == 0:
            return 0.0
        return self.rms / self.spread if self.spread > 0 else float("inf")


def measure_closeness(
    found: Values, wanted: Values, steps: Values, decision: Decision, cut: float = 0.0
) -> Closeness:
    """Compare outputs of the C simulation with the model's, both (vectors, outputs).

    steps: of each output's type. cut: for ``Decision.CUT``.
    """
    count = len(found)
    if count == 0:
        return Closeness(0, 0, None, None, None, None, None, None)
    distance = np.abs(found - wanted)
    lsb = distance / steps
    agree = None
    if decision is Decision.LARGEST:
        agree = int((found.argmax(axis=1) == wanted.argmax(axis=1)).sum())
    elif decision is Decision.CUT:
        agree = int(((found >= cut) == (wanted >= cut)).all(axis=1).sum())
    return Closeness(
        count,
        int((distance == 0).all(axis=1).sum()),
        float(distance.max()),
        float(np.sqrt(np.mean(distance**2))),
        float(lsb.max()),
        float(np.sqrt(np.mean(lsb**2))),
        float(wanted.std()),
        agree,
    )


def judge_closeness(
    close: Closeness, decision: Decision, *, agreement: float, error: float
) -> tuple[Verdict, ...]:
    """Verdicts on the outputs, and on the decisions where there are any.

    agreement: smallest share of vectors with the same decision. error: largest difference, root
    mean square over the model's spread. Nothing compared is a failure.
    """
    return (
        _judge_outputs(close, error),
        *([] if decision is Decision.NONE else [_judge_decisions(close, agreement)]),
    )


def _judge_outputs(close: Closeness, limit: float) -> Verdict:
    name = "csim:outputs"
    error = close.error
    if close.vectors == 0 or error is None:
        return Verdict(name, False, "not measured")
    if close.equal == close.vectors:
        return Verdict(name, True, f"equal on {close.equal:,} of {close.vectors:,} vectors")
    text = (
        f"equal on {close.equal:,} of {close.vectors:,} vectors; off by {error:.2%} of the model's "
        f"spread (root mean square), {limit:.2%} is allowed"
    )
    return Verdict(name, error <= limit, text)


def _judge_decisions(close: Closeness, limit: float) -> Verdict:
    name = "csim:decisions"
    if close.vectors == 0 or close.agree is None:
        return Verdict(name, False, "not measured")
    share = close.agree / close.vectors
    text = f"the same on {close.agree:,} of {close.vectors:,} vectors ({share:.2%})"
    return Verdict(name, share >= limit, f"{text}, {limit:.2%} is asked for")
