"""Every layout of a vendor tool's report, read figure by figure; half a file is an error."""

from pathlib import Path

import pytest

from trigger_ml.artifacts import Resources
from trigger_ml.errors import DataError
from trigger_ml.synth.vendor_reports import read_report
from trigger_ml.synth.vendor_text import Kind, State, VendorReport, number
from trigger_ml.synth.vendor_vitis import read_csynth_text

VENDOR = Path(__file__).parents[1] / "data" / "vendor"


def read(name: str) -> VendorReport:
    report = read_report(VENDOR / name)
    assert report is not None
    return report


@pytest.mark.parametrize(
    "text, value",
    [
        ("5804", 5804.0),
        ("5804(0.34%)", 5804.0),
        ("1,182,240", 1182240.0),
        ("1.5", 1.5),
        ("-0.412", -0.412),
        ("-", None),
        ("NA", None),
        ("undef", None),
        ("", None),
        (None, None),
        ("<0.01", None),
    ],
)
def test_an_open_figure_is_none_and_never_zero(text: str | None, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    "name, version, part, state, resources, others",
    [
        (
            "vivado_2019.2/utilization.rpt",
            "2019.2",
            "xcvu9pflga2104-2L",
            State.PLACED,
            Resources(lut=6121, ff=3300, dsp=12, bram36=1.5, carry8=640),
            {"uram": 0, "lut_shift_register": 40},
        ),
        (
            "vivado_2019.2/slice_utilization.rpt",
            "2019.2",
            "7vx690tffg1761-2",
            State.ROUTED,
            Resources(lut=7012, ff=4100, dsp=31, bram36=0),
            {"carry4": 1203},
        ),
        (
            "vivado_2020.1/vivado_synth.rpt",
            "2020.1",
            "xcvu9pflga2104-2L",
            State.SYNTHESIZED,
            Resources(lut=6790, ff=3421, dsp=80, bram36=0, carry8=666),
            {"lut_logic": 6790},
        ),
        (
            "vivado_2023.2/utilization_routed.rpt",
            "2023.2",
            "xcvu13p-flga2577-2-e",
            State.ROUTED,
            Resources(lut=5804, ff=3420, dsp=80, bram36=0, carry8=666),
            {"lut_memory": 4},
        ),
    ],
)
def test_flat_utilization(
    name: str,
    version: str,
    part: str,
    state: State,
    resources: Resources,
    others: dict[str, float],
) -> None:
    report = read(name)
    assert report.kind is Kind.UTILIZATION
    assert (report.tool, report.version, report.design) == ("Vivado", version, "tagger")
    assert (report.part, report.state, report.resources) == (part, state, resources)
    assert {key: report.figures[key] for key in others} == others
    assert ("carry4" in report.figures) == ("slice" in name)
    assert ("uram" in report.figures) == ("slice" not in name)


def test_hierarchy_goes_below_a_wrapper_around_one_core() -> None:
    report = read("vivado_2023.2/hierarchy_routed.rpt")
    assert (report.kind, report.state) == (Kind.HIERARCHY, State.ROUTED)
    assert report.resources == Resources(lut=5804, ff=3420, dsp=80, bram36=0)
    assert {name: item.lut for name, item in report.by_layer.items()} == {
        "(core)": 10,
        "stage0": 3000,
        "stage1": 2790,
    }


def test_hierarchy_with_percentages_has_the_instances_below_the_top_alone() -> None:
    report = read("vivado_2020.1/hierarchy.rpt")
    assert report.resources == Resources(lut=6790, ff=3421, dsp=80, bram36=0)
    assert {name: (item.lut, item.dsp) for name, item in report.by_layer.items()} == {
        "(tagger)": (1, 0),
        "dense_1_U0": (4000, 50),
        "dense_2_U0": (2789, 30),
    }


def test_half_block_rams_of_a_hierarchy_count_half(tmp_path: Path) -> None:
    text = (VENDOR / "vivado_2023.2/hierarchy_routed.rpt").read_text()
    row = next(line for line in text.splitlines() if "(top) |       5804" in line)
    cells = row.split("|")
    cells[8:10] = [" 2 ", " 3 "]
    file = tmp_path / "h.rpt"
    file.write_text(text.replace(row, "|".join(cells)))
    report = read_report(file)
    assert report is not None and report.resources is not None
    assert report.resources.bram36 == 3.5


