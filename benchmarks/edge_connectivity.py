"""What it costs to choose the connections of a graph in every event, instead of fixing them.

    python benchmarks/edge_connectivity.py [--layers 10] [--slots 3] [--output FOLDER]

An interaction network of one round with random weights, all at once: nodes in layers, edges between
all pairs of neighbouring layers. In it, the ends of an edge and the edges of a node are wiring, and
padding says which slots an event fills. The peer is the same network with incidence bits as inputs,
one-hot for the ends of an edge: each end becomes a choice among all nodes, each node adds up all
edges that its bits let through. The parts that differ are written here as plain Verilog; everything
is counted by yosys, in one flow. Writes ``connectivity.json`` and ``connectivity.md`` into FOLDER.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.config import Config
from trigger_ml.files import write_text
from trigger_ml.graph.model import (
    Concatenate,
    Conv2D,
    FixedGraph,
    Input,
    Node,
    Operation,
    Relu,
    Transpose,
    frozen_codes,
)
from trigger_ml.graph.types import Codes, FixedType, Overflow, Rounding
from trigger_ml.graph.verify import verify
from trigger_ml.lower.stream.layout import KernelPlan, RowInput
from trigger_ml.lower.stream.plan import plan
from trigger_ml.lower.stream.write import trace_stream, write_stream
from trigger_ml.synth.stream import synthesize_stream
from trigger_ml.synth.yosys import synthesize
from trigger_ml.synth.yosys_engine import find_engine

Shape = tuple[int, ...]
VALUE: Final = FixedType(4, 2, False, Rounding.RND, Overflow.SAT)
WEIGHT: Final = FixedType(4, 2)
SUM_TYPE: Final = FixedType(16, 9)

CHOICE: Final = """\
module choice (
    input  wire clk,
    input  wire [{rows}-1:0] chosen,
    input  wire [{rows}*{bits}-1:0] values,
    output reg  [{bits}-1:0] value
);
    reg [{bits}-1:0] found;
    integer row;
    always @* begin
        found = 0;
        for (row = 0; row < {rows}; row = row + 1)
            found = found | (values[row*{bits} +: {bits}] & {{{bits}{{chosen[row]}}}});
    end
    always @(posedge clk) value <= found;
endmodule
"""
"""One of some rows, by one-hot bits."""

SUM: Final = """\
module sum (
    input  wire clk,
    input  wire [{rows}-1:0] chosen,
    input  wire [{rows}*{bits}-1:0] values,
    output reg  [{out}-1:0] total
);
    reg [{out}-1:0] found;
    integer row;
    always @* begin
        found = 0;
        for (row = 0; row < {rows}; row = row + 1)
            found = found + (values[row*{bits} +: {bits}] & {{{bits}{{{gate}}}}});
    end
    always @(posedge clk) total <= found;
endmodule
"""
"""Sum of rows, all of them or those chosen by bits."""


@dataclass(frozen=True, slots=True)
class Part:
    """One input of a kernel that another row's values come through.

    rows: those of a column that it could be chosen from. terms: those that it adds up. places:
    how often the kernel stands in the top. fixed_lut, chosen_lut: of all places; a fixed end of an
    edge is a wire.
    """

    kernel: str
    source: str
    rows: int
    terms: int
    places: int
    channels: int
    bits: int
    fixed_lut: float
    chosen_lut: float

    @property
    def incidence_bits(self) -> int:
        """Inputs that say what is connected."""
        return self.rows * self.places


def parts_of(kernel: KernelPlan) -> Iterator[tuple[str, int, int, int, int]]:
    """Source, rows of a column, terms of the sum, channels and bits of what is not a row's own."""
    for read, rows in kernel.rows:
        if not _own(kernel, rows):
            stream = kernel.reads[read].stream
            kind = stream.kind
            yield stream.name, stream.height, len(rows[0]), stream.channels, kind.width


def _own(kernel: KernelPlan, rows: RowInput) -> bool:
    """Whether every place reads its own row."""
    return all(
        [(pick.tap, pick.row) for pick in picks if pick] == [(kernel.left, place)]
        for place, picks in enumerate(rows)
    )


def count(text: str, work: Path) -> float:
    """LUTs of one module by yosys."""
    work.mkdir(parents=True)
    top = text.split()[1]
    source = work / f"{top}.v"
    source.write_text(text, encoding="utf-8")
    project = RtlProject(work, Hdl.VERILOG, top, top, (source,), 1, 1, 1, 360.0)
    found = synthesize(project, work=work / "yosys", engine=find_engine()).total.lut
    assert found is not None
    return found


