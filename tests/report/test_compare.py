"""Two builds: what is better, what is worse, what cannot be told apart."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from tests.report.conftest import demo_inputs, demo_synthesis
from tests.report.test_masks import masks_json, streamed
from tests.report.test_page import parse
from trigger_ml.artifacts import Resources
from trigger_ml.cli import cli
from trigger_ml.errors import ConfigError
from trigger_ml.report.build import build_report
from trigger_ml.report.compare import Comparison, Direction, Row, compare_reports
from trigger_ml.report.compare_page import comparison_page
from trigger_ml.report.compare_table import comparison_table
from trigger_ml.report.schema import FILE_NAME, Report

NAMES = ("before", "after")


def rows(found: Comparison, section: str) -> dict[str, Row]:
    return {row.name: row for row in found.sections[section]}


def faster() -> Report:
    """Fewer clocks, more LUTs, a narrower layer, and physics within its interval."""
    inputs = demo_inputs()
    assert inputs.cosim is not None and inputs.physics is not None
    cost, yosys = demo_synthesis()
    physics = json.loads(json.dumps(inputs.physics))
    firmware = next(row for row in physics["witnesses"] if row["witness"] == "firmware")
    for key in ("value", "low", "high"):
        firmware["accuracy"][key] -= 0.001
        firmware["classes"][0]["auc"][key] -= 0.1
    return build_report(
        replace(
            inputs,
            cosim=replace(inputs.cosim, latency_cycles=20),
            synthesis=(cost, replace(yosys, total=Resources(6000, 3112, 0, 0, 679))),
            physics=physics,
        )
    )


@pytest.fixture(scope="module")
def found(report: Report) -> Comparison:
    return compare_reports(report, faster(), NAMES)


def test_directions(found: Comparison) -> None:
    latency = rows(found, "latency")["latency (clocks)"]
    assert (latency.old, latency.new, latency.change) == ("23", "20", "\u221213.0%")
    assert (latency.direction, latency.source) == (Direction.BETTER, "latency.cycles")
    lut = rows(found, "resources")["LUT, yosys"]
    assert (lut.old, lut.new, lut.change) == ("5,142", "6,000", "+16.7%")
    assert lut.direction is Direction.WORSE
    assert rows(found, "resources")["FF, yosys"].direction is Direction.SAME
    share = rows(found, "resources")["LUT of the part"]
    assert (share.old, share.new, share.change) == ("0.30 %", "0.35 %", "+0.05 points")


def test_physics_within_its_interval_is_not_worse(found: Comparison) -> None:
    physics = rows(found, "physics")
    assert physics["accuracy, firmware"].direction is Direction.UNSURE
    assert physics["accuracy, firmware"].change == "\u22120.1 points"
    assert physics["AUC of gluon, firmware"].direction is Direction.WORSE
    assert physics["accuracy, float"].direction is Direction.SAME


def test_the_other_way_round(report: Report, found: Comparison) -> None:
    back = compare_reports(faster(), report, NAMES)
    assert back.count(Direction.BETTER) == found.count(Direction.WORSE) > 0
    assert back.count(Direction.WORSE) == found.count(Direction.BETTER) > 0


def test_a_report_equals_itself(report: Report) -> None:
    same = compare_reports(report, report, NAMES)
    assert {row.direction for part in same.sections.values() for row in part} == {Direction.SAME}
    assert {row.change for part in same.sections.values() for row in part} == {""}
    assert same.notes == ()


def test_failures(report: Report, failed_report: Report) -> None:
    found = compare_reports(report, failed_report, NAMES)
    verdicts = rows(found, "verdicts")
    assert verdicts["all of them"].direction is Direction.WORSE
    assert verdicts["bits:rtl"].new == "FAIL: rtl differs from graph on 37 of 4,012 events"
    exact = rows(found, "exactness")
    differ = exact["RTL simulation against fixed-point graph: events that differ"]
    assert (differ.new, differ.direction) == ("37", Direction.WORSE)
    lost = exact["rtl-icarus against fixed-point graph: events that differ"]
    assert (lost.new, lost.direction) == ("not measured", Direction.CHANGED)
    assert "Shares are those of different origins: yosys and cost model." in found.notes


def test_what_does_not_compare_is_said(report: Report) -> None:
    target = report.target.model_copy(update={"part": "xcvu9p", "clock_mhz": 320.0})
    other = report.model_copy(update={"target": target})
    notes = " ".join(compare_reports(report, other, NAMES).notes)
    assert "different parts" in notes
    assert "360 and 320 MHz" in notes


def test_networks_on_images(report: Report) -> None:
    worse = json.loads(json.dumps(masks_json()))
    for row in worse["witnesses"]:
        row["figures"]["fakes"] = {"value": 9.0, "low": 8.0, "high": 10.0}
    old = build_report(streamed(demo_inputs()))
    new = build_report(streamed(demo_inputs(), worse))
    found = rows(compare_reports(old, new, NAMES), "physics")
    assert found["fake cells an image, firmware"].direction is Direction.WORSE
    assert found["efficiency, firmware"].direction is Direction.SAME
    other = rows(compare_reports(report, new, NAMES), "physics")
    assert other["efficiency, firmware"].old == "\u2013"


def test_table(found: Comparison) -> None:
    console = Console(width=120, file=io.StringIO())
    console.print(comparison_table(found))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert re.search(r"latency \(clocks\) +23 +20 +−13.0% +better", text)
    assert re.search(r"LUT, yosys +5,142 +6,000 +\+16.7% +worse", text)
    assert "FF, yosys" not in text


def test_page(report: Report, found: Comparison) -> None:
    page = comparison_page(report, faster(), found)
    checked = parse(page)
    assert len(checked.ids) == len(set(checked.ids))
    inner = {ref[1:] for ref in checked.references if ref.startswith("#")}
    assert inner <= set(checked.ids)
    assert all(ref.startswith("#") or ref == "data:," for ref in checked.references)
    assert "script" not in checked.tags
    assert page.count("<svg") == 2
    for part in ("before", "after", "A: ✓ PASS", "20 clocks at 360 MHz", "▼ worse", "▲ better"):
        assert part in checked.words.replace("\xa0", " ")
    assert "None" not in checked.words


@pytest.fixture
def builds(report: Report, tmp_path: Path) -> tuple[Path, Path]:
    paths = (tmp_path / "a", tmp_path / "b")
    for path, one in zip(paths, (report, faster()), strict=True):
        path.mkdir()
        (path / FILE_NAME).write_text(one.to_text(), encoding="utf-8")
    return paths


def test_command(builds: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "both.html"
    arguments = ["report", str(builds[0]), "--compare", str(builds[1])]
    done = CliRunner().invoke(cli, [*arguments, "-o", str(page)])
    assert done.exit_code == 0, done.output
    assert "latency (clocks)" in done.stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    done = CliRunner().invoke(cli, [*arguments, "--json"])
    told = json.loads(done.stdout)
    assert told["counts"]["worse"] > 0
    assert told["sections"]["latency"][0]["direction"] == "better"


def test_page_of_one_build(builds: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "one.html"
    done = CliRunner().invoke(cli, ["report", str(builds[0]), "-o", str(page)])
    assert done.exit_code == 0, done.output
    assert "firmware report" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--markdown", "--import=x", "--design=x"])
def test_options_that_do_not_go_together(builds: tuple[Path, Path], option: str) -> None:
    arguments = ["report", str(builds[0]), "--compare", str(builds[1]), option]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert "--compare goes with --output and --json only" in done.output


def test_another_kind_of_file_is_refused(builds: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "both.pdf"
    done = CliRunner().invoke(
        cli, ["report", str(builds[0]), "--compare", str(builds[1]), "-o", str(page)]
    )
    assert isinstance(done.exception, ConfigError)
    assert "use .html" in str(done.exception)
    assert not page.exists()
