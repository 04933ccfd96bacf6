"""Which events train, which validate and which test: decided by the event's number alone."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["SIDES", "Split", "sides"]

SIDES: Final = ("train", "validation", "test")
"""Names of the sides; their places are the numbers that :func:`sides` gives."""


class Split(BaseModel):
    """Shares of the events, by event number. What is left trains."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    test: float = Field(default=0.5, gt=0, lt=1)
    validation: float = Field(default=0.05, gt=0, lt=1)

    @model_validator(mode="after")
    def _leaves_something(self) -> Split:
        if self.test + self.validation >= 1:
            raise ValueError("test and validation must leave events for training")
        return self


def sides(event: NDArray[Any], split: Split, seed: int) -> NDArray[np.int64]:
    """Side of every row, as a place in SIDES.

    event: whole number of the event that a row belongs to, shape (rows,). Rows of one event land
    on one side, and an event stays on its side when the sample grows: the side follows from a
    hash of seed and event number. The shares are those of an infinite sample.
    """
    draw = _uniform(event, seed)
    return np.where(draw < split.test, 2, np.where(draw < split.test + split.validation, 1, 0))


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
