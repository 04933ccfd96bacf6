"""The command line as a user meets it: messages and exit codes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.flow.conftest import QUICK
from tests.processes import heed_interrupts

TINY = Path(__file__).parent / "data" / "tiny_qkeras.h5"


def start(*arguments: object, cwd: Path, path: str | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, **({"PATH": path} if path is not None else {})}
    return subprocess.Popen(
        [sys.executable, "-m", "trigger_ml.cli", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )


def run(*arguments: object, cwd: Path, path: str | None = None) -> tuple[int, str, str]:
    process = start(*arguments, cwd=cwd, path=path)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def refused(*arguments: object, cwd: Path, path: str | None = None) -> str:
    """Standard error of a command that must end with exit code 2 and leave nothing."""
    before = set(cwd.rglob("*"))
    code, out, err = run(*arguments, cwd=cwd, path=path)
    assert (code, out) == (2, ""), err
    assert "Traceback" not in err
    assert set(cwd.rglob("*")) - before <= {cwd / "build"}
    return err


def test_help_lists_every_command(tmp_path: Path) -> None:
    code, out, _ = run("--help", cwd=tmp_path)
    assert code == 0
    for command in ("compile", "check", "report", "data", "train", "doctor"):
        assert f"  {command} " in out


def test_the_command_line_starts_without_the_heavy_libraries(tmp_path: Path) -> None:
    probe = "import sys, trigger_ml.cli; print([m for m in sys.modules if '.' not in m])"
    out = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, text=True, capture_output=True, check=True
    ).stdout
    for library in ("tensorflow", "numpy", "alkaid", "hls4ml", "matplotlib", "pydantic"):
        assert f"'{library}'" not in out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--clock", "0"), "--clock: '0' is not a clock"),
        (("--part", "xc9000"), "xc9000"),
        (("--latency-budget", "-1"), "budget.latency_ns: Input should be greater than 0"),
        (("--backend", "Vivaldi"), "hls4ml has no backend Vivaldi"),
        (("--data", "none.npz"), "none.npz: does not exist"),
        (("--config", "none.yaml"), "none.yaml: cannot be read"),
        (("--simulator", "modelsim"), "'modelsim' is not one of"),
    ],
)
def test_bad_flags(tmp_path: Path, flags: tuple[str, ...], message: str) -> None:
    assert message in refused("compile", TINY, *flags, cwd=tmp_path)


def test_bad_models(tmp_path: Path) -> None:
    empty = tmp_path / "empty.h5"
    empty.touch()
    assert "is empty" in refused("compile", empty, cwd=tmp_path)
    assert "No such file" in refused("compile", "none.h5", cwd=tmp_path)


def test_events_of_another_width(tmp_path: Path) -> None:
    np.save(tmp_path / "events.npy", np.zeros((5, 3)))
    text = refused("compile", TINY, "--data", "events.npy", cwd=tmp_path)
    assert "an event has 3 numbers, the model takes 4" in text


def test_missing_programs_are_all_named(tmp_path: Path) -> None:
    text = refused("compile", TINY, "--simulator", "icarus", cwd=tmp_path, path="/nowhere")
    assert "g++ is needed to build the C simulation" in text
    assert "iverilog" in text
    assert "install the Debian package" in text


def test_an_output_that_is_no_build(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").touch()
    text = refused("compile", TINY, "-o", "thesis", cwd=tmp_path)
    assert "exists and is not a build of trigger-ml" in text


def test_check_and_report_of_nothing(tmp_path: Path) -> None:
    assert "trigger-ml.lock.json" in refused("check", tmp_path, cwd=tmp_path)
    assert "there is no report here" in refused("report", tmp_path, cwd=tmp_path)


def write_quick(path: Path, **changes: object) -> Path:
    sections: dict[str, dict[str, object]] = {}
    for key, value in {**QUICK, **changes}.items():
        section, name = key.split(".")
        sections.setdefault(section, {})[name] = value
    path.write_text(json.dumps(sections))
    return path


def test_an_unmet_budget_is_exit_code_3(tmp_path: Path) -> None:
    """The report lies beside the build, and the last good build stays as it is."""
    place = tmp_path / "Größe 1"
    place.mkdir()
    model = Path(shutil.copy(TINY, place / "modèle d'essai.h5"))
    config = write_quick(tmp_path / "quick.yaml")
    code, out, err = run("compile", model, "--config", config, "-o", place / "b", cwd=tmp_path)
    assert code == 0, err
    assert "PASS" in out
    good = (place / "b" / "report.json").read_bytes()
    flags = ("--config", config, "-o", place / "b", "--latency-budget", "5", "--json")
    code, out, err = run("compile", model, *flags, cwd=tmp_path)
    assert code == 3, err
    report = json.loads(out)
    assert not report["passed"]
    assert not report["latency"]["met"]
    assert report["fidelity"]["exact"]
    assert (place / "b" / "report.json").read_bytes() == good
    assert (place / "b.failed" / "report.html").exists()


@pytest.mark.parametrize(
    ("stage", "how"),
    [
        ("read the model", signal.SIGINT),
        ("hls4ml project", signal.SIGINT),
        ("source model", signal.SIGINT),
        ("RTL by alkaid", signal.SIGINT),
        ("C simulation: build", signal.SIGINT),
        ("cocotb on icarus", signal.SIGINT),
        ("C simulation: build", signal.SIGTERM),
    ],
)
def test_interrupted_in_any_stage(tmp_path: Path, stage: str, how: signal.Signals) -> None:
    config = write_quick(tmp_path / "quick.yaml")
    process = start("compile", TINY, "--config", config, "-o", "out/b", cwd=tmp_path)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(f"... {stage}"):
            break
    time.sleep(0.3)
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert out == ""
    assert not list((tmp_path / "out").iterdir())
    left = subprocess.run(["ps", "-eo", "args"], text=True, capture_output=True, check=True)
    assert str(tmp_path) not in left.stdout
