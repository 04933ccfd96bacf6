"""The text of a streamed top: framing, windows, kernels, borders, output groups.

Ports of the top, all in one clock:

    in_valid, in_start   a group of columns, and whether it is an image's first
    in_bx                bunch crossing of the image, taken with its first group
    in_flags             flags of the image, likewise; not there without any
    in_data              lanes columns, the image's first lowest; a column is rows outside,
                         channels inside, the first element lowest
    out_valid, out_start, out_bx, out_flags, out_data   the same for the masks
    out_error            see firmware/trigger_ml_stream_frame.v
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Final

from trigger_ml.lower.stream.kernels import Kernel
from trigger_ml.lower.stream.layout import Border, KernelPlan, Read, Repeat, Stream, StreamPlan
from trigger_ml.lower.stream.schedule import schedule
from trigger_ml.lower.stream.statements import (
    instance,
    joined,
    outside,
    register,
    row_picks,
    steps_back,
    tap_columns,
)

__all__ = ["BX_BITS", "MODULES", "top_module"]

BX_BITS: Final = 12
"""Bits of the bunch-crossing identifier: an LHC orbit has 3,564 crossings."""

MODULES: Final = ("frame", "history", "since", "delay")
"""Hand-written modules, ``firmware/trigger_ml_stream_<name>.v``."""


def top_module(
    top: str,
    plan: StreamPlan,
    kernels: Mapping[str, Kernel],
    modules: Mapping[str, str],
    flag_bits: int = 0,
) -> str:
    """The text of the top. modules: name of each kernel's module, by the kernel's name.

    flag_bits: of the flags that go in and leave with every image.
    """
    return "\n".join(_Top(top, plan, kernels, modules, flag_bits).lines()) + "\n"


def _bits(count: int) -> int:
    """Bits of a counter up to ``count``."""
    return max(count.bit_length(), 1)


class _Top:
    """Writes one top. Signals of a stream are named after its place, s0, s1, ..."""

    def __init__(
        self,
        top: str,
        plan: StreamPlan,
        kernels: Mapping[str, Kernel],
        modules: Mapping[str, str],
        flag_bits: int,
    ) -> None:
        self._top, self._plan, self._kernels, self._modules = top, plan, kernels, modules
        self._flags = flag_bits
        # Crossing and flags wait in the same registers, the crossing lowest.
        self._bx_bits = BX_BITS + flag_bits
        self._times = schedule(plan, kernels)
        names = [plan.source.name, *(part.output.name for part in plan.parts)]
        self._signal = {name: f"s{k}" for k, name in enumerate(names)}
        self._delayed: dict[tuple[str, int], str] = {}

    def lines(self) -> Iterator[str]:
        yield from self._head()
        yield from self._frame()
        for number, part in enumerate(self._plan.parts):
            if isinstance(part, Repeat):
                yield from self._repeat(part)
            else:
                yield from self._kernel(number, part)
        yield from self._output()
        yield from ("endmodule", "", "`default_nettype wire")

    def _head(self) -> Iterator[str]:
        plan, source, result = self._plan, self._plan.source, self._plan.result
        latency = plan.groups + plan.flush + self._times.total
        yield from (
            f"// {self._top}: {plan.graph.name} as a stream of columns. Written by trigger_ml.",
            "//",
            f"// An image is {plan.groups} groups of {source.lanes} columns "
            f"({source.width} columns; what is beyond them is not looked at).",
            f"// From the edge that takes its first group to the one that can take its last mask: "
            f"{latency} clocks at full rate.",
            f"//   in_data    {source.lanes} x {source.height} x {source.channels} {source.kind}",
            f"//   out_data   {result.lanes} x {result.height} x {result.channels} {result.kind}",
            "",
            "`timescale 1 ns / 1 ps",
            "`default_nettype none",
            "",
            f"module {self._top} (",
            "    input  wire clk,",
            "    input  wire rst,",
            "    input  wire in_valid,",
            "    input  wire in_start,",
            f"    input  wire [{BX_BITS - 1}:0] in_bx,",
            *([f"    input  wire [{self._flags - 1}:0] in_flags,"] if self._flags else []),
            f"    input  wire [{source.lanes * source.column_bits - 1}:0] in_data,",
            "    output wire out_valid,",
            "    output wire out_start,",
            f"    output wire [{BX_BITS - 1}:0] out_bx,",
            *([f"    output wire [{self._flags - 1}:0] out_flags,"] if self._flags else []),
            f"    output wire [{result.lanes * result.column_bits - 1}:0] out_data,",
            "    output wire out_error",
            ");",
            "",
        )

    def _frame(self) -> Iterator[str]:
        plan, total = self._plan, max(self._times.total, 1)
        yield from (
            "wire step, real_group, first, last;",
            *instance(
                "trigger_ml_stream_frame",
                "frame",
                {
                    "GROUPS": plan.groups,
                    "FLUSH": plan.flush,
                    "BITS": _bits(plan.groups),
                    "FLUSH_BITS": _bits(plan.flush),
                },
                {
                    **{name: name for name in ("clk", "rst", "in_valid", "in_start")},
                    **{name: name for name in ("step", "real_group", "first", "last")},
                    "error": "out_error",
                },
            ),
            "",
            *register(self._signal[plan.source.name], plan.source, "in_valid", "in_data"),
            f"reg [{self._bx_bits - 1}:0] bx;",
            "always @(posedge clk) if (in_valid & in_start) "
            f"bx <= {'{in_flags, in_bx}' if self._flags else 'in_bx'};",
            "",
        )
        for tag in ("step", "real_group", "first", "last"):
            yield f"wire [{total}:0] {tag}_at;"
            yield from instance(
                "trigger_ml_stream_since",
                f"{tag}_line",
                {"STEPS": total},
                {"clk": "clk", "rst": "rst", "step": "1'b1", "tag": tag, "since": f"{tag}_at"},
            )
        yield ""

    def _repeat(self, part: Repeat) -> Iterator[str]:
        source, output = part.source, part.output
        bits = source.channels * source.kind.width
        slices = [
            f"{self._signal[source.name]}[{(lane * source.height + row) * bits} +: {bits}]"
            for lane in range(source.lanes)
            for _ in range(part.columns)
            for row in range(source.height)
            for _ in range(part.rows)
        ]
        name = self._signal[output.name]
        yield f"// {output.name}: every element {part.rows} x {part.columns} times"
        yield f"wire [{output.lanes * output.column_bits - 1}:0] {name} = {joined(slices)};"
        yield ""

    def _kernel(self, number: int, part: KernelPlan) -> Iterator[str]:
        ready = self._times.ready(part)
        output, name = part.output, self._signal[part.output.name]
        what = "columns to a row" if part.rows else "columns to one"
        yield f"// {part.name}: {part.taps} {what}, {part.instances} times"
        yield f"wire [{output.lanes * output.column_bits - 1}:0] {name};"
        windows = []
        for place, read in enumerate(part.reads):
            windows.append(f"window{number}_{place}")
            yield from self._window(windows[-1], read, ready)
        gates = yield from self._gates(number, part, ready)
        by_lane: dict[int, dict[int, str]] = {}
        for border, gate in gates:
            by_lane.setdefault(border.lane, {})[border.tap] = gate
        for lane in range(output.lanes):
            gated = by_lane.get(lane, {})
            bits = output.column_bits // part.places
            for place in range(part.places):
                if part.rows:
                    taps = row_picks(windows, part, lane, place, gated)
                else:
                    taps = [
                        tap
                        for window, read in zip(windows, part.reads, strict=True)
                        for tap in tap_columns(window, read, part, lane, gated)
                    ]
                at = f"{name}[{(lane * part.places + place) * bits} +: {bits}]"
                label = f"kernel{number}_{lane}" + (f"_{place}" if part.rows else "")
                yield (
                    f"{self._modules[part.name]} {label} "
                    f"(.clk(clk), .window({joined(taps)}), .column({at}));"
                )
        yield ""

    def _window(self, name: str, read: Read, ready: int) -> Iterator[str]:
        """The columns that a kernel can see: those of earlier steps, then this step's."""
        stream = read.stream
        bits, kept = stream.lanes * stream.column_bits, read.history * stream.column_bits
        columns = yield from self._wait(stream, ready)
        yield f"wire [{bits + kept - 1}:0] {name};"
        if not kept:
            yield f"assign {name} = {columns};"
            return
        yield from instance(
            "trigger_ml_stream_history",
            f"{name}_history",
            {"BITS": bits, "KEPT": kept},
            {"clk": "clk", "step": f"step_at[{ready}]", "columns": columns, "window": name},
        )

    def _wait(self, stream: Stream, ready: int) -> Generator[str, None, str]:
        """A stream as late as another one; returns its signal."""
        clocks = ready - self._times.clocks[stream.name]
        signal = self._signal[stream.name]
        if clocks == 0:
            return signal
        key = (signal, clocks)
        if key not in self._delayed:
            late = self._delayed[key] = f"{signal}_late{clocks}"
            bits = stream.lanes * stream.column_bits
            yield f"wire [{bits - 1}:0] {late};"
            yield from instance(
                "trigger_ml_stream_delay",
                f"{late}_delay",
                {"BITS": bits, "CLOCKS": clocks},
                {"clk": "clk", "data": signal, "delayed": late},
            )
        return self._delayed[key]

    def _gates(
        self, number: int, part: KernelPlan, ready: int
    ) -> Generator[str, None, list[tuple[Border, str]]]:
        """Signals that are low when a tap lies outside the image; returns one for each border."""
        yield from self._since(f"kernel{number}", part.borders, ready)
        gates: dict[tuple[tuple[int, ...], ...], str] = {}
        found = []
        for border in part.borders:
            key = (border.first, border.last, border.within)
            if key not in gates:
                gates[key] = f"inside{number}_{len(gates)}"
                yield f"wire {gates[key]} = ~({outside(f'kernel{number}', *key)});"
            found.append((border, gates[key]))
        return found

    def _since(self, prefix: str, borders: Sequence[Border], ready: int) -> Iterator[str]:
        """The first and last tags in steps, as far back as the borders look."""
        first = [step for border in borders for step in (*border.first, *border.within)]
        last = [step for border in borders for step in border.last]
        for tag, steps in (("first", first), ("last", last)):
            if steps:
                yield from steps_back(f"{prefix}_{tag}", tag, max(steps), ready)

    def _output(self) -> Iterator[str]:
        plan, result, ready = self._plan, self._plan.result, self._times.total
        bits, kept = result.lanes * result.column_bits, plan.history * result.column_bits
        name = self._signal[result.name]
        yield f"// Out groups: {result.name} begins {result.offset} columns late."
        within = [step for group in self._beyond for step in self._at_group(group)[2]]
        for tag in ("real_group", "first", "last"):
            steps = max(plan.flush, *within, 0) if tag == "first" else plan.flush
            yield from steps_back(f"out_{tag}", tag, steps, ready)
        yield f"assign out_valid = step_at[{ready}] & out_real_group[{plan.flush}];"
        yield f"assign out_start = out_valid & out_first[{plan.flush}];"
        bx = "bx"
        if ready:
            yield f"wire [{self._bx_bits - 1}:0] late_bx;"
            yield from instance(
                "trigger_ml_stream_delay",
                "bx_delay",
                {"BITS": self._bx_bits, "CLOCKS": ready},
                {"clk": "clk", "data": "bx", "delayed": "late_bx"},
            )
            bx = "late_bx"
        yield from self._kept("bx", bx, self._bx_bits, self._bx_bits * plan.flush)
        yield f"assign out_bx = bx_window[{BX_BITS - 1}:0];"
        if self._flags:
            yield f"assign out_flags = bx_window[{self._bx_bits - 1}:{BX_BITS}];"
        yield from self._kept("out", name, bits, kept)
        data = f"out_window[{bits - 1}:0]"
        for group, inside in self._beyond.items():
            kept_bits = inside * result.column_bits
            gate = outside("out", *self._at_group(group))
            beyond = [f"{{{bits - kept_bits}{{{gate}}}}}"]
            if kept_bits:
                beyond.insert(0, f"{{{kept_bits}{{1'b0}}}}")
            data += f" & ~{joined(beyond)}"
        yield f"assign out_data = {data};"
        yield ""

    @property
    def _beyond(self) -> dict[int, int]:
        """Groups with columns beyond the output, and how many of each are inside."""
        result = self._plan.result
        inside = {group: result.width - group * result.lanes for group in range(self._plan.groups)}
        return {group: max(count, 0) for group, count in inside.items() if count < result.lanes}

    def _at_group(self, group: int) -> tuple[tuple[int, ...], ...]:
        """When a group of the output leaves, as the steps of a :class:`Border`."""
        step, last = self._plan.flush + group, self._plan.groups - 1
        return ((), (step - last,), ()) if step >= last else ((), (), (step,))

    def _kept(self, name: str, source: str, bits: int, kept: int) -> Iterator[str]:
        """``<name>_window``: a signal with its history, in steps of the output."""
        yield f"wire [{bits + kept - 1}:0] {name}_window;"
        if not kept:
            yield f"assign {name}_window = {source};"
            return
        yield from instance(
            "trigger_ml_stream_history",
            f"{name}_history",
            {"BITS": bits, "KEPT": kept},
            {
                "clk": "clk",
                "step": f"step_at[{self._times.total}]",
                "columns": source,
                "window": f"{name}_window",
            },
        )