def network(layers: int, slots: int, seed: int = 0) -> FixedGraph:
    """Edges of 6 features with 4 bits to nodes of 8, and back to 8 hidden ones and a score;
    every second weight of 4 bits is zero."""
    rng = np.random.default_rng(seed)
    ends = [
        (gap * slots + a, (gap + 1) * slots + b)
        for gap in range(layers - 1)
        for a in range(slots)
        for b in range(slots)
    ]
    edges, nodes = len(ends), layers * slots
    inner, outer = np.eye(nodes, dtype=np.int64)[np.transpose(ends)]
    made = [Node("edge", Input(), (), (edges, 1, 6), VALUE)]

    def add(name: str, operation: Operation, reads: tuple[str, ...], shape: Shape) -> str:
        kind = VALUE if isinstance(operation, Relu | Transpose | Concatenate) else SUM_TYPE
        made.append(Node(name, operation, reads, shape, kind))
        return name

    def dense(name: str, source: str, rows: int, inputs: int, outputs: int, last: bool) -> str:
        weight = rng.integers(-7, 8, (1, 1, inputs, outputs)) * rng.integers(
            0, 2, (inputs, outputs)
        )
        add(name, _convolution(weight), (source,), (rows, 1, outputs))
        return name if last else add(f"{name}_relu", Relu(), (name,), (rows, 1, outputs))

    def mix(name: str, source: str, channels: int, ones: Codes) -> str:
        """ones: (rows, new rows)."""
        swapped = (channels, 1, len(ones))
        add(f"{name}_in", Transpose((2, 1, 0)), (source,), swapped)
        add(
            f"{name}_sum",
            _convolution(ones[None, None]),
            (f"{name}_in",),
            (channels, 1, ones.shape[1]),
        )
        shape = (ones.shape[1], 1, channels)
        made.append(Node(name, Transpose((2, 1, 0)), (f"{name}_sum",), shape, SUM_TYPE))
        return name

    sums = (mix("entering", "edge", 6, outer), mix("leaving", "edge", 6, inner))
    add("sums", Concatenate(), sums, (nodes, 1, 12))
    node = dense("node", "sums", nodes, 12, 8, last=False)
    around = (mix("sender", node, 8, inner.T), mix("receiver", node, 8, outer.T), "edge")
    add("around", Concatenate(), around, (edges, 1, 22))
    dense("score", dense("hidden", "around", edges, 22, 8, last=False), edges, 8, 1, last=True)
    return verify(FixedGraph("connectivity", tuple(made), ("score",)))


def _convolution(weight: Codes) -> Conv2D:
    bias = frozen_codes(np.zeros(weight.shape[3]))
    kernel = frozen_codes(weight)
    return Conv2D(kernel, WEIGHT, bias, WEIGHT, SUM_TYPE, (1, 1), (0, 0, 0, 0))


def compare(graph: FixedGraph) -> tuple[list[Part], float]:
    """The parts that differ, and the LUTs of the whole network with fixed connections."""
    config = Config()
    parts = []
    known: dict[tuple[Any, ...], tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(prefix="connectivity_") as folder:
        layout = plan(graph, 1)
        logic = trace_stream(layout, config.target, config.firmware)
        project = write_stream(logic, config.target, "network", Path(folder) / "rtl")
        whole = synthesize_stream(project, work=Path(folder) / "network").total.lut
        assert whole is not None
        for kernel in layout.kernels:
            for source, rows, terms, channels, bits in parts_of(kernel):
                key = (rows, terms, bits)
                if key not in known:
                    known[key] = _both(*key, Path(folder) / str(len(known)))
                fixed, chosen = (lut * channels * kernel.instances for lut in known[key])
                parts.append(
                    Part(
                        kernel.name,
                        source,
                        rows,
                        terms,
                        kernel.instances,
                        channels,
                        bits,
                        fixed,
                        chosen,
                    )
                )
    return parts, whole


def _both(rows: int, terms: int, bits: int, work: Path) -> tuple[float, float]:
    """LUTs of one channel at one place: fixed, and chosen."""
    if terms == 1:
        return 0.0, count(CHOICE.format(rows=rows, bits=bits), work / "choice")
    out = bits + (terms - 1).bit_length()
    texts = {
        "fixed": SUM.format(rows=terms, bits=bits, out=out, gate="1'b1"),
        "chosen": SUM.format(rows=rows, bits=bits, out=out, gate="chosen[row]"),
    }
    fixed, chosen = (count(text, work / name) for name, text in texts.items())
    return fixed, chosen


def table(parts: list[Part], whole: float) -> str:
    """The comparison as Markdown."""
    lines = [
        "| kernel | reads | of rows | adds up | fixed LUT | chosen LUT | incidence bits |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {part.kernel} x {part.places} | {part.source} | {part.rows} | {part.terms} | "
        f"{part.fixed_lut:,.0f} | {part.chosen_lut:,.0f} | {part.incidence_bits:,} |"
        for part in parts
    ]
    chosen = whole - sum(part.fixed_lut for part in parts) + sum(p.chosen_lut for p in parts)
    lines += [
        "",
        f"Whole network: {whole:,.0f} LUT with fixed connections, {chosen:,.0f} with chosen ones: "
        f"{chosen / whole:.2f} times as many.",
        "",
    ]
    return "\n".join(lines)


def to_json(parts: list[Part], whole: float) -> Mapping[str, Any]:
    """The comparison for JSON."""
    return {
        "schema": 1,
        "fixed_lut": whole,
        "chosen_lut": whole + sum(part.chosen_lut - part.fixed_lut for part in parts),
        "parts": [{**asdict(part), "incidence_bits": part.incidence_bits} for part in parts],
    }


def main() -> None:
    """Count, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("--slots", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("build/connectivity"))
    options = parser.parse_args()
    parts, whole = compare(network(options.layers, options.slots))
    options.output.mkdir(parents=True, exist_ok=True)
    text = table(parts, whole)
    write_text(options.output / "connectivity.md", text)
    found = json.dumps(to_json(parts, whole), indent=1) + "\n"
    write_text(options.output / "connectivity.json", found)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