@pytest.mark.parametrize(
    "name, state, period, wns, fmax",
    [
        ("vivado_2019.2/timing.rpt", State.ROUTED, 3.125, -0.412, 1e3 / 3.537),
        ("vivado_2023.2/timing_routed.rpt", State.ROUTED, 2.778, 0.031, 1e3 / 2.747),
        ("vivado_2023.2/timing_synth.rpt", State.SYNTHESIZED, 2.778, 0.611, 1e3 / 2.167),
    ],
)
def test_timing(name: str, state: State, period: float, wns: float, fmax: float) -> None:
    report = read(name)
    assert (report.kind, report.state, report.resources) == (Kind.TIMING, state, None)
    assert (report.figures["clock"], report.figures["clock_period_ns"]) == ("clk", period)
    assert report.figures["wns_ns"] == wns
    assert report.figures["whs_ns"] in (0.021, 0.012, 0.03)
    assert report.figures["fmax_mhz"] == pytest.approx(fmax)


def test_a_routed_report_that_says_so_only_by_its_nets_and_one_that_says_nothing(
    tmp_path: Path,
) -> None:
    text = (VENDOR / "vivado_2019.2/timing.rpt").read_text()
    file = tmp_path / "t.rpt"
    for nets, state in (("estimated", State.PLACED), ("unset", None)):
        file.write_text(text.replace("(fo=36, routed)", f"(fo=36, {nets})"))
        report = read_report(file)
        assert report is not None
        assert report.state is state


def test_of_several_clocks_the_one_with_the_worst_slack(tmp_path: Path) -> None:
    text = (VENDOR / "vivado_2023.2/timing_routed.rpt").read_text()
    clock = "clk    {0.000 1.389}        2.778           359.971"
    slack = "clk                 0.031        0.000"
    assert text.count(clock) == text.count(slack) == 1
    text = text.replace(clock, f"{clock}\nslow   {{0.000 12.5}}        25.000          40.000")
    text = text.replace(slack, f"{slack}\nslow               20.000        0.000")
    file = tmp_path / "t.rpt"
    file.write_text(text)
    report = read_report(file)
    assert report is not None
    assert (report.figures["clock"], report.figures["clock_period_ns"]) == ("clk", 2.778)


def test_a_design_without_a_clock_has_no_slack(tmp_path: Path) -> None:
    text = (VENDOR / "vivado_2023.2/timing_routed.rpt").read_text()
    lines = text.splitlines()
    at = next(k for k, line in enumerate(lines) if line.split()[:1] == ["WNS(ns)"]) + 2
    lines[at] = "   NA" * 12
    file = tmp_path / "t.rpt"
    file.write_text("\n".join(lines))
    report = read_report(file)
    assert report is not None
    assert report.figures["wns_ns"] is None
    assert report.figures["fmax_mhz"] is None


def test_csynth_of_vivado_hls() -> None:
    report = read("vivado_hls_2019.2/tagger_csynth.xml")
    assert (report.kind, report.tool, report.version) == (Kind.CSYNTH, "Vivado HLS", "2019.2")
    assert report.state is State.ESTIMATED
    assert report.resources == Resources(lut=21337, ff=3205, dsp=73, bram36=1.5)
    assert report.figures == {
        "uram": 0,
        "clock_period_ns": 5.0,
        "estimated_period_ns": 4.347,
        "latency_min_cycles": 9,
        "latency_max_cycles": 9,
        "ii_min_cycles": 1,
        "ii_max_cycles": 1,
    }
    assert report.by_layer == {}


def test_csynth_of_vitis_hls_has_its_instances() -> None:
    report = read("vitis_hls_2022.2/csynth.xml")
    assert (report.tool, report.version) == ("Vitis HLS", "2022.2")
    assert report.resources == Resources(lut=17404, ff=1790, dsp=5, bram36=0.5)
    assert (report.figures["latency_min_cycles"], report.figures["latency_max_cycles"]) == (14, 15)
    assert {name: item.lut for name, item in report.by_layer.items()} == {
        "dense_1_U0": 9000,
        "dense_2_U0": 8100,
    }


def test_what_hls_leaves_open_is_none() -> None:
    report = read("vitis_hls_2024.1/csynth.xml")
    assert report.resources == Resources(lut=17001, ff=1812)
    assert set(report.figures.values()) == {None, 2.78}


