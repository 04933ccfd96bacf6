"""Every check can fail: one thing broken at a time, and the right verdict names it."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.flow.conftest import remeasure
from trigger_ml.design import Measurements

Copy = Callable[[Path], Path]


def edit(path: Path, pattern: str, replacement: str) -> None:
    """Change the first place that matches; there must be one."""
    text = path.read_text()
    changed, count = re.subn(pattern, replacement, text, count=1)
    assert count == 1, f"{pattern} is not in {path.name}"
    path.write_text(changed)


def failed(found: Measurements) -> set[str]:
    return {verdict.name for verdict in found.verdicts if not verdict.passed}


def test_nothing_broken_nothing_found(logits_build: Path, tmp_path: Path) -> None:
    found = remeasure(logits_build, tmp_path / "scratch")
    assert not failed(found)
    assert found.divergence is None


def test_one_rounding_mode_in_the_hls(logits_build: Path, copy_of: Copy, tmp_path: Path) -> None:
    build = copy_of(logits_build)
    edit(
        build / "hls" / "firmware" / "defines.h",
        r"ap_ufixed<5,1,AP_RND_CONV,AP_SAT,0> layer5_t",
        "ap_ufixed<5,1,AP_TRN,AP_SAT,0> layer5_t",
    )
    found = remeasure(build, tmp_path / "scratch")
    assert failed(found) == {"bits:csim~graph"}
    assert found.divergence is not None
    assert found.divergence.layer == "fc1_relu"
    assert "rounding" in found.divergence.cause


def test_one_weight_in_the_hls(logits_build: Path, copy_of: Copy, tmp_path: Path) -> None:
    build = copy_of(logits_build)
    weights = sorted((build / "hls" / "firmware" / "weights").glob("w*.txt"))
    edit(weights[1], r"^([^,]+),", "0.625,")
    found = remeasure(build, tmp_path / "scratch")
    assert failed(found) == {"bits:csim~graph"}
    assert found.divergence is not None
    assert found.divergence.layer == "fc2"
    assert found.divergence.element == 0
    assert "weight or bias of 1 of 5 outputs (0)" in found.divergence.cause


def test_one_table_entry_in_the_hls(softmax_build: Path, copy_of: Copy, tmp_path: Path) -> None:
    build = copy_of(softmax_build)
    edit(
        build / "hls" / "firmware" / "nnet_utils" / "nnet_activation.h",
        r"(table_out\[i\] = exp_x;)",
        r"\1 if (i == 3) table_out[i] = 0.125;",
    )
    found = remeasure(build, tmp_path / "scratch")
    assert failed(found) == {"bits:csim~graph"}
    assert found.divergence is not None
    assert found.divergence.layer == "softmax"
    assert "table entry" in found.divergence.cause


def test_one_bias_bit_in_the_rtl(logits_build: Path, copy_of: Copy, tmp_path: Path) -> None:
    """A bias is a constant operand of an adder: it is moved from bit 5 to bit 4."""
    build = copy_of(logits_build)
    bias = re.compile(r"(shift_adder #\(\d+,1,1,0,\d+,0),5,1\)")
    stages = sorted((build / "rtl" / "verilog").glob("*_stage*.v"))
    stage = next(path for path in stages if bias.search(path.read_text()))
    edit(stage, bias.pattern, r"\1,4,1)")
    found = remeasure(build, tmp_path / "scratch")
    assert failed(found) == {"bits:rtl~graph"}
    assert found.divergence is not None
    assert found.divergence.witnesses == "rtl~graph"
    assert found.divergence.layer == "logits"
    number = int(stage.stem.removeprefix("tiny_stage")) + 1
    assert f"pipeline stage {number} of" in found.divergence.cause


def test_one_register_stage_in_the_rtl(logits_build: Path, copy_of: Copy, tmp_path: Path) -> None:
    build = copy_of(logits_build)
    core = next((build / "rtl" / "verilog").glob("*_core.v"))
    edit(core, r"reg (\[\d+:0\]) stage3_inp;", r"wire \1 stage3_inp;")
    edit(core, r"stage3_inp\[\d+:0\] <= (.*);", "")
    edit(core, r"(?=always @)", "assign stage3_inp = INTERNAL_logic2_outp;\n")
    found = remeasure(build, tmp_path / "scratch")
    assert "bits:rtl~graph" in failed(found)
    assert found.comparisons["rtl~graph"].mismatches > 100
    assert found.divergence is not None
    assert "a register is missing or one too many" in found.divergence.cause
