"""Reports that a vendor tool wrote elsewhere, brought into a build's own report.

``report.json`` alone is read and written anew, with the page and the summary made from it. The
lock does not hold it, so ``trigger-ml check`` finds the same build before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trigger_ml.artifacts import Synthesis, Verdict
from trigger_ml.check.budget import judge_resources, judge_vendor
from trigger_ml.config import Budget
from trigger_ml.errors import BuildError
from trigger_ml.files import appearing
from trigger_ml.report.markdown import markdown
from trigger_ml.report.measured import VENDORS
from trigger_ml.report.page import html_page
from trigger_ml.report.schema import FILE_NAME, Report, load_report
from trigger_ml.report.vendor import with_vendor
from trigger_ml.simulate.bench import read_bench
from trigger_ml.synth.devices import Device, find_device, share
from trigger_ml.synth.vendor_reports import combine, find_reports

__all__ = ["import_reports", "imported", "vendor_verdicts", "write_report"]


def import_reports(
    build: Path, folder: Path, *, design: str | None = None, command: str = ""
) -> Report:
    """Find a vendor tool's reports below a folder and write them into a build's report.

    design: the top that was synthesized; the build's own when None. command: as typed.
    Returns the report as it now is. Raises BuildError for a folder that is not a build, and
    DataError for reports that are missing, broken, or of another design or part.
    """
    report = load_report(build)
    home = build if build.is_dir() else build.parent
    changed = imported(report, folder, design or _top(home), command)
    write_report(home, changed)
    return changed


def imported(report: Report, folder: Path, design: str, command: str = "") -> Report:
    """The same report with what a vendor tool's reports below a folder say.

    design: the top that was synthesized. Raises DataError as :func:`import_reports`.
    """
    device = find_device(report.target.part)
    found = combine(find_reports(folder), folder, design, device, report.target.clock_mhz)
    return with_vendor(report, found, vendor_verdicts(report, found, device), command)


def _top(build: Path) -> str:
    """Name of the top, which the RTL and the HLS project share."""
    try:
        return read_bench(build / "rtl" / "verilog").project.top
    except BuildError as error:
        raise BuildError(f"{error}, or name the top with --design") from error


def vendor_verdicts(
    report: Report, synthesis: Sequence[Synthesis], device: Device
) -> tuple[Verdict, ...]:
    """Resources by the strongest count that there then is, clock and cosimulation.

    synthesis: of a vendor tool, in place of any that the report has of one.
    """
    target = report.target
    budget = Budget(lut_share=target.lut_share_budget, dsp_share=target.dsp_share_budget)
    clock = judge_vendor(synthesis, target.clock_mhz)
    counted = {item.origin: item for item in synthesis if item.total.lut is not None}
    judge = next((counted[name] for name in VENDORS if name in counted), None)
    if judge is not None:
        origin = f"{judge.origin} {judge.version}, {judge.details['state'] or 'state not said'}"
        shares = share(judge.total, device)
        verdicts = judge_resources(shares, origin, budget)
        if not verdicts:
            text = f"{shares['lut']:.2%} of the part's LUTs by {origin}; no budget set"
            verdicts = (Verdict("resources", True, text),)
        return (*verdicts, *clock)
    if report.resources.judged_by not in VENDORS:
        kept = (v for v in report.verdicts if v.name.split(":")[0] == "resources")
        return (*(Verdict(v.name, v.passed, v.message) for v in kept), *clock)
    found = {origin.origin: origin for origin in report.resources.origins}
    other = found.get("yosys") or found.get("cost_model")
    if other is None:
        return (*judge_resources(None, "", budget), *clock)
    known = {key: value for key, value in other.device_share.items() if value is not None}
    return (*judge_resources(known, other.origin, budget), *clock)


def write_report(build: Path, report: Report) -> None:
    """Write page, summary and report.json, each whole or not at all, the last one last.

    Raises BuildError when the build cannot be written.
    """
    texts = {
        "report.html": html_page(report),
        "summary.md": markdown(report),
        FILE_NAME: report.to_text(),
    }
    for name, text in texts.items():
        with appearing(build / name) as part:
            part.write_text(text, encoding="utf-8")
