"""The tiny model, compiled once for all tests of the whole flow."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from trigger_ml.artifacts import Run
from trigger_ml.check.equality import compare
from trigger_ml.config import Config, load_config
from trigger_ml.design import Design, Measurements, SourceCheck
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.lower.rtl import trace_graph
from trigger_ml.measure import anchors, measure
from trigger_ml.pipeline import Request, compile_model
from trigger_ml.progress import Quiet, Stopwatch
from trigger_ml.records import load_build
from trigger_ml.synth.devices import find_device

TINY = Path(__file__).parents[1] / "data" / "tiny_qkeras.h5"
QUICK = {
    "verify.simulator": "icarus",
    "verify.events": 3000,
    "verify.cosim_events": 200,
    "verify.cross_simulate": 0,
    "verify.random_events": 1000,
    "verify.synthesis": False,
}


def quick(**changes: object) -> Config:
    """A configuration that is checked in seconds."""
    return load_config(None, {**QUICK, **changes})


def once(tmp_path_factory: pytest.TempPathFactory, name: str, config: Config) -> Path:
    """Compile the tiny model once in a test session, whichever process comes first."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    build = root / "builds" / name
    with FileLock(root / f"{name}.lock"):
        if not build.exists():
            outcome = compile_model(Request(TINY, config, output=build))
            assert outcome.report.passed, outcome.report.failures
    return build


@pytest.fixture(scope="session")
def logits_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with logits, as in every default. Read only."""
    return once(tmp_path_factory, "tiny", quick())


@pytest.fixture(scope="session")
def softmax_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with its softmax in firmware. Read only."""
    changes = {"firmware.output": "softmax", "firmware.softmax_bits": 6}
    return once(tmp_path_factory, "tiny_softmax", quick(**changes))


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """A build to spoil."""

    def copy(build: Path) -> Path:
        return Path(shutil.copytree(build, tmp_path / build.name))

    return copy


def remeasure(build: Path, scratch: Path) -> Measurements:
    """All witnesses but the source model, on what lies in a build directory now."""
    stored = load_build(build)
    codes = stored.vectors.codes
    names = anchors(stored.network)
    node = stored.network.by_name[names[0]]
    reference = Run("graph", evaluate(replace(stored.network, outputs=names), codes), 0.0)
    values = node.type.decode(reference.codes)
    source = SourceCheck(
        replace(reference, witness="source"),
        values,
        None,
        reference,
        compare(reference, replace(reference, witness="source")),
        None,
    )
    design = Design(
        stored.config,
        find_device(stored.config.target.part),
        stored.network,
        stored.firmware,
        stored.hls,
        trace_graph(stored.firmware),
        stored.rtl,
        stored.vectors,
        None,
        (),
    )
    return measure(design, source, scratch, Stopwatch(Quiet()))
