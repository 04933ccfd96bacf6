"""What it costs to choose the connections of a graph in every event, instead of fixing them.

    python benchmarks/edge_connectivity.py BUILD [--output FOLDER]

BUILD is what `trigger-ml compile` made of a network on a graph (see docs/graphs.md). In it, the
ends of an edge and the edges of a node are wiring, and padding says which slots an event fills. The
peer is the same network with incidence bits as inputs, one-hot for the ends of an edge: each end
becomes a choice among all nodes of a column, each node adds up all edges of a column that its bits
let through. The parts that differ are written here as plain Verilog and counted by yosys, in the
same flow that counted the build; the kernels that both share are those of the build's report.
Writes ``connectivity.json`` and ``connectivity.md`` into FOLDER.
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

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.errors import Blocker, DataError
from trigger_ml.files import write_text
from trigger_ml.lower.stream.layout import KernelPlan, RowInput
from trigger_ml.lower.stream.plan import plan
from trigger_ml.records import load_build
from trigger_ml.report.schema import load_report
from trigger_ml.synth.yosys import find_engine, synthesize

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
        """Inputs that say what is connected, in one clock."""
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


def compare(build: Path) -> tuple[list[Part], float]:
    """The parts that differ, and the LUTs of the whole build by yosys.

    Raises DataError for a build of another kind, or without open synthesis.
    """
    stored = load_build(build)
    counted = load_report(build).resources.yosys
    whole = None if counted is None else counted.lut
    if stored.rtl[Hdl.VERILOG].stream is None or whole is None:
        what = "is no build of a network on a graph that yosys has counted"
        raise DataError(Blocker(str(build), what, "compile one, with open synthesis"))
    ports = stored.rtl[Hdl.VERILOG].stream
    layout = plan(stored.firmware, ports.source.lanes)
    parts = []
    known: dict[tuple[Any, ...], tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(prefix="connectivity_") as folder:
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
    if not parts:
        raise DataError(Blocker(str(build), "no rows of this network meet: it has no graph"))
    return parts, float(whole)


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
    parser.add_argument("build", type=Path)
    parser.add_argument("--output", type=Path, default=Path("build/connectivity"))
    options = parser.parse_args()
    parts, whole = compare(options.build)
    options.output.mkdir(parents=True, exist_ok=True)
    text = table(parts, whole)
    write_text(options.output / "connectivity.md", text)
    found = json.dumps(to_json(parts, whole), indent=1) + "\n"
    write_text(options.output / "connectivity.json", found)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