def test_the_text_of_a_csynth_report() -> None:
    report = read_csynth_text(VENDOR / "vitis_hls_2024.1/tagger_csynth.rpt")
    assert (report.tool, report.version, report.design) == ("Vitis HLS", "2024.1", "tagger")
    assert report.part == "xcvu13p-flga2577-2-e"
    assert report.resources == Resources(lut=17001, ff=1812, dsp=7, bram36=1)
    assert report.figures == {
        "uram": 0,
        "clock_period_ns": 2.78,
        "estimated_period_ns": 2.033,
        "latency_min_cycles": 13,
        "latency_max_cycles": 14,
        "ii_min_cycles": 1,
        "ii_max_cycles": 2,
    }


@pytest.mark.parametrize(
    "name, status, latency, interval",
    [
        ("vivado_hls_2019.2", "Pass", (9, 9, 9), (1, 1, 1)),
        ("vitis_hls_2022.2", "Pass", (14, 14, 15), (1, 1, 2)),
        ("vitis_hls_2024.1", "Fail", (14, 14, 14), (None, None, None)),
    ],
)
def test_cosimulation(
    name: str, status: str, latency: tuple[int, ...], interval: tuple[int | None, ...]
) -> None:
    report = read(f"{name}/tagger_cosim.rpt")
    found = report.figures
    assert (report.kind, report.design) == (Kind.COSIM, "tagger")
    assert (found["cosim_rtl"], found["cosim_status"]) == ("Verilog", status)
    names = ("min", "avg", "max")
    assert tuple(found[f"cosim_latency_{key}_cycles"] for key in names) == latency
    assert tuple(found[f"cosim_ii_{key}_cycles"] for key in names) == interval


CUTS = [
    ("vivado_2023.2/utilization_routed.rpt", "3. ARITHMETIC", "no count of dsp"),
    ("vivado_2023.2/utilization_routed.rpt", "1. CLB Logic\n---", "lut, ff, bram36, dsp"),
    ("vivado_2023.2/hierarchy_routed.rpt", "| tagger ", "Total LUTs"),
    ("vivado_2023.2/timing_routed.rpt", "      0.031", "no figures under"),
    ("vivado_2023.2/timing_routed.rpt", "| Design Timing Summary", "no figures under"),
    ("vivado_hls_2019.2/tagger_csynth.xml", "<AreaEstimates>", "not XML"),
    ("vitis_hls_2022.2/tagger_cosim.rpt", "   Verilog|", "no rows"),
    ("vitis_hls_2024.1/tagger_csynth.rpt", "|Total ", "no row"),
]


@pytest.mark.parametrize("name, end, message", CUTS)
def test_half_a_report_is_an_error_that_names_it(
    tmp_path: Path, name: str, end: str, message: str
) -> None:
    text = (VENDOR / name).read_text()
    assert end in text
    cut = text.partition(end)[0]
    if "cosim" in name:
        cut = "\n".join(line for line in cut.splitlines() if "VHDL" not in line)
    file = tmp_path / Path(name).name
    file.write_text(cut)
    with pytest.raises(DataError, match=message) as caught:
        read_report(file)
    assert str(file) in str(caught.value)


def test_an_xml_without_the_elements_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "tagger_csynth.xml"
    file.write_text("<profile><UserAssignments></UserAssignments></profile>")
    with pytest.raises(DataError, match="no <profile> with"):
        read_report(file)


@pytest.mark.parametrize(
    "name", ["util.rpt", "top_timing.rpt", "top_csynth.xml", "top_cosim.rpt", "vivado_synth.rpt"]
)
def test_an_empty_report_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match="the file is empty"):
        read_report(tmp_path / name)


def test_other_files_are_not_reports(tmp_path: Path) -> None:
    script = "report_utilization -hierarchical -file u.rpt\nreport_timing_summary\n"
    log = f"Copyright\n# {script}Command: Timing Summary Report\n"
    others = {"a.txt": "", "drc.rpt": "Report DRC\n", "b.xml": "<design/>", "v.tcl": script}
    for name, text in {**others, "vivado.log": log}.items():
        (tmp_path / name).write_text(text)
        assert read_report(tmp_path / name) is None
    (tmp_path / "c.dcp").write_bytes(bytes(range(256)) * 9)
    assert read_report(tmp_path / "c.dcp") is None
