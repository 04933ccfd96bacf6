"""Mapping by stage, with and without what was mapped before, finds the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trigger_ml.artifacts import Hdl, RtlProject, Synthesis
from trigger_ml.synth import yosys, yosys_stages
from trigger_ml.synth.yosys import synthesize
from trigger_ml.synth.yosys_cache import Cache
from trigger_ml.synth.yosys_engine import Engine, find_engine
from trigger_ml.synth.yosys_modules import Stage
from trigger_ml.synth.yosys_stages import map_stages

STAGE = """
module {name} (input [15:0] x, output [15:0] y);
    wire [7:0] a, b;
    assign a = x[7:0] + {{x[2:0], x[7:3]}} + {add};
    assign b = x[15:8] - a;
    assign y = {{a & b, b}};
endmodule
"""
NETWORK = """
module net_core (input clk, input [15:0] x, output reg [15:0] y);
    wire [15:0] a, b, c;
    reg [15:0] r, s;
    net_stage0 one (x, a);
    net_stage1 two (r, b);
    net_stage2 three (s, c);
    always @(posedge clk) begin r <= a; s <= b; y <= c; end
endmodule
module net (input clk, rst, in_valid, input [15:0] in_data,
            output out_valid, output [15:0] out_data);
    reg [4:0] valid;
    always @(posedge clk) valid <= rst ? 5'd0 : {valid[3:0], in_valid};
    assign out_valid = valid[4];
    net_core pipeline (clk, in_data, out_data);
endmodule
"""


def network(folder: Path, name: str = "net", third: int = 5) -> RtlProject:
    """Three stages, the first two of the same text."""
    folder.mkdir(parents=True)
    adds = (3, 3, third)
    text = "".join(STAGE.format(name=f"net_stage{k}", add=add) for k, add in enumerate(adds))
    source = folder / "all.v"
    source.write_text((text + NETWORK).replace("net", name))
    return RtlProject(folder, Hdl.VERILOG, name, f"{name}_core", (source,), 3, 16, 16, 360.0)


class Counting:
    """Counts the commands that start a yosys."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mapped = self.whole = 0
        run_all, run = yosys_stages.run_all, yosys.run

        def counted_all(commands, jobs=None):  # type: ignore[no-untyped-def]
            self.mapped += sum(len(command.arguments) - 4 for command in commands)
            return run_all(commands, jobs)

        def counted(command, log=None):  # type: ignore[no-untyped-def]
            self.whole += 1
            return run(command, log)

        monkeypatch.setattr(yosys_stages, "run_all", counted_all)
        monkeypatch.setattr(yosys, "run", counted)


def facts(found: Synthesis) -> object:
    names = found.details["stage_names"]
    own = {name: f"stage{k}" for k, name in enumerate(names)}
    modules = {own[name]: count for name, count in found.details["by_module"].items()}
    keep = ("cells", "stage_levels", "stage_carry_bits", "stage_delays_ns", "wrapper")
    return found.total, modules, {key: found.details[key] for key in keep}


def test_counts_are_the_same_with_and_without_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = Counting(monkeypatch)
    cache = Cache(tmp_path / "cache")
    plain = synthesize(network(tmp_path / "a"), work=tmp_path / "w1")
    assert (starts.mapped, starts.whole) == (2, 1)
    first = synthesize(network(tmp_path / "b"), work=tmp_path / "w2", cache=cache)
    assert (starts.mapped, starts.whole) == (4, 2)
    second = synthesize(network(tmp_path / "c"), work=tmp_path / "w3", cache=cache)
    renamed = synthesize(network(tmp_path / "d", "other"), work=tmp_path / "w4", cache=cache)
    assert (starts.mapped, starts.whole) == (4, 2)
    assert facts(plain) == facts(first) == facts(second) == facts(renamed)
    assert plain.version == renamed.version
    assert renamed.details["worst_stage"]["name"].startswith("other_stage")
    changed = network(tmp_path / "e", third=7)
    apart = synthesize(changed, work=tmp_path / "w5", cache=cache)
    assert (starts.mapped, starts.whole) == (5, 3)
    assert facts(apart) == facts(synthesize(changed, work=tmp_path / "w6"))
    assert len(plain.details["stage_levels"]) == 3
    assert plain.details["worst_stage"]["carry_bits"] > 8


def test_a_stage_is_mapped_alike_alone_and_after_others(tmp_path: Path) -> None:
    engine = find_engine()
    stages = [Stage(f"s{k}", STAGE.format(name="trigger_ml_stage", add=k)) for k in range(4)]
    together = map_stages(stages, tmp_path / "a", engine, jobs=1)
    spread = map_stages(stages[::-1], tmp_path / "b", engine, jobs=2)
    alone = map_stages(stages[3:], tmp_path / "c", replace(engine, forked=()))
    assert together == spread
    assert alone["s3"] == together["s3"]


def test_another_yosys_is_another_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path / "cache")
    stage = [Stage("s", STAGE.format(name="trigger_ml_stage", add=1))]
    for version in ("pyosys 0.1", "pyosys 0.2"):
        monkeypatch.setattr(yosys_stages, "engine_version", lambda engine, v=version: v)
        map_stages(stage, tmp_path / version, find_engine(), cache=cache)
    assert len(list(cache.folder.iterdir())) == 2


def test_no_stage_needs_no_yosys(tmp_path: Path) -> None:
    assert map_stages([], tmp_path / "none", Engine("stub", ("/nowhere",))) == {}
    assert not (tmp_path / "none").exists()
