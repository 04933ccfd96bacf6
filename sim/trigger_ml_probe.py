"""cocotb module that looks into a top's pipeline: one event held, every stage register read.

With a constant input every register of a pipeline ends up holding that one event's value,
whatever the latency. TRIGGER_ML_PROBE names a JSON file with the event and the registers; the
values found are written back into it, as text of 0, 1, X and Z.
"""

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

SPARE_CLOCKS = 4


@cocotb.test()
async def hold_one_event(dut: Any) -> None:
    """Drive one event until the pipeline is full of it, then read the registers."""
    path = Path(os.environ["TRIGGER_ML_PROBE"])
    request = json.loads(path.read_text(encoding="ascii"))
    dut.rst.value = 0
    dut.in_valid.value = 1
    dut.in_data.value = int(request["in_data"], 16)
    cocotb.start_soon(Clock(dut.clk, 2, unit="ns").start())
    for _ in range(request["latency_cycles"] + SPARE_CLOCKS):
        await FallingEdge(dut.clk)
    found = {name: str(getattr(dut.core, name).value) for name in request["registers"]}
    path.write_text(json.dumps({**request, "found": found}), encoding="ascii")
