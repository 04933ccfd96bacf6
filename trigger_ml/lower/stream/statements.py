"""Verilog statements that a streamed top is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trigger_ml.lower.packing import Element, connect, total_bits
from trigger_ml.lower.stream.kernels import Kernel
from trigger_ml.lower.stream.layout import KernelPlan, Read, Stream
from trigger_ml.lower.wrapper import Core, verilog_assignment

__all__ = [
    "instance",
    "joined",
    "kernel_module",
    "outside",
    "register",
    "row_picks",
    "steps_back",
    "tap_columns",
]


def kernel_module(name: str, core: Core, kernel: Kernel) -> str:
    """The module around a kernel's pipeline, with ports in the declared types.

    name: of the module.
    """
    graph = kernel.plan.graph
    into = [Element.of_type(kind) for kind in graph.input_types]
    out = [Element.of_type(kind) for kind in graph.output_types]
    lines = [
        *(verilog_assignment("core_in", "window", piece) for piece in connect(into, core.inputs)),
        *(verilog_assignment("column", "core_out", piece) for piece in connect(core.outputs, out)),
    ]
    body = "\n".join(f"    {line}" for line in lines)
    made = "row" if kernel.plan.rows else "column"
    return f"""\
// {name}: one {made} of {graph.outputs[0]} from a window of {kernel.plan.taps}, one a clock, \
{core.latency_cycles} clocks later.
// Written by trigger_ml.

`timescale 1 ns / 1 ps
`default_nettype none

module {name} (
    input  wire clk,
    input  wire [{total_bits(into) - 1}:0] window,
    output wire [{total_bits(out) - 1}:0] column
);

    wire [{total_bits(core.inputs) - 1}:0] core_in;
    wire [{total_bits(core.outputs) - 1}:0] core_out;

{body}

    {core.name} core (
        .{core.clock_port}(clk),
        .{core.input_port}(core_in),
        .{core.output_port}(core_out)
    );

endmodule

`default_nettype wire
"""


def steps_back(name: str, tag: str, steps: int, ready: int) -> Iterator[str]:
    """``<name>[k]``: a tag of k steps ago, at a place ``ready`` clocks down the pipeline."""
    yield f"wire [{steps}:0] {name};"
    if steps == 0:
        yield f"assign {name} = {tag}_at[{ready}];"
        return
    yield from instance(
        "trigger_ml_stream_since",
        f"{name}_steps",
        {"STEPS": steps},
        {
            "clk": "clk",
            "rst": "rst",
            "step": f"step_at[{ready}]",
            "tag": f"{tag}_at[{ready}]",
            "since": name,
        },
    )


def outside(
    prefix: str, first: Sequence[int], last: Sequence[int], within: Sequence[int] = ()
) -> str:
    """Whether the image's first, or last, group came one of these numbers of steps ago.

    within: likewise the first, with none after it.
    """
    terms = [f"{prefix}_first[{step}]" for step in first]
    terms += [f"{prefix}_last[{step}]" for step in last]
    terms += [_at_step(f"{prefix}_first", step) for step in within]
    return " | ".join(terms)


def _at_step(since: str, step: int) -> str:
    """Whether the newest tag came so many steps ago."""
    return f"({since}[{step}] & ~|{since}[{step - 1}:0])" if step else f"{since}[0]"


def tap_columns(
    window: str, read: Read, part: KernelPlan, lane: int, gates: Mapping[int, str]
) -> list[str]:
    """The columns of one lane's window, the first tap first, those near a border gated."""
    bits = read.stream.column_bits
    start = read.start + lane * part.stride
    if not gates:
        return [f"{window}[{start * bits} +: {part.taps * bits}]"]
    found = []
    for tap in range(part.taps):
        column = f"{window}[{(start + tap) * bits} +: {bits}]"
        gate = gates.get(tap)
        found.append(column if gate is None else f"{column} & {{{bits}{{{gate}}}}}")
    return found


def row_picks(
    windows: Sequence[str], part: KernelPlan, lane: int, place: int, gates: Mapping[int, str]
) -> list[str]:
    """The rows that a kernel for single rows reads at one place, in the order of its inputs.

    windows: signals of what the kernel reads. gates: of taps that may lie outside the image.
    """
    found = []
    for number, rows in part.rows:
        read = part.reads[number]
        stream = read.stream
        bits = stream.channels * stream.kind.width
        for pick in rows[place]:
            if pick is None:
                found.append(f"{bits}'b0")
                continue
            first = (read.start + lane + pick.tap) * stream.column_bits + pick.row * bits
            row = f"{windows[number]}[{first} +: {bits}]"
            gate = gates.get(pick.tap)
            found.append(row if gate is None else f"{row} & {{{bits}{{{gate}}}}}")
    return found


def joined(parts: Sequence[str]) -> str:
    """A concatenation, the first part lowest."""
    return parts[0] if len(parts) == 1 else f"{{{', '.join(reversed(parts))}}}"


def register(name: str, stream: Stream, enable: str, source: str) -> tuple[str, ...]:
    """A register for a stream's columns that takes ``source`` when it is enabled."""
    high = stream.lanes * stream.column_bits - 1
    return (
        f"reg [{high}:0] {name};",
        f"always @(posedge clk) if ({enable}) {name} <= {source};",
    )


def instance(
    module: str, name: str, parameters: Mapping[str, int], ports: Mapping[str, str]
) -> tuple[str, ...]:
    """An instance of a module."""
    settings = ", ".join(f".{key}({value})" for key, value in parameters.items())
    wires = ", ".join(f".{key}({value})" for key, value in ports.items())
    return (f"{module} #({settings}) {name} ({wires});",)
