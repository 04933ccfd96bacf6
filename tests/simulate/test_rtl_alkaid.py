"""Cosimulation of cores that alkaid wrote: dead inputs, tight ranges, three simulators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.lower.wrapper import Core, write_wrapper
from trigger_ml.simulate.bench import Bench, read_bench, write_bench
from trigger_ml.simulate.rtl import cosimulate, simulator

INPUTS = (*(FixedType(8, 4),) * 4, *(FixedType(5, 3, signed=False),) * 3)
OUTPUTS = (FixedType(12, 7),) * 3
FRACTION = OUTPUTS[0].fraction


@pytest.fixture(scope="module")
def network() -> Any:
    """Two layers on seven inputs, of which the second and the sixth are dead."""
    from alkaid.trace import FVArray, HWConfig, trace
    from alkaid.trace.ops import quantize

    random = np.random.default_rng(4)
    signs = np.array([int(kind.signed) for kind in INPUTS])
    integers = np.array([kind.integer for kind in INPUTS]) - signs
    fractions = np.array([kind.fraction for kind in INPUTS])
    inputs = FVArray.from_kif(signs, integers, fractions, HWConfig(1, -1, -1), 0.0)
    weight = random.integers(-7, 8, (7, 6)) / 8
    weight[[1, 5]] = 0
    hidden = quantize(np.maximum(inputs @ weight, 0), 0, 2, 3, "SAT", "RND_CONV")
    outputs = quantize(hidden @ (random.integers(-7, 8, (6, 3)) / 8), 1, 6, FRACTION)
    return trace(inputs, outputs, keep_dead_inputs=True)


def write(network: Any, folder: Path, hdl: Hdl) -> RtlProject:
    from alkaid.codegen import RTLModel

    model = RTLModel(
        network, folder / "raw", prj_name="net_core", flavor=hdl.value, latency_cutoff=1.0
    )
    model.write()
    core = Core.of_fsm("net_core", model.fsm)
    assert core.latency_cycles == model.latency + 1
    assert core.inputs[1].width == core.inputs[5].width == 0
    suffix = "v" if hdl is Hdl.VERILOG else "vhd"
    raw = folder / "raw" / "src"
    sources = [*sorted((raw / "static").glob(f"*.{suffix}")), *sorted(raw.glob(f"logic*.{suffix}"))]
    sources.append(raw / f"net_core.{suffix}")
    for name, text in write_wrapper("net", core, INPUTS, OUTPUTS, hdl).items():
        (folder / name).write_text(text)
        sources.append(folder / name)
    return RtlProject(
        directory=folder,
        hdl=hdl,
        top="net",
        core="net_core",
        sources=tuple(sources),
        latency_cycles=core.latency_cycles,
        input_bits=sum(kind.width for kind in INPUTS),
        output_bits=sum(kind.width for kind in OUTPUTS),
        clock_mhz=360.0,
    )


def vectors(network: Any, count: int) -> tuple[Codes, Codes]:
    """Inputs, and what alkaid's interpreter makes of them."""
    random = np.random.default_rng(8)
    low = np.array([kind.min_code for kind in INPUTS])
    high = np.array([kind.max_code for kind in INPUTS])
    codes = random.integers(low, high, (count, len(INPUTS)), dtype=np.int64, endpoint=True)
    codes[0], codes[1] = low, high
    values = codes * np.array([kind.step for kind in INPUTS])
    return codes, np.ldexp(network.predict(values), FRACTION).astype(np.int64)


@pytest.mark.parametrize(
    ("name", "hdl"),
    [
        ("icarus", Hdl.VERILOG),
        ("ghdl", Hdl.VHDL),
        pytest.param("verilator", Hdl.VERILOG, marks=pytest.mark.slow),
    ],
)
def test_equal_to_the_interpreter(name: str, hdl: Hdl, network: Any, tmp_path: Path) -> None:
    project = write(network, tmp_path / "rtl", hdl)
    codes, expected = vectors(network, 100 if name != "verilator" else 20_000)
    assert len(np.unique(expected)) > 50
    write_bench(Bench(project, codes, expected, INPUTS, OUTPUTS))
    kept = read_bench(project.directory)
    assert kept.project == project
    assert (kept.input_types, kept.output_types) == (INPUTS, OUTPUTS)
    found = cosimulate(
        kept.project,
        kept.inputs,
        expected=kept.expected,
        input_types=kept.input_types,
        output_types=kept.output_types,
        simulator=simulator(name),
        work=tmp_path / "work",
    )
    np.testing.assert_array_equal(found.run.codes, expected)
    assert found.latency_cycles == project.latency_cycles
    assert found.ii_cycles == 1
