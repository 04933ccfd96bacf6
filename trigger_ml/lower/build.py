"""The firmware graph as logic and as RTL, in the form that suits the network.

A network of vectors is one pipeline that takes an event each clock. A network with convolutions
is a stream of columns: kernels that are traced once and stand there for every column of a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from pathlib import Path
from typing import Final

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.graph.model import FixedGraph
from trigger_ml.lower.rtl import Logic, trace_graph, write_rtl
from trigger_ml.lower.stream.plan import lanes_for, plan
from trigger_ml.lower.stream.write import StreamLogic, trace_stream, write_stream

__all__ = ["FirmwareLogic", "columns_per_clock", "trace_firmware", "write_firmware"]

FirmwareLogic = Logic | StreamLogic

WHOLE_CLOCKS: Final = 1e-9
"""9 clocks at 360 MHz are 25 ns, in floating point too."""


def trace_firmware(graph: FixedGraph, config: Config) -> FirmwareLogic:
    """Trace a network for the target. Raises ModelError for what has no RTL, and ConfigError for
    a throughput or a number of columns that cannot be had."""
    if graph.has_convolution:
        layout = plan(graph, columns_per_clock(graph, config))
        return trace_stream(layout, config.target, config.firmware)
    given = {
        "columns_per_clock": config.firmware.columns_per_clock is not None,
        "flag_bits": config.firmware.flag_bits > 0,
    }
    what = "is for networks with convolutions, and this one takes a whole event each clock"
    blockers = [Blocker(f"firmware.{key}", what, "leave it out") for key in given if given[key]]
    if blockers:
        raise ConfigError(blockers)
    return trace_graph(graph, config.firmware.adder_depth)


def columns_per_clock(graph: FixedGraph, config: Config) -> int:
    """Columns of the image that a clock brings: as configured, or the fewest that keep the
    initiation interval in budget (one bunch crossing where there is none)."""
    asked = config.firmware.columns_per_clock
    if asked is not None:
        return asked
    interval_ns = config.budget.ii_ns or type(config.budget)().ii_ns
    assert interval_ns is not None
    return lanes_for(graph, floor(interval_ns * config.target.clock_mhz / 1e3 + WHOLE_CLOCKS))


def write_firmware(
    logic: FirmwareLogic, config: Config, top: str, directory: Path
) -> Mapping[Hdl, RtlProject]:
    """Write the RTL below ``directory``, one folder for each language. A stream is Verilog."""
    if isinstance(logic, StreamLogic):
        folder = directory / Hdl.VERILOG.value
        return {Hdl.VERILOG: write_stream(logic, config.target, top, folder)}
    margin = config.firmware.routing_margin
    return {
        hdl: write_rtl(logic, config.target, margin, top, hdl, directory / hdl.value) for hdl in Hdl
    }
