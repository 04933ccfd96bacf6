"""Reports below a folder become one count of the RTL and one of the HLS project."""

import shutil
from pathlib import Path

import pytest

from trigger_ml.artifacts import Resources, Synthesis
from trigger_ml.errors import DataError
from trigger_ml.synth.devices import find_device
from trigger_ml.synth.vendor_reports import combine, find_reports

VENDOR = Path(__file__).parents[1] / "data" / "vendor"
VU13P, VU9P = find_device("VU13P"), find_device("VU9P")


def combined(root: Path, clock_mhz: float = 360.0, part: str = "VU13P") -> tuple[Synthesis, ...]:
    return combine(find_reports(root), root, "tagger", find_device(part), clock_mhz)


def test_routed_wins_and_both_are_kept_with_their_files() -> None:
    (found,) = combined(VENDOR / "vivado_2023.2")
    details = found.details
    assert (found.origin, found.version, details["tool"]) == ("vivado", "2023.2", "Vivado")
    assert found.total == Resources(lut=5804, ff=3420, dsp=80, bram36=0, carry8=666)
    assert (details["state"], details["timing_state"]) == ("routed", "routed")
    assert (details["wns_ns"], details["clock_period_ns"]) == (0.031, 2.778)
    # 2.778 ns is what 360 MHz is rounded to.
    assert details["slack_ns"] == 0.031
    assert details["files"]["lut"] == "utilization_routed.rpt"
    assert details["files"]["wns_ns"] == "timing_routed.rpt"
    luts = {item["file"]: item["figures"].get("lut") for item in details["reports"]}
    assert luts == {
        "hierarchy_routed.rpt": 5804,
        "timing_routed.rpt": None,
        "timing_synth.rpt": None,
        "utilization_routed.rpt": 5804,
        "utilization_synth.rpt": 6210,
    }
    assert {item["file"]: item["state"] for item in details["reports"]}["timing_synth.rpt"] == (
        "synthesized"
    )
    assert set(found.by_layer) == {"(core)", "stage0", "stage1"}
    assert details["by_layer"]["stage0"]["lut"] == 3000


@pytest.mark.parametrize("mhz, slack", [(320.0, 0.031 + 3.125 - 2.778), (400.0, 0.031 - 0.278)])
def test_the_slack_is_at_the_target_clock(mhz: float, slack: float) -> None:
    (found,) = combined(VENDOR / "vivado_2023.2", mhz)
    assert found.details["slack_ns"] == pytest.approx(slack)
    assert found.details["wns_ns"] == 0.031


def test_hls_and_vivado_stay_apart(tmp_path: Path) -> None:
    shutil.copytree(VENDOR / "vivado_2023.2", tmp_path / "impl")
    shutil.copytree(VENDOR / "vitis_hls_2022.2", tmp_path / "report")
    vivado, vitis = combined(tmp_path)
    assert (vivado.origin, vivado.details["implementation"]) == ("vivado", "rtl")
    assert (vitis.origin, vitis.details["implementation"]) == ("vitis", "hls")
    assert vitis.total == Resources(lut=17404, ff=1790, dsp=5, bram36=0.5)
    assert vitis.details["state"] == "estimated"
    assert (vitis.details["timing_state"], vitis.details["slack_ns"]) == (None, None)
    assert vitis.details["files"]["latency_min_cycles"] == "report/csynth.xml"
    assert vitis.details["cosim_status"] == "Pass"
    assert vitis.details["files"]["cosim_status"] == "report/tagger_cosim.rpt"


def test_vivado_inside_an_hls_project_is_of_the_hls_project(tmp_path: Path) -> None:
    report = tmp_path / "tagger_prj" / "solution1" / "syn" / "report"
    shutil.copytree(VENDOR / "vitis_hls_2022.2", report)
    (tmp_path / "build_prj.tcl").touch()
    shutil.copy(VENDOR / "vivado_2023.2/utilization_routed.rpt", tmp_path / "vivado_synth.rpt")
    (found,) = combined(tmp_path)
    assert (found.origin, found.total.lut, found.details["state"]) == ("vitis", 5804, "routed")
    assert found.details["latency_max_cycles"] == 15
    estimate = next(i for i in found.details["reports"] if i["kind"] == "C synthesis report")
    assert estimate["figures"]["lut"] == 17404


