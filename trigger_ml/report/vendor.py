"""Vendor figures put into a report that exists already, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trigger_ml.artifacts import Synthesis, Verdict
from trigger_ml.report.measured import VENDORS, judged_section, origin_section, routed_slack
from trigger_ml.report.schema import Report
from trigger_ml.report.sections import Origin, VerdictRow
from trigger_ml.report.sources import with_sources
from trigger_ml.report.words import number, origin_name

__all__ = ["VendorFigure", "vendor_figures", "with_vendor"]

REPLACED: Final = frozenset({"resources", "clock", "cosim"})
"""Verdicts, up to their colon, that are given anew."""
UNMEASURED: Final = "measured:resources"
SHOWN: Final[Mapping[str, str]] = {
    "lut": "LUT",
    "ff": "FF",
    "dsp": "DSP",
    "bram36": "BRAM36",
    "uram": "URAM",
    "carry8": "CARRY8",
    "clock_period_ns": "clock period asked for (ns)",
    "wns_ns": "worst setup slack (ns)",
    "tns_ns": "total setup slack (ns)",
    "whs_ns": "worst hold slack (ns)",
    "wpws_ns": "worst pulse width slack (ns)",
    "fmax_mhz": "highest clock (MHz)",
    "estimated_period_ns": "clock period estimated by HLS (ns)",
    "latency_min_cycles": "least latency by HLS (clocks)",
    "latency_max_cycles": "greatest latency by HLS (clocks)",
    "ii_min_cycles": "least interval by HLS (clocks)",
    "ii_max_cycles": "greatest interval by HLS (clocks)",
    "cosim_status": "cosimulation",
    "cosim_latency_min_cycles": "least latency in cosimulation (clocks)",
    "cosim_latency_max_cycles": "greatest latency in cosimulation (clocks)",
    "cosim_ii_min_cycles": "least interval in cosimulation (clocks)",
    "cosim_ii_max_cycles": "greatest interval in cosimulation (clocks)",
}
"""Figures of a vendor tool in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class VendorFigure:
    """One figure, in words. origin: the tool. state: of the design then. file: it stood in."""

    origin: str
    name: str
    value: str
    state: str
    file: str


def with_vendor(
    report: Report, synthesis: Sequence[Synthesis], verdicts: Sequence[Verdict], command: str = ""
) -> Report:
    """The same report with the counts and slacks of a vendor tool in it.

    Those of an earlier import are replaced, and so are the verdicts on resources and clock by
    ``verdicts``; nothing else changes. command: what is to be told as the cause.
    """
    kept = tuple(origin for origin in report.resources.origins if origin.origin not in VENDORS)
    origins = kept + tuple(origin_section(item, report.device) for item in synthesis)
    target = report.target
    limits = {"lut": target.lut_share_budget, "dsp": target.dsp_share_budget}
    resources = judged_section(origins, limits)
    slack = routed_slack((item.origin, item.details) for item in synthesis)
    pipeline = report.pipeline.model_copy(
        update={"timing": "estimate" if slack is None else "vendor", "slack_ns": slack}
    )
    given = tuple(VerdictRow(name=v.name, passed=v.passed, message=v.message) for v in verdicts)
    others = tuple(
        row
        for row in report.verdicts
        if row.name.split(":")[0] not in REPLACED
        and not (row.name == UNMEASURED and resources.judged_by is not None)
    )
    rows = others + given
    if not resources.met and all(row.passed or not _on_resources(row) for row in rows):
        text = f"does not fit, as counted by {resources.judged_by}"
        rows += (VerdictRow(name="resources", passed=False, message=text),)
    provenance = report.provenance
    if command:
        commands = (*provenance.commands, command)
        provenance = provenance.model_copy(update={"commands": commands})
    versions = {name: text for name, text in report.versions.items() if name not in VENDORS}
    changed = {
        "resources": resources,
        "pipeline": pipeline,
        "verdicts": rows,
        "passed": bool(rows) and all(row.passed for row in rows),
        "provenance": provenance,
        "versions": {**versions, **{item.origin: item.version for item in synthesis}},
    }
    # Through the checks of the schema: a copy of a model is not validated.
    return Report.from_json(with_sources(report.model_copy(update=changed)).to_json())


def _on_resources(row: VerdictRow) -> bool:
    return "resources" in row.name.split(":")


def vendor_figures(report: Report) -> tuple[VendorFigure, ...]:
    """Every figure of a vendor tool with the file that it came from."""
    return tuple(
        figure
        for origin in report.resources.origins
        if origin.origin in VENDORS
        for figure in _figures(origin)
    )


def _figures(origin: Origin) -> list[VendorFigure]:
    details, counts = origin.details, origin.total.model_dump()
    files = details.get("files", {})
    states = {item["file"]: item["state"] for item in details.get("reports", ())}
    found = []
    for key, name in SHOWN.items():
        value = counts.get(key)
        value = details.get(key) if value is None else value
        if value is not None:
            file = files.get(key, "")
            where = states.get(file) or "\u2013"
            found.append(
                VendorFigure(origin_name(origin.origin), name, _text(key, value), where, file)
            )
    return found


def _text(key: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    if key.endswith(("_ns", "_mhz")):
        return number(value, 3)
    return f"{value:,g}" if value < 1e5 else f"{value:,.0f}"
