"""Icarus Verilog: builds in a second, simulates about a hundred events a second, knows X."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.simulate.simulators import Step
from trigger_ml.toolrun import Command, require_tool, run

__all__ = ["Icarus"]

IMAGE: Final = "design.vvp"


class Icarus:
    """Icarus Verilog 11 and later."""

    name = "icarus"
    hdls = frozenset({Hdl.VERILOG})

    def version(self) -> str:
        """Version of iverilog."""
        program = require_tool("iverilog", "simulate Verilog")
        require_tool("vvp", "simulate Verilog")
        output = run(Command((str(program), "-V"), Path.cwd(), "ask for its version")).output
        match = re.search(r"version (\S+)", output)
        return match.group(1) if match else "unknown"

    def build(self, project: RtlProject, folder: Path) -> Iterator[Step]:
        """One call of the compiler."""
        arguments = (
            "iverilog",
            "-g2012",
            "-s",
            project.top,
            "-o",
            str(folder / IMAGE),
            *(str(source) for source in project.sources),
        )
        yield Step((Command(arguments, folder, "compile the Verilog with Icarus"),))

    def simulate(self, project: RtlProject, folder: Path) -> Command:  # noqa: ARG002
        """The virtual machine, with cocotb as its VPI module."""
        from cocotb_tools.config import lib_entry

        arguments = ("vvp", "-n", "-m", lib_entry("vpi", "icarus"), str(folder / IMAGE), "-none")
        return Command(arguments, folder, "simulate the Verilog with Icarus")
