"""How many columns of an image a clock brings."""

from __future__ import annotations

from math import floor
from typing import Final

from trigger_ml.config import Config
from trigger_ml.graph.model import FixedGraph
from trigger_ml.lower.stream.plan import lanes_for

__all__ = ["columns_per_clock"]

WHOLE_CLOCKS: Final = 1e-9
"""9 clocks at 360 MHz are 25 ns, in floating point too."""


def columns_per_clock(graph: FixedGraph, config: Config) -> int:
    """Columns of the image that a clock brings: as configured, or the fewest that keep the
    initiation interval in budget (one bunch crossing where there is none)."""
    asked = config.firmware.columns_per_clock
    if asked is not None:
        return asked
    interval_ns = config.budget.ii_ns or type(config.budget)().ii_ns
    assert interval_ns is not None
    return lanes_for(graph, floor(interval_ns * config.target.clock_mhz / 1e3 + WHOLE_CLOCKS))
