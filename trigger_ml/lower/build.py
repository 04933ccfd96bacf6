"""The firmware graph as logic and as RTL, in the form that suits the network.

A network with convolutions that ends in an image is a stream of columns: kernels that are traced
once and stand there for every column of a clock. Any other network is one pipeline that takes a
whole event each clock, every place of its convolutions unrolled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.graph.model import FixedGraph
from trigger_ml.lower.rtl import Logic, trace_graph, write_rtl
from trigger_ml.lower.stream.plan import plan
from trigger_ml.lower.stream.write import StreamLogic, trace_stream, write_stream
from trigger_ml.lower.throughput import columns_per_clock

__all__ = ["FirmwareLogic", "trace_firmware", "write_firmware"]

FirmwareLogic = Logic | StreamLogic


def trace_firmware(graph: FixedGraph, config: Config) -> FirmwareLogic:
    """Trace a network for the target. Raises ModelError for what has no RTL, and ConfigError for
    a throughput or a number of columns that cannot be had."""
    if config.firmware.streams(graph.streamable):
        layout = plan(graph, columns_per_clock(graph, config))
        return trace_stream(layout, config.target, config.firmware)
    given = {
        "columns_per_clock": config.firmware.columns_per_clock is not None,
        "flag_bits": config.firmware.flag_bits > 0,
    }
    what = "is for streams of columns, and this network takes a whole event each clock"
    blockers = [Blocker(f"firmware.{key}", what, "leave it out") for key in given if given[key]]
    if blockers:
        raise ConfigError(blockers)
    return trace_graph(graph, config.firmware.adder_depth)


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
