"""Where in a pipeline the RTL goes wrong: its stage registers against alkaid's stages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from trigger_ml.artifacts import RtlProject
from trigger_ml.errors import ToolFailedError
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.simulate.icarus import Icarus
from trigger_ml.simulate.rtl import build_design
from trigger_ml.simulate.simulators import cocotb_environment
from trigger_ml.toolrun import run

__all__ = ["StageDifference", "probe_stages"]

MODULE: Final = "trigger_ml_probe"
OUTPUT: Final = "model_out"


@dataclass(frozen=True, slots=True)
class StageDifference:
    """The first stage register that does not hold what the stage before it should give.

    stage: number of the stage whose result is wrong, the first one 1, of ``stages``. register:
    its name in the core. element: index in it. found: its bits, X included. expected: its code.
    """

    stage: int
    stages: int
    register: str
    element: int
    found: str
    expected: int

    def __str__(self) -> str:
        return (
            f"pipeline stage {self.stage} of {self.stages} is the first that is wrong: register "
            f"{self.register}, element {self.element} holds {self.found}, expected {self.expected}"
        )


def probe_stages(
    project: RtlProject, fsm: Any, event: Codes, input_types: Sequence[FixedType], work: Path
) -> StageDifference | None:
    """Hold one event at the input, with Icarus, and compare every stage register.

    fsm: alkaid's description of the pipeline. event: input codes, shape (inputs,). work: a
    scratch folder. Returns None where all registers are right, so that only their timing can be
    wrong. Raises ToolMissingError without Icarus and ToolFailedError when nothing can be read.
    """
    stages = list(fsm.logic.values())
    registers = [*(f"stage{k}_inp" for k in range(1, len(stages))), OUTPUT]
    found = _read_registers(project, registers, _pack(event, input_types), work)
    values = np.array([[t.decode(event[k]) for k, t in enumerate(input_types)]], dtype=np.float64)
    for number, (stage, register) in enumerate(zip(stages, registers, strict=True), start=1):
        values = stage.predict(values)
        bits = found[register]
        high = len(bits)
        for element, (kif, value) in enumerate(zip(stage.out_qint, values[0], strict=True)):
            signed, integer, fraction = (int(part) for part in kif.kif)
            width = signed + integer + fraction
            if width <= 0:
                continue
            text, high = bits[high - width : high], high - width
            code = int(np.ldexp(value, fraction))
            if text != format(code & ((1 << width) - 1), f"0{width}b"):
                shown = _signed(text, bool(signed)) if set(text) <= {"0", "1"} else text
                return StageDifference(number, len(stages), register, element, shown, code)
    return None


def _signed(bits: str, signed: bool) -> str:
    code = int(bits, 2)
    return str(code - (1 << len(bits)) if signed and bits[0] == "1" else code)


def _pack(event: Codes, types: Sequence[FixedType]) -> int:
    packed = low = 0
    for code, kind in zip(event.tolist(), types, strict=True):
        packed |= (code & ((1 << kind.width) - 1)) << low
        low += kind.width
    return packed


def _read_registers(
    project: RtlProject, registers: list[str], in_data: int, work: Path
) -> dict[str, str]:
    simulator = Icarus()
    environment = cocotb_environment(project)
    work.mkdir(parents=True, exist_ok=True)
    work = work.resolve()
    build_design(project, simulator, simulator.version(), work)
    request = {
        "in_data": format(in_data, "x"),
        "latency_cycles": project.latency_cycles,
        "registers": registers,
    }
    path = work / "probe.json"
    path.write_text(json.dumps(request), encoding="ascii")
    command = simulator.simulate(project, work)
    environment |= {
        "COCOTB_TEST_MODULES": MODULE,
        "COCOTB_RESULTS_FILE": str(work / "probe.xml"),
        "TRIGGER_ML_PROBE": str(path),
    }
    log = work / "probe.log"
    run(replace(command, env={**environment, **command.env}), log)
    answer: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    if "found" not in answer:
        raise ToolFailedError(f"the registers of {project.core} cannot be read; see {log}")
    found: dict[str, str] = answer["found"]
    return found
