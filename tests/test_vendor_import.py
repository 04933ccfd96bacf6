"""A vendor tool's reports, made elsewhere, in the report of a build."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.report.conftest import demo_inputs
from tests.test_cli import run
from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.config import Budget, Config, Target
from trigger_ml.errors import BuildError, DataError
from trigger_ml.graph.types import FixedType
from trigger_ml.report.build import build_report
from trigger_ml.report.schema import Report, load_report
from trigger_ml.simulate.bench import Bench, write_bench
from trigger_ml.vendor_import import import_reports, imported

VENDOR = Path(__file__).parent / "data" / "vendor"
ROUTED = VENDOR / "vivado_2023.2"
TOP = "tagger"


def make_report(budget: Budget, target: Target | None = None) -> Report:
    inputs = demo_inputs()
    config = inputs.config.model_copy(update={"budget": budget, "target": target or Target()})
    return build_report(replace(inputs, config=config))


def make_build(folder: Path) -> Path:
    """What a compilation left: a report, and RTL that says what its top is."""
    build, rtl = folder / "tagger", folder / "tagger" / "rtl" / "verilog"
    rtl.mkdir(parents=True)
    (rtl / "tagger.v").write_text("module tagger; endmodule\n")
    project = RtlProject(rtl, Hdl.VERILOG, "tagger", "core", (rtl / "tagger.v",), 3, 4, 4, 360.0)
    codes = np.zeros((2, 1), np.int64)
    write_bench(Bench(project, codes, codes, (FixedType(4, 2),), (FixedType(4, 2),)))
    (build / "report.json").write_text(make_report(Config().budget).to_text())
    return build


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return make_build(tmp_path)


@pytest.fixture
def before() -> Report:
    return make_report(Config().budget)


def verdicts(report: Report) -> dict[str, bool]:
    return {row.name: row.passed for row in report.verdicts}


def test_the_figures_are_in_all_three_files_and_say_where_they_are_from(build: Path) -> None:
    before = load_report(build)
    assert (before.resources.judged_by, before.resources.vendor) == ("yosys", None)
    report = import_reports(build, ROUTED, command="trigger-ml report --import there")
    assert load_report(build) == report
    resources = report.resources
    assert resources.judged_by == "vivado"
    assert resources.vendor is not None and resources.vendor.lut == 5804
    assert resources.device_share["lut"] == pytest.approx(5804 / 1_728_000)
    assert resources.slr_share["lut"] == pytest.approx(5804 / 432_000)
    assert [o.origin for o in resources.origins] == ["cost_model", "yosys", "vivado"]
    assert (report.pipeline.timing, report.pipeline.slack_ns) == ("vendor", 0.031)
    found = verdicts(report)
    assert found["clock"] and found["resources"]
    assert report.passed
    assert report.versions["vivado"] == "2023.2"
    assert report.provenance.commands[-1] == "trigger-ml report --import there"
    row = "| Vivado | LUT | 5,804 | routed | `utilization_routed.rpt` |"
    summary = (build / "summary.md").read_text()
    assert row in summary
    assert "| Vivado | BRAM36 | 0 | routed | `utilization_routed.rpt` |" in summary
    assert "| Vivado | worst setup slack (ns) | 0.031 | routed | `timing_routed.rpt` |" in summary
    page = (build / "report.html").read_text()
    assert "<code>utilization_routed.rpt</code>" in page
    assert "met the clock after routing, slack +0.031 ns" in page
    assert not list(build.glob("*.part"))


def test_nothing_else_of_the_report_changes(before: Report) -> None:
    old, new = before.to_json(), imported(before, ROUTED, TOP).to_json()
    changed = {key for key in old if old[key] != new[key]}
    assert changed == {"resources", "pipeline", "verdicts", "versions", "sources"}
    assert {k for k, v in new["pipeline"].items() if v != old["pipeline"][k]} == {
        "timing",
        "slack_ns",
    }


def test_only_the_report_of_a_build_is_written(build: Path) -> None:
    (build / "trigger-ml.lock.json").write_text("{}")
    before = {path: path.read_bytes() for path in build.rglob("*") if path.is_file()}
    import_reports(build, ROUTED)
    after = {path: path.read_bytes() for path in build.rglob("*") if path.is_file()}
    changed = {p.name for p in after if after[p] != before.get(p)}
    assert changed == {"report.json", "report.html", "summary.md"}


def test_a_second_import_replaces_the_first(before: Report) -> None:
    first = imported(before, ROUTED, TOP)
    report = imported(first, ROUTED / "utilization_synth.rpt", TOP)
    assert [o.origin for o in report.resources.origins] == ["cost_model", "yosys", "vivado"]
    assert report.resources.vendor is not None and report.resources.vendor.lut == 6210
    assert (report.pipeline.timing, report.pipeline.slack_ns) == ("estimate", None)
    assert "clock" not in verdicts(report)
    assert sum(row.name == "resources" for row in report.verdicts) == 1
    again = imported(report, ROUTED / "timing_routed.rpt", TOP)
    assert again.resources.judged_by == "yosys"
    assert not any("vivado" in r.message for r in again.verdicts if "resources" in r.name)
    assert again.pipeline.timing == "vendor"


def test_the_budget_is_judged_on_routed_counts() -> None:
    before = make_report(Budget(lut_share=0.0032, dsp_share=0.01))
    assert before.resources.met
    report = imported(before, ROUTED, TOP)
    row = next(row for row in report.verdicts if row.name == "resources:lut")
    assert not row.passed
    assert row.message.startswith("0.34% of the part by vivado 2023.2, routed, budget 0.32%")
    assert (report.resources.met, report.passed) == (False, False)
    assert verdicts(report)["resources:dsp"]


def test_a_missed_clock_fails(tmp_path: Path) -> None:
    before = make_report(Config().budget, Target(part="VU9P", clock_mhz=320))
    inside = tmp_path / "r"
    inside.mkdir()
    for name in ("utilization.rpt", "timing.rpt"):
        shutil.copy(VENDOR / "vivado_2019.2" / name, inside)
    report = imported(before, inside, TOP)
    row = next(row for row in report.verdicts if row.name == "clock")
    assert not row.passed
    assert "missed at 320 MHz after routing by Vivado 2019.2, asked for 3.125 ns" in row.message
    assert "setup -0.412 ns, hold +0.021 ns" in row.message
    assert not report.passed


def test_a_hold_violation_is_no_met_clock(before: Report, tmp_path: Path) -> None:
    text = (ROUTED / "timing_routed.rpt").read_text()
    file = tmp_path / "t.rpt"
    file.write_text(text.replace("    0.012  ", "   -0.012  "))
    report = imported(before, file, TOP)
    assert not verdicts(report)["clock"]


def test_timing_before_routing_closes_nothing(before: Report) -> None:
    report = imported(before, ROUTED / "timing_synth.rpt", TOP)
    assert report.pipeline.timing == "estimate"
    assert "clock" not in verdicts(report)


def test_a_failed_cosimulation_fails(before: Report) -> None:
    report = imported(before, VENDOR / "vitis_hls_2024.1", TOP)
    assert not verdicts(report)["cosim:hls"]
    assert report.resources.judged_by == "vitis"
    assert report.pipeline.timing == "estimate"
    good = imported(before, VENDOR / "vitis_hls_2022.2", TOP)
    assert verdicts(good)["cosim:hls"]
    assert good.passed


def test_a_refused_import_changes_nothing(build: Path, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in build.rglob("*") if p.is_file()}
    with pytest.raises(DataError):
        import_reports(build, tmp_path / "none")
    with pytest.raises(DataError, match="top of this build is tagger"):
        import_reports(build, _of_another(tmp_path))
    assert {p: p.read_bytes() for p in build.rglob("*") if p.is_file()} == before


def _of_another(folder: Path) -> Path:
    text = (ROUTED / "utilization_routed.rpt").read_text()
    file = folder / "other.rpt"
    file.write_text(text.replace("| Design       : tagger", "| Design       : payload"))
    return file


def test_the_design_can_be_named(before: Report, tmp_path: Path) -> None:
    report = imported(before, _of_another(tmp_path), "payload")
    assert report.resources.judged_by == "vivado"


def test_a_build_without_its_rtl_needs_the_name(build: Path) -> None:
    shutil.rmtree(build / "rtl")
    with pytest.raises(BuildError, match="--design"):
        import_reports(build, ROUTED)
    assert import_reports(build, ROUTED, design="tagger").passed


def test_the_command(build: Path, tmp_path: Path) -> None:
    code, out, err = run("report", build, "--import", ROUTED, cwd=tmp_path)
    assert (code, err) == (0, "")
    assert "Vivado" in out and "utilization_routed.rpt (routed)" in out
    commands = json.loads((build / "report.json").read_text())["provenance"]["commands"]
    assert "--import" in commands[-1]
    broken = tmp_path / "util.rpt"
    broken.touch()
    code, out, err = run("report", build, "--import", broken, cwd=tmp_path)
    assert (code, out) == (2, "")
    assert f"{broken}: not a whole utilization report: the file is empty" in err
