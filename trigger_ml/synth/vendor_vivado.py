"""Vivado's text reports: utilization, flat and by hierarchy, and the timing summary.

Layouts of 2019.1 to 2024.2 (AMD UG835, UG906): UltraScale and UltraScale+ name their logic "CLB",
the 7 series "Slice"; from 2021 on there is a column "Prohibited"; the asterisk of "CLB LUTs*" is a
footnote. A timing summary names its design state only in late versions: in others it follows from
the nets of the paths that it lists, which are "unplaced", "estimated" or "routed".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from trigger_ml.artifacts import Resources
from trigger_ml.synth.vendor_text import (
    Kind,
    State,
    VendorReport,
    broken,
    header,
    number,
    read_text,
    rows,
    state_of,
)

__all__ = ["read_hierarchy", "read_timing", "read_utilization"]

SITES: Final[Mapping[str, str]] = {
    "clb luts": "lut",
    "slice luts": "lut",
    "clb registers": "ff",
    "slice registers": "ff",
    "block ram tile": "bram36",
    "dsps": "dsp",
    "carry8": "carry8",
    "uram": "uram",
    "lut as logic": "lut_logic",
    "lut as memory": "lut_memory",
    "lut as shift register": "lut_shift_register",
}
"""Rows of the flat report by what we call them. A block RAM tile is 36 Kb (UG573)."""
WHOLE: Final = ("lut", "ff", "bram36", "dsp")
"""Rows that every flat report has; one without them was cut off."""
COLUMNS: Final[Mapping[str, str]] = {
    "total luts": "lut",
    "ffs": "ff",
    "ramb36": "ramb36",
    "ramb18": "ramb18",
    "uram": "uram",
    "dsp blocks": "dsp",
    "dsp48 blocks": "dsp",
    "dsp slices": "dsp",
}
INDENT: Final = 2
"""Blanks by which a hierarchical report indents one level."""
SUMMARY: Final = ("wns_ns", "tns_ns", "setup_failing", "setup_endpoints") + (
    "whs_ns",
    "ths_ns",
    "hold_failing",
    "hold_endpoints",
    "wpws_ns",
)
"""Columns of the design timing summary, in order."""
_CLOCK: Final = re.compile(r"^(\s*\S+)\s+\{[^}]*\}\s+([\d.]+)\s+[\d.]+\s*$")
_NET: Final = re.compile(r"\bnet \(fo=\d+, (unplaced|estimated|routed)\)")


def _head(text: str, path: Path, kind: Kind) -> dict[str, str]:
    found = header(text)
    if "Tool Version" not in found:
        raise broken(path, kind, "it has no line '| Tool Version : Vivado v...'")
    return found


def _version(head: Mapping[str, str]) -> str:
    match = re.search(r"v\.?(\d[\w.]*)", head["Tool Version"])
    return match[1] if match else head["Tool Version"]


def _report(kind: Kind, path: Path, head: Mapping[str, str]) -> VendorReport:
    """What the header says."""
    state = state_of(head.get("Design State"))
    design, part = head.get("Design"), head.get("Device")
    return VendorReport(kind, path, "Vivado", _version(head), design, part, state)


def read_utilization(path: Path) -> VendorReport:
    """A flat utilization report. Raises DataError for another kind of file and for half of one."""
    kind = Kind.UTILIZATION
    text = read_text(path, kind)
    head = _head(text, path, kind)
    found: dict[str, float | None] = {}
    used: int | None = None
    for cells in rows(text):
        first = cells[0].strip()
        if first in ("Site Type", "Ref Name"):
            used = cells.index("Used") if "Used" in cells else None
        elif used is not None and used < len(cells):
            key = SITES.get(first.rstrip("* ").lower())
            key = "carry4" if first == "CARRY4" else key
            if key is not None:
                found.setdefault(key, number(cells[used]))
    absent = [key for key in WHOLE if found.get(key) is None]
    if absent:
        raise broken(path, kind, f"it has no count of {', '.join(absent)}")
    counts = {key: found.pop(key, None) for key in ("lut", "ff", "dsp", "bram36", "carry8")}
    return replace(_report(kind, path, head), resources=Resources(**counts), figures=found)


def read_hierarchy(path: Path) -> VendorReport:
    """Utilization by hierarchy: the top, and what stands right below it.

    Where nothing but one instance does (a wrapper around its core), what stands below that.
    Raises DataError for another kind of file and for half of one.
    """
    kind = Kind.HIERARCHY
    text = read_text(path, kind)
    head = _head(text, path, kind)
    columns: dict[str, int] = {}
    entries: list[tuple[int, str, Sequence[str]]] = []
    for cells in rows(text):
        if cells[0].strip() == "Instance":
            columns = {COLUMNS[c.lower()]: k for k, c in enumerate(cells) if c.lower() in COLUMNS}
        elif columns and len(cells) > max(columns.values()):
            name = cells[0].strip()
            depth = (len(cells[0]) - len(cells[0].lstrip())) // INDENT
            entries.append((depth, name, cells))
    if "lut" not in columns or not entries:
        raise broken(path, kind, "it has no table 'Instance | Module | Total LUTs | ...'")
    (depth, _, top), below = entries[0], entries[1:]
    names: dict[str, Resources] = {}
    while below:
        depth += 1
        level = [(k, name) for k, (at, name, _) in enumerate(below) if at == depth]
        named = [(k, name) for k, name in level if not name.startswith("(")]
        if not named:
            break
        names = {name: _row(below[k][2], columns)[0] for k, name in level}
        if len(named) > 1:
            break
        below = below[named[0][0] + 1 :]
    total, others = _row(top, columns)
    report = _report(kind, path, head)
    return replace(report, resources=total, figures=others, by_layer=names)


def _row(
    cells: Sequence[str], columns: Mapping[str, int]
) -> tuple[Resources, dict[str, float | None]]:
    found = {key: number(cells[k]) for key, k in columns.items()}
    large, small = found.get("ramb36"), found.get("ramb18")
    bram = None if large is None or small is None else large + small / 2
    counted = Resources(lut=found.get("lut"), ff=found.get("ff"), dsp=found.get("dsp"), bram36=bram)
    return counted, {"uram": found.get("uram")}


def read_timing(path: Path) -> VendorReport:
    """A timing summary: worst slacks of setup, hold and pulse width, and the clock's period.

    Raises DataError for another kind of file and for half of one.
    """
    kind = Kind.TIMING
    text = read_text(path, kind)
    head = _head(text, path, kind)
    values = _after(text, "Design Timing Summary", path)
    figures: dict[str, float | str | None] = dict(zip(SUMMARY, map(number, values), strict=False))
    clock, period = _clock(text)
    figures |= {"clock": clock, "clock_period_ns": period, "fmax_mhz": None}
    slack = figures["wns_ns"]
    if isinstance(slack, float) and period is not None and period > slack:
        figures["fmax_mhz"] = 1e3 / (period - slack)
    report = replace(_report(kind, path, head), figures=figures)
    if "Design State" in head:
        return report
    return replace(report, state=_state_by_nets(text))


def _after(text: str, title: str, path: Path) -> list[str]:
    """Cells of the one line below the dashes of a titled table."""
    lines = text.partition(f"| {title}")[2].splitlines()
    for k, line in enumerate(lines):
        if line.split()[:1] == ["WNS(ns)"]:
            values = lines[k + 2].split() if k + 2 < len(lines) else []
            if len(values) >= len(SUMMARY) - 1:
                return values
            break
    raise broken(path, Kind.TIMING, f"it has no figures under '{title}'")


def _clock(text: str) -> tuple[str | None, float | None]:
    """Name and period [ns] of the clock; of several, the one with the worst slack."""
    table = text.partition("| Clock Summary")[2].partition("| Intra Clock Table")[0]
    found = [match for match in map(_CLOCK.match, table.splitlines()) if match]
    periods = {match[1].strip(): float(match[2]) for match in found}
    if len(periods) == 1:
        return next(iter(periods.items()))
    table = text.partition("| Intra Clock Table")[2].partition("| Inter Clock Table")[0]
    slacks: dict[str, float] = {}
    for line in table.splitlines():
        name, *values = line.split() or [""]
        slack = number(values[0]) if values else None
        if name in periods and slack is not None:
            slacks[name] = slack
    if not slacks:
        return None, None
    worst = min(slacks, key=lambda name: slacks[name])
    return worst, periods[worst]


def _state_by_nets(text: str) -> State | None:
    kinds = set(_NET.findall(text))
    if "unplaced" in kinds:
        return State.SYNTHESIZED
    if "estimated" in kinds:
        return State.PLACED
    return State.ROUTED if "routed" in kinds else None
