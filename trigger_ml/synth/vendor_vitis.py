"""Reports of Vivado HLS and Vitis HLS: C synthesis (XML, or its text) and cosimulation.

``<top>_csynth.xml`` has the same elements from Vivado HLS 2018 to Vitis HLS 2024 (AMD UG902,
UG1399); a DSP is ``DSP48E`` in the first and ``DSP`` in the second. Vitis HLS's ``csynth.xml``
also has every module. BRAM_18K counts halves of a 36 Kb block RAM.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from trigger_ml.artifacts import Resources
from trigger_ml.synth.vendor_text import (
    Kind,
    State,
    VendorReport,
    broken,
    number,
    read_text,
    rows,
)

__all__ = ["read_cosim", "read_csynth", "read_csynth_text"]

LAST_VIVADO_HLS: Final = (2020, 1)
"""Release from which on C synthesis is Vitis HLS."""
LATENCY: Final[Mapping[str, str]] = {
    "latency_min_cycles": "Best-caseLatency",
    "latency_max_cycles": "Worst-caseLatency",
    "ii_min_cycles": "Interval-min",
    "ii_max_cycles": "Interval-max",
}
COSIM: Final = (
    "cosim_latency_min_cycles",
    "cosim_latency_avg_cycles",
    "cosim_latency_max_cycles",
    "cosim_ii_min_cycles",
    "cosim_ii_avg_cycles",
    "cosim_ii_max_cycles",
)


def read_csynth(path: Path) -> VendorReport:
    """The XML of a C synthesis. Raises DataError for another kind of file, or half of one."""
    kind = Kind.CSYNTH
    try:
        root = ET.fromstring(read_text(path, kind))
    except ET.ParseError as error:
        raise broken(path, kind, f"it is not XML: {error}") from error
    area = root.find("AreaEstimates/Resources")
    speed = root.find("PerformanceEstimates")
    if root.tag != "profile" or area is None or speed is None:
        raise broken(
            path, kind, "it has no <profile> with <PerformanceEstimates> and <AreaEstimates>"
        )
    counts, others = _counts({child.tag: child.text for child in area})
    if counts.lut is None:
        raise broken(path, kind, "it has no count of LUTs")
    period = number(root.findtext("UserAssignments/TargetClockPeriod"))
    estimated = number(speed.findtext("SummaryOfTimingAnalysis/EstimatedClockPeriod"))
    overall = "SummaryOfOverallLatency/"
    figures: dict[str, float | str | None] = {
        **others,
        "clock_period_ns": period,
        "estimated_period_ns": estimated,
        **{key: number(speed.findtext(overall + tag)) for key, tag in LATENCY.items()},
    }
    version = (root.findtext("ReportVersion/Version") or "").strip()
    return VendorReport(
        kind,
        path,
        "Vitis HLS" if root.find("UserAssignments/FlowTarget") is not None else _tool(version),
        version or "unknown",
        _text(root, "UserAssignments/TopModelName"),
        _text(root, "UserAssignments/Part"),
        State.ESTIMATED,
        counts,
        figures,
        _modules(root),
    )


def _text(root: ET.Element, place: str) -> str | None:
    return (root.findtext(place) or "").strip() or None


def _tool(version: str) -> str:
    release = tuple(map(int, re.findall(r"\d+", version)))[:2]
    return "Vivado HLS" if release and release <= LAST_VIVADO_HLS else "Vitis HLS"


def _counts(cells: Mapping[str, str | None]) -> tuple[Resources, dict[str, float | None]]:
    bram = number(cells.get("BRAM_18K"))
    dsp = next(
        (n for n in (number(cells.get(key)) for key in ("DSP", "DSP48E")) if n is not None), None
    )
    counted = Resources(
        lut=number(cells.get("LUT")),
        ff=number(cells.get("FF")),
        dsp=dsp,
        bram36=None if bram is None else bram / 2,
    )
    return counted, {"uram": number(cells.get("URAM"))}


def _modules(root: ET.Element) -> dict[str, Resources]:
    """Counts of the instances right below the top, where the file has its hierarchy."""
    counted: dict[str, Resources] = {}
    for module in root.iterfind("ModuleInformation/Module"):
        area = module.find("AreaEstimates/Resources")
        if area is not None:
            cells = {child.tag: child.text for child in area}
            counted[(module.findtext("Name") or "").strip()] = _counts(cells)[0]
    found = {}
    for instance in root.iterfind("RTLDesignHierarchy/TopModule/InstancesList/Instance"):
        name, module_name = _text(instance, "InstName"), _text(instance, "ModuleName")
        if name is not None and module_name in counted:
            found[name] = counted[module_name]
    return found


def read_csynth_text(path: Path) -> VendorReport:
    """The text of a C synthesis report, for where its XML was not kept.

    Raises DataError for another kind of file, or half of one.
    """
    kind = Kind.CSYNTH
    text = read_text(path, kind)
    match = re.search(r"^\s*== (Vivado|Vitis) HLS Report for '([^']+)'", text, re.MULTILINE)
    if match is None:
        raise broken(path, kind, "it has no line \"== Vitis HLS Report for '...'\"")
    total: Mapping[str, str | None] = {}
    columns: Sequence[str] = ()
    for cells in rows(text):
        if cells[0].strip() == "Name" and "LUT" in cells:
            columns = cells
        elif cells[0].strip() == "Total" and columns:
            total = dict(zip(columns, cells, strict=False))
            break
    counts, others = _counts(total)
    if counts.lut is None:
        raise broken(path, kind, "it has no row '|Total' with LUTs")
    version = re.search(r"^\s*\* Version:\s*(\S+)", text, re.MULTILINE)
    part = re.search(r"^\s*\* Target device:\s*(\S+)", text, re.MULTILINE)
    return VendorReport(
        kind,
        path,
        f"{match[1]} HLS",
        version[1] if version else "unknown",
        match[2],
        part[1] if part else None,
        State.ESTIMATED,
        counts,
        {**others, **_text_performance(text)},
    )


def _text_performance(text: str) -> dict[str, float | None]:
    """Clock and latency of the two summary tables."""
    found: dict[str, float | None] = dict.fromkeys(
        ("clock_period_ns", "estimated_period_ns", *LATENCY)
    )
    clock = re.search(r"^\s*\|ap_clk\s*\|([^|]*)\|([^|]*)\|", text, re.MULTILINE)
    if clock:
        target, estimated = (number(cell.replace("ns", "")) for cell in clock.groups())
        found |= {"clock_period_ns": target, "estimated_period_ns": estimated}
    table = text.partition("+ Latency")[2].partition("+ Detail")[0]
    lines = [cells for cells in rows(table) if number(cells[0]) is not None or cells[0] == "?"]
    if lines:
        # Late versions have two more columns, of the latency in time, before the interval.
        first, *_, low, high, _kind = lines[0]
        figures = (first, lines[0][1], low, high)
        found |= dict(zip(LATENCY, map(number, figures), strict=True))
    return found


def read_cosim(path: Path) -> VendorReport:
    """A cosimulation report: "Pass" or "Fail", latency and interval in clock cycles.

    The language that ran is the one whose status is not "NA".
    Raises DataError for another kind of file, or half of one.
    """
    kind = Kind.COSIM
    text = read_text(path, kind)
    lines = [cells for cells in rows(text) if cells[0].strip() in ("VHDL", "Verilog")]
    if not lines or any(len(cells) < 2 + len(COSIM) for cells in lines):
        raise broken(path, kind, "it has no rows '| Verilog | status | latency ... | interval ...'")
    ran = next((cells for cells in lines if cells[1] not in ("NA", "Not Run", "")), None)
    figures: dict[str, float | str | None] = {"cosim_rtl": None, "cosim_status": None}
    figures |= dict.fromkeys(COSIM)
    if ran is not None:
        figures |= {"cosim_rtl": ran[0].strip(), "cosim_status": ran[1]}
        figures |= dict(zip(COSIM, map(number, ran[2:]), strict=False))
    design = path.name.removesuffix("_cosim.rpt")
    return VendorReport(
        kind,
        path,
        "Vitis HLS",
        "unknown",
        design if design != path.name else None,
        figures=figures,
    )
