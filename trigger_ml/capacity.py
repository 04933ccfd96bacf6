"""Whether a network fits its part, and at which throughput a streamed one would.

Kernels do not depend on the columns that a clock brings: only how often they stand there does,
and the shell around them. So what another throughput takes is counted from its plan, without
tracing anything again.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import ceil, inf
from typing import Final

from trigger_ml.artifacts import Synthesis
from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.graph.model import FixedGraph
from trigger_ml.lower.build import FirmwareLogic
from trigger_ml.lower.stream.plan import lanes_for, plan
from trigger_ml.lower.stream.schedule import schedule
from trigger_ml.lower.stream.shell import count_shell
from trigger_ml.lower.stream.write import StreamLogic
from trigger_ml.synth.devices import Device
from trigger_ml.synth.rough import rough_counts
from trigger_ml.synth.stream import KernelLogic, estimate_stream

__all__ = [
    "Throughput",
    "count_stream",
    "require_room",
    "require_rough_room",
    "room_hint",
    "slower",
]

FAR: Final = 4.0
"""Times the LUTs of a part: what rules of thumb say is that much too large does not fit it, as at
worst they said 3.6 times what the cost model did (docs/resources.md)."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """columns: of an image in a clock. groups: clocks from one image to the next."""

    columns: int
    groups: int

    def text(self, clock_mhz: float) -> str:
        """In words: 35 columns a clock, an image every 11 clocks = 30.6 ns."""
        many = "1 column" if self.columns == 1 else f"{self.columns} columns"
        ns = self.groups * 1e3 / clock_mhz
        return f"{many} a clock, an image every {self.groups} clocks = {ns:.1f} ns"

    def interval_ns(self, clock_mhz: float) -> float:
        """Time between two images in ns, rounded up to 0.01, as budget.ii_ns takes it."""
        return ceil(self.groups * 1e5 / clock_mhz - 1e-9) / 100


def count_stream(logic: StreamLogic) -> Synthesis:
    """The cost model's count of a whole streamed top."""
    shell = logic.shell
    kernels = [
        KernelLogic(
            part.name,
            logic.kernels[part.name].program,
            logic.kernels[part.name].fsm,
            part.instances,
            logic.kernels[part.name].stage_delays_ns,
        )
        for part in logic.plan.kernels
    ]
    return estimate_stream(kernels, shell.lut, shell.ff)


def slower(
    logic: StreamLogic, counted: Synthesis, lut: float, ff: float = inf
) -> Throughput | None:
    """The highest throughput that takes no more LUTs and flip-flops; None where none does.

    counted: the cost model's count of ``logic``.
    """
    graph = logic.plan.graph
    clocks = range(1, logic.plan.source.width + 1)

    def fits(groups: int) -> bool:
        used_lut, used_ff = _at(logic, counted, lanes_for(graph, groups))
        return used_lut <= lut and used_ff <= ff

    found = bisect_left(clocks, True, key=fits)
    if found == len(clocks):
        return None
    return Throughput(lanes_for(graph, clocks[found]), clocks[found])


def _at(logic: StreamLogic, counted: Synthesis, lanes: int) -> tuple[float, float]:
    """LUTs and flip-flops with so many columns a clock."""
    layout = plan(logic.plan.graph, lanes)
    shell = count_shell(layout, schedule(layout, logic.kernels), logic.flag_bits)
    lut, ff = float(shell.lut), float(shell.ff)
    for part in layout.kernels:
        kernel = counted.details["kernels"][part.name]
        lut += kernel["lut"] * part.instances
        ff += kernel["ff"] * part.instances
    return lut, ff


def require_room(logic: FirmwareLogic, config: Config, device: Device) -> None:
    """Refuse a stream that is larger than the whole part, before anything is made of it.

    Raises ConfigError with the throughput that the part holds.
    """
    if not isinstance(logic, StreamLogic):
        return
    counted = count_stream(logic)
    used = (("LUT", counted.total.lut, device.lut), ("flip-flops", counted.total.ff, device.ff))
    over = [
        f"{count:,.0f} {name}, and a {device.name} has {there:,}"
        for name, count, there in used
        if count is not None and count > there
    ]
    if not over:
        return
    clock = config.target.clock_mhz
    now = Throughput(logic.plan.source.lanes, logic.plan.groups).text(clock)
    key, fix = "budget.ii_ns", "make the network smaller, or take a larger part"
    found = slower(logic, counted, device.lut, device.ff)
    if config.firmware.columns_per_clock is not None:
        key = "firmware.columns_per_clock"
    if found is None:
        fix = f"not even the slowest stream fits; {fix}"
    else:
        value = found.columns if "columns" in key else f"{found.interval_ns(clock):g}"
        fix = f"it holds {found.text(clock)} ({key}: {value}); or {fix}"
    raise ConfigError(Blocker(key, f"{now}, takes {' and '.join(over)}, by the cost model", fix))


def require_rough_room(graph: FixedGraph, config: Config, device: Device) -> str:
    """Refuse a flat pipeline that is far larger than the part, before it is traced for minutes.

    Returns what it takes, roughly, in words; nothing for a stream, whose kernels are soon traced.
    Raises ConfigError.
    """
    if config.firmware.streams(graph.streamable):
        return ""
    lut = sum(item.lut for item in rough_counts(graph).values())
    share = lut / device.lut
    if share <= FAR:
        return f"about {lut:,.0f} LUT by rules of thumb, {share:.2%} of a {device.name}"
    what = (
        f"the network takes about {lut:,.0f} LUT by rules of thumb, {share:.1f} times the "
        f"{device.lut:,} of a {device.name}"
    )
    fix = (
        "make it smaller first: trigger-ml compress prunes and narrows dense networks (QKeras: "
        "fewer bits, zeros by tfmot); or take a larger part"
    )
    raise ConfigError(Blocker("target.part", what, fix))


def room_hint(
    logic: FirmwareLogic, counted: tuple[Synthesis, ...], config: Config, device: Device
) -> str:
    """Which throughput stays within the LUTs that the budget grants; empty where all is well.

    counted: the cost model's count first, the one that is judged last. The first is scaled to the
    last, so the answer is "about".
    """
    estimated, judged = counted[0].total.lut, counted[-1].total.lut
    granted = device.lut * (config.budget.lut_share or 1.0)
    if not isinstance(logic, StreamLogic) or not estimated or not judged or judged <= granted:
        return ""
    found = slower(logic, counted[0], granted * estimated / judged)
    if found is None:
        return "no throughput stays within it"
    return f"about {found.text(config.target.clock_mhz)}, stays within it"
