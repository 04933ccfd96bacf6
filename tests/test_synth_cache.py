"""Whether synthesis may take what it found before is the configuration's to say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from trigger_ml import cli, measure
from trigger_ml.artifacts import Hdl, Resources, Synthesis
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

    monkeypatch.setattr(measure, "synthesize_stream" if stream else "synthesize", counted)
    monkeypatch.setattr(measure, "_estimate", lambda design: FOUND)
    config = load_config(None, {"verify.synth_cache": wanted})
    design: Any = SimpleNamespace(config=config, rtl={Hdl.VERILOG: SimpleNamespace(stream=stream)})
    assert measure._synthesis(design, tmp_path, Stopwatch(Quiet()))[-1] is FOUND
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
