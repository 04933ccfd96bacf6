"""Whether synthesis may take what it found before is the configuration's to say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from trigger_ml import build_check, cli, measure_resources
from trigger_ml.artifacts import Hdl, Resources, Synthesis, Verdict
from trigger_ml.config import Config, load_config
from trigger_ml.progress import Quiet, Stopwatch
from trigger_ml.synth.yosys_cache import open_cache

FOUND = Synthesis("yosys", "1", Resources(lut=1.0))


@pytest.mark.parametrize("stream", [None, "a stream"])
@pytest.mark.parametrize("wanted", [True, False])
def test_measuring_hands_the_cache_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: str | None, wanted: bool
) -> None:
    seen: list[Any] = []

    def counted(project: Any, *, work: Path, cache: Any) -> Synthesis:
        seen.append(cache)
        return FOUND

    monkeypatch.setattr(measure_resources, "synthesize_stream" if stream else "synthesize", counted)
    monkeypatch.setattr(measure_resources, "_estimate", lambda design: FOUND)
    config = load_config(None, {"verify.synth_cache": wanted})
    design: Any = SimpleNamespace(config=config, rtl={Hdl.VERILOG: SimpleNamespace(stream=stream)})
    found = measure_resources.count_resources(design, tmp_path, Stopwatch(Quiet()))
    assert found[-1] is FOUND
    assert seen == [open_cache() if wanted else None]


@pytest.mark.parametrize(("flags", "wanted"), [((), True), (("--no-synth-cache",), False)])
def test_the_flag_switches_it_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], wanted: bool
) -> None:
    seen: list[Config] = []
    monkeypatch.setattr(cli, "_compile", lambda model, config, *rest: seen.append(config))
    model = tmp_path / "model.h5"
    model.write_bytes(b"")
    done = CliRunner().invoke(cli.cli, ["compile", str(model), *flags])
    assert done.exit_code == 0, done.output
    assert seen[0].verify.synth_cache is wanted


@pytest.mark.parametrize(("flags", "wanted"), [((), True), (("--no-synth-cache",), False)])
def test_a_check_hands_the_flag_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], wanted: bool
) -> None:
    seen: list[dict[str, bool]] = []

    def checked(build: Path, **asked: bool) -> build_check.CheckOutcome:
        seen.append(asked)
        return build_check.CheckOutcome((Verdict("lock:bits", True, ""),), None)

    monkeypatch.setattr(cli, "checked", checked)
    done = CliRunner().invoke(cli.cli, ["check", str(tmp_path), *flags])
    assert done.exit_code == 0, done.output
    assert seen == [{"synthesis": True, "synth_cache": wanted}]


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize("asked", [True, False])
def test_a_check_uses_the_cache_where_both_allow_it(built: bool, asked: bool) -> None:
    config = load_config(None, {"verify.synth_cache": built})
    found = build_check._recheck_config(config, synthesis=True, synth_cache=asked)
    assert found.verify.synth_cache is (built and asked)
    assert found.verify.synthesis
