"""Cosimulation: the RTL under cocotb, event by event and clock by clock."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from trigger_ml.artifacts import CosimRun, RtlProject, Run
from trigger_ml.errors import Blocker, ConfigError, ToolFailedError
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.simulate.bench import Findings, read_findings, write_vectors
from trigger_ml.simulate.ghdl import Ghdl
from trigger_ml.simulate.icarus import Icarus
from trigger_ml.simulate.simulators import Simulator, cocotb_environment
from trigger_ml.simulate.verilator import Verilator
from trigger_ml.toolrun import run, run_all

__all__ = ["SIMULATORS", "Simulator", "Stress", "build_design", "cosimulate", "simulator"]

SIMULATORS: Final[Mapping[str, Callable[[], Simulator]]] = {
    "ghdl": Ghdl,
    "icarus": Icarus,
    "verilator": Verilator,
}

LOOK_EVERY_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Stress:
    """The second pass: the first events again, with idle clocks and resets at random places.

    gap: probability of an idle clock, below 1. resets: how many, each 1 clock to latency + 1
    clocks long.
    """

    events: int = 64
    gap: float = 0.3
    resets: int = 3
    seed: int = 1


USUAL_STRESS: Final = Stress()


def simulator(name: str) -> Simulator:
    """A simulator by its name. Raises ConfigError for an unknown one."""
    if name not in SIMULATORS:
        known = ", ".join(sorted(SIMULATORS))
        raise ConfigError(Blocker("simulator", f"{name} is unknown", f"the known are {known}"))
    return SIMULATORS[name]()


def cosimulate(
    project: RtlProject,
    vectors: Codes,
    *,
    expected: Codes | None,
    input_types: Sequence[FixedType],
    output_types: Sequence[FixedType],
    simulator: Simulator,
    work: Path,
    stress: Stress | None = USUAL_STRESS,
    progress: Callable[[int, int], None] | None = None,
) -> CosimRun:
    """Build a top and drive events through it, one a clock, and measure.

    vectors: input codes, shape (events, inputs). expected: output codes, shape (events,
    outputs), for the testbench's own comparison; a mismatch with them is no error: it is in the
    codes that come back, for :mod:`trigger_ml.check` to judge. input_types, output_types: of
    each element. stress: what follows at less than full rate; None for nothing. work: a scratch
    folder of this call's own; a build in it is used again while its sources are the same.
    progress: called with (events driven, events), from another thread.

    Raises ToolMissingError for a missing simulator, DataError for vectors that are not codes of
    the types, ConfigError for a simulator that does not read the project's language, and
    ToolFailedError when the build or the simulation fails, or when nothing can be measured: no
    event or too few come out, a valid output is X, the latency varies, or gaps and resets change
    a result.
    """
    if project.hdl not in simulator.hdls:
        raise ConfigError(
            Blocker(
                "simulator", f"{simulator.name} does not read {project.hdl.value}", "use another"
            )
        )
    version = simulator.version()
    environment = cocotb_environment(project)
    work.mkdir(parents=True, exist_ok=True)
    work = work.resolve()
    vector_file, result_file = work / "vectors.npz", work / "results.npz"
    write_vectors(
        vector_file,
        vectors,
        expected,
        input_types,
        output_types,
        project.latency_cycles,
        project.stream,
    )
    build_seconds = build_design(project, simulator, version, work)
    result_file.unlink(missing_ok=True)
    environment |= {
        "COCOTB_RESULTS_FILE": str(work / "results.xml"),
        "TRIGGER_ML_VECTORS": str(vector_file),
        "TRIGGER_ML_RESULTS": str(result_file),
        "TRIGGER_ML_PROGRESS": str(work / "progress.txt"),
    }
    if stress is not None:
        environment["TRIGGER_ML_STRESS"] = (
            f"{stress.events},{stress.gap},{stress.resets},{stress.seed}"
        )
    log = work / "simulation.log"
    command = simulator.simulate(project, work)
    command = replace(command, env={**environment, **command.env})
    with _watched(work / "progress.txt", progress):
        finished = run(command, log)
    findings = read_findings(
        result_file, finished.output, log, len(vectors), len(output_types), project.stream
    )
    _require_consistent(findings, expected, stress, project.latency_cycles)
    return CosimRun(
        run=Run("rtl", findings.codes, findings.seconds),
        simulator=simulator.name,
        simulator_version=version,
        hdl=project.hdl,
        events=len(vectors),
        latency_cycles=findings.latency_cycles,
        ii_cycles=findings.ii_cycles,
        build_seconds=build_seconds,
    )


def build_design(project: RtlProject, simulator: Simulator, version: str, work: Path) -> float:
    """Build a design, or find it built; seconds of wall time, 0 when there was nothing to do.

    work: an existing, absolute folder. Raises ToolFailedError when the simulator refuses it.
    """
    stamp = work / "built.txt"
    digest = _digest(project, simulator.name, version)
    if stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
        return 0.0
    stamp.unlink(missing_ok=True)
    started = time.perf_counter()
    for step in simulator.build(project, work):
        for name, text in step.files.items():
            (work / name).write_text(text, encoding="utf-8")
        run_all(step.commands)
    stamp.write_text(digest, encoding="ascii")
    return time.perf_counter() - started


def _digest(project: RtlProject, name: str, version: str) -> str:
    """SHA-256 of all that a build depends on."""
    digest = hashlib.sha256(f"{name} {version} {project.top} {project.hdl.value}".encode())
    for source in project.sources:
        content = source.read_bytes()
        digest.update(f"\n{source.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _require_consistent(
    findings: Findings, expected: Codes | None, stress: Stress | None, latency_cycles: int
) -> None:
    """Raise ToolFailedError where findings contradict one another or the stated latency."""
    if findings.latency_cycles != latency_cycles:
        raise ToolFailedError(
            f"the top states a latency of {latency_cycles} clocks and takes "
            f"{findings.latency_cycles}"
        )
    equal = expected is None or np.array_equal(findings.codes, expected)
    if equal != (findings.full_rate is None):
        raise ToolFailedError(
            "the testbench and its results disagree: it says "
            f"'{findings.full_rate or 'no difference'}', its codes are "
            f"{'equal to' if equal else 'different from'} the expected ones"
        )
    if stress is None:
        return
    if findings.stress_events != min(stress.events, len(findings.codes)):
        raise ToolFailedError(
            f"the pass with gaps and resets ended after {findings.stress_events} events"
        )
    if equal and findings.gaps_and_resets is not None:
        raise ToolFailedError(
            f"the RTL does not stand idle clocks or resets: {findings.gaps_and_resets}"
        )
    if equal and findings.framing_errors is not None:
        raise ToolFailedError(
            f"the RTL does not recover from wrong framing: {findings.framing_errors}"
        )


@contextmanager
def _watched(path: Path, progress: Callable[[int, int], None] | None) -> Iterator[None]:
    """Report what the testbench writes into a file, from a thread, while the block runs."""
    path.unlink(missing_ok=True)
    if progress is None:
        yield
        return
    over = threading.Event()

    def look() -> None:
        last = ""
        while True:
            ended = over.wait(LOOK_EVERY_S)
            text = path.read_text(encoding="ascii") if path.exists() else ""
            if text != last and len(numbers := text.split()) == 2:
                progress(int(numbers[0]), int(numbers[1]))
                last = text
            if ended:
                return

    thread = threading.Thread(target=look, name="cosimulation progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
