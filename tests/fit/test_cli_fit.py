"""``fit`` and ``compile --fit`` as a user meets them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from trigger_ml.config import load_config
from trigger_ml.errors import ConfigError
from trigger_ml.pipeline import Request, compile_model
from trigger_ml.records import load_build

TINY = Path(__file__).parents[1] / "data" / "tiny_qkeras.h5"
QUICK = {
    "simulator": "icarus",
    "events": 1000,
    "cosim_events": 100,
    "cross_simulate": 0,
    "random_events": 100,
    "synthesis": False,
}


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trigger_ml.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False)


def test_fit_shows_candidates_and_builds_nothing(tmp_path: Path) -> None:
    done = run("fit", TINY, cwd=tmp_path)
    assert done.returncode == 0
    assert "Chosen: firmware: {routing_margin: 1.5, adder_depth: " in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_budget_that_cannot_be_met_is_exit_code_2_and_nothing_built(tmp_path: Path) -> None:
    for command in ("fit", "compile"):
        options = ("--fit",) if command == "compile" else ()
        done = run(command, TINY, "--latency-budget", 3, *options, cwd=tmp_path)
        assert done.returncode == 2
        assert "budget.latency_ns: latency" in done.stderr
        assert "at best" in done.stderr
        assert "No candidate meets all budgets." in done.stdout + done.stderr
        assert not list(tmp_path.iterdir())


def test_fit_as_json(tmp_path: Path) -> None:
    found = json.loads(run("fit", TINY, "--json", cwd=tmp_path).stdout)
    assert found["chosen"] in found["candidates"]
    assert found["problems"] == []


def test_a_build_holds_what_was_chosen(tmp_path: Path) -> None:
    found = json.loads(run("fit", TINY, "--json", cwd=tmp_path).stdout)
    margin = found["chosen"]["settings"]["routing_margin"]
    within = [item for item in found["candidates"] if item["margin"] < margin]
    budget = min(item["latency_ns"] for item in within)
    assert budget < found["chosen"]["latency_ns"]
    config = {"firmware": {"fit": True}, "budget": {"latency_ns": budget}, "verify": QUICK}
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump(config))
    done = run("compile", TINY, "--config", "fit.yaml", "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    built = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())["firmware"]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert built["fit"] is False
    assert built["routing_margin"] < 1.5
    assert report["latency"]["ns"] == pytest.approx(budget)
    assert report["pipeline"]["routing_margin"] == built["routing_margin"]
    assert {layer["name"] for layer in report["hls_estimate"]["layers"]}
    assert report["resources"]["judged_by"] == "cost_model"
    again = load_build(tmp_path / "out").config.firmware
    assert again.routing_margin == built["routing_margin"]
    assert again.adder_depth == built["adder_depth"]


def test_a_compilation_chooses_nothing_by_itself(tmp_path: Path) -> None:
    config = load_config(None, {"firmware.fit": True})
    with pytest.raises(ConfigError, match="nothing was chosen yet"):
        compile_model(Request(TINY, config, output=tmp_path / "out"))
    assert not list(tmp_path.iterdir())
