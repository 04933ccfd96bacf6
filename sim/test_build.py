"""Run the testbench again on the RTL of a build, as it lies there.

    BUILD=build/model python -m pytest sim
    BUILD=build/model SIMULATOR=verilator python -m pytest sim

Every folder under BUILD with a ``bench.json`` is a test. Without SIMULATOR, Verilog goes to
Icarus and VHDL to GHDL.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from trigger_ml.artifacts import Hdl
from trigger_ml.simulate.bench import read_bench
from trigger_ml.simulate.rtl import cosimulate, simulator

BUILD = Path(os.environ.get("BUILD", "."))
BENCHES = sorted(path.parent for path in BUILD.rglob("bench.json")) if "BUILD" in os.environ else []
USUAL = {Hdl.VERILOG: "icarus", Hdl.VHDL: "ghdl"}


def test_there_is_something_to_run() -> None:
    """Nothing to run is a failure."""
    assert BENCHES, "set BUILD to a build of trigger-ml; none of its folders has a bench.json"


@pytest.mark.parametrize("directory", BENCHES, ids=str)
def test_rtl_gives_its_vectors(directory: Path, tmp_path: Path) -> None:
    """Same integers, same latency, same interval, with gaps and resets too."""
    bench = read_bench(directory)
    name = os.environ.get("SIMULATOR", USUAL[bench.project.hdl])
    if bench.project.hdl not in simulator(name).hdls:
        pytest.skip(f"{name} does not read {bench.project.hdl.value}")
    run = cosimulate(
        bench.project,
        bench.inputs,
        expected=bench.expected,
        input_types=bench.input_types,
        output_types=bench.output_types,
        simulator=simulator(name),
        work=tmp_path,
    )
    np.testing.assert_array_equal(run.run.codes, bench.expected)
    assert run.latency_cycles == bench.project.latency_cycles
    stream = bench.project.stream
    assert run.ii_cycles == (stream.groups if stream else 1)