def test_modules_of_an_hls_project_are_not_its_top(tmp_path: Path) -> None:
    text = (VENDOR / "vitis_hls_2022.2/csynth.xml").read_text()
    (tmp_path / "tagger_csynth.xml").write_text(text)
    (tmp_path / "csynth.xml").write_text(text)
    module = text.replace("<TopModelName>tagger<", "<TopModelName>dense_1<")
    (tmp_path / "dense_1_csynth.xml").write_text(module.replace("17404", "9000"))
    hidden = tmp_path / ".autopilot" / "db"
    hidden.mkdir(parents=True)
    (hidden / "tagger.xml").write_text("<profile><UserAssignments>")
    (found,) = combined(tmp_path)
    assert found.total.lut == 17404
    assert set(found.by_layer) == {"dense_1_U0", "dense_2_U0"}


def test_the_text_is_read_only_without_the_xml(tmp_path: Path) -> None:
    (found,) = combined(VENDOR / "vitis_hls_2024.1")
    assert found.total == Resources(lut=17001, ff=1812)
    shutil.copy(VENDOR / "vitis_hls_2024.1/tagger_csynth.rpt", tmp_path)
    (found,) = combined(tmp_path)
    assert found.total == Resources(lut=17001, ff=1812, dsp=7, bram36=1)


def test_one_file_is_enough() -> None:
    (found,) = combined(VENDOR / "vivado_2023.2/utilization_synth.rpt")
    assert (found.total.lut, found.details["state"]) == (6210, "synthesized")
    assert found.details["files"]["lut"] == "utilization_synth.rpt"


@pytest.mark.parametrize(
    "name, part",
    [
        ("vivado_2019.2/utilization.rpt", "VU9P"),
        ("vivado_2019.2/timing.rpt", "VU9P"),
        ("vivado_2019.2/slice_utilization.rpt", "VX690T"),
        ("vivado_2023.2/timing_routed.rpt", "xcvu13p-flga2577-2-e"),
    ],
)
def test_all_spellings_of_a_part_are_known(name: str, part: str) -> None:
    assert len(combined(VENDOR / name, part=part)) == 1


def test_reports_for_another_part_are_refused_all_at_once() -> None:
    with pytest.raises(DataError, match="this build is for a VU9P") as caught:
        combined(VENDOR / "vivado_2023.2", part="VU9P")
    assert len(caught.value.blockers) == 5


def test_reports_of_another_design_are_refused() -> None:
    root = VENDOR / "vivado_2023.2"
    with pytest.raises(DataError, match="reports on tagger, and the top of this build is jets"):
        combine(find_reports(root), root, "jets", VU13P, 360.0)


def test_two_runs_that_disagree_are_refused(tmp_path: Path) -> None:
    text = (VENDOR / "vivado_2023.2/utilization_routed.rpt").read_text()
    (tmp_path / "a.rpt").write_text(text)
    (tmp_path / "b.rpt").write_text(text)
    assert len(combined(tmp_path)) == 1
    (tmp_path / "b.rpt").write_text(text.replace(" 5804 ", " 5999 "))
    with pytest.raises(DataError, match=r"5,999 LUT, and a\.rpt 5,804; both are routed"):
        combined(tmp_path)


def test_a_folder_without_reports_and_one_with_broken_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        find_reports(tmp_path / "none")
    (tmp_path / "log.txt").write_text("nothing")
    with pytest.raises(DataError, match="holds no report; looked for"):
        find_reports(tmp_path)
    (tmp_path / "util.rpt").touch()
    (tmp_path / "a_csynth.xml").write_text("<profile><UserAssignments>")
    shutil.copy(VENDOR / "vivado_2023.2/utilization_routed.rpt", tmp_path)
    with pytest.raises(DataError) as caught:
        find_reports(tmp_path)
    assert len(caught.value.blockers) == 2
