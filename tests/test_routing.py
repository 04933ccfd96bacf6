"""Routing of a build: what is routed, what is written, what is shown."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from trigger_ml import routing
from trigger_ml.cli import cli
from trigger_ml.errors import BuildError, ToolFailedError
from trigger_ml.routing import FILE_NAME, Routing, load_routing, route_build
from trigger_ml.synth.nextpnr import Critical, Routed, Router

FAST = Routed("a", 150.0, 900, 300, Critical(2.0, 4.0, "x", "y"), 3.0)
SLOW = Routed("b", 101.25, 800, 200, Critical(3.5, 6.25, "x", "y"), 2.0)
BOTH = Routing("nextpnr-ecp5 0.7", 1, 360.0, (FAST, SLOW))


def test_the_slowest_part_is_the_clock() -> None:
    assert BOTH.to_json()["fmax_mhz"] == 101.25
    assert BOTH.to_json()["note"] == "ECP5, not UltraScale+"
    assert BOTH.text() == (
        "ECP5, not UltraScale+: 101.2 MHz in b, the slowest of 2 kernels after place and route "
        "by nextpnr; 3.50 ns logic and 6.25 ns routing on the slowest path"
    )
    assert "kernels" not in Routing("n", 1, 360.0, (FAST,)).text()


def test_the_file_reads_back_as_it_was(tmp_path: Path) -> None:
    assert load_routing(tmp_path) is None
    (tmp_path / FILE_NAME).write_text(json.dumps(BOTH.to_json()))
    assert load_routing(tmp_path) == BOTH


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({**BOTH.to_json(), "schema": 2})])
def test_a_broken_file_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(BuildError, match=r"route\.json cannot be read.*route .* again"):
        load_routing(tmp_path)


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build with stand-ins for its RTL and for the tools."""
    project = SimpleNamespace(top="a", stream=None, clock_mhz=360.0)
    monkeypatch.setattr(routing, "read_bench", lambda path: SimpleNamespace(project=project))
    monkeypatch.setattr(routing, "find_router", lambda: Router("nextpnr-ecp5 0.7", ("np",)))
    monkeypatch.setattr(routing, "find_engine", lambda: None)
    return tmp_path


def test_a_build_is_routed_at_its_own_clock(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def fake(part: Any, **options: Any) -> Routed:
        seen.update(options, top=part.top)
        return FAST

    monkeypatch.setattr(routing, "route", fake)
    found = route_build(build, seed=3)
    assert (seen["top"], seen["clock_mhz"], seen["seed"]) == ("a", 360.0, 3)
    assert load_routing(build) == found
    done = CliRunner().invoke(cli, ["route", str(build), "--clock", "200", "--json"])
    assert done.exit_code == 0
    assert seen["clock_mhz"] == 200.0
    assert json.loads((build / FILE_NAME).read_text())["asked_mhz"] == 200.0


def test_kernels_of_a_stream_are_routed_apart(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = SimpleNamespace(
        top="s", stream=SimpleNamespace(kernels={"a": 3, "b": 1}), clock_mhz=1.0
    )
    monkeypatch.setattr(routing, "read_bench", lambda path: SimpleNamespace(project=stream))
    monkeypatch.setattr(routing, "kernel_project", lambda project, name: SimpleNamespace(top=name))
    parts = {"a": FAST, "b": SLOW}
    monkeypatch.setattr(routing, "route", lambda part, **options: parts[part.top])
    assert route_build(build).parts == (FAST, SLOW)


def test_a_failed_run_leaves_the_last_file(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (build / FILE_NAME).write_text(json.dumps(BOTH.to_json()))

    def failing(part: Any, **options: Any) -> Routed:
        raise ToolFailedError("no route")

    monkeypatch.setattr(routing, "route", failing)
    with pytest.raises(ToolFailedError, match="no route"):
        route_build(build)
    assert load_routing(build) == BOTH
    assert [path.name for path in build.iterdir()] == [FILE_NAME]
