"""GHDL: builds VHDL in a second, simulates some tens of events a second, knows X and U."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.simulate.simulators import Step
from trigger_ml.toolrun import Command, require_tool, run

__all__ = ["Ghdl"]


class Ghdl:
    """GHDL 2 and later, any code generator."""

    name = "ghdl"
    hdls = frozenset({Hdl.VHDL})

    def version(self) -> str:
        """Version of ghdl."""
        program = require_tool("ghdl", "simulate VHDL")
        output = run(Command((str(program), "--version"), Path.cwd(), "ask for its version")).output
        match = re.search(r"GHDL (\S+)", output)
        return match.group(1) if match else "unknown"

    def build(self, project: RtlProject, folder: Path) -> Iterator[Step]:
        """Read the sources into a library, then make the top from it."""
        sources = (str(source) for source in project.sources)
        options = _options(folder)
        yield Step(
            (Command(("ghdl", "-i", *options, *sources), folder, "read the VHDL with GHDL"),)
        )
        yield Step(
            (Command(("ghdl", "-m", *options, project.top), folder, "compile the VHDL with GHDL"),)
        )

    def simulate(self, project: RtlProject, folder: Path) -> Command:
        """Run the top with cocotb as its VPI module.

        numeric_std's warnings of U and X are off: they come before the first event, and the
        testbench looks at every bit of a valid output.
        """
        from cocotb_tools.config import lib_entry

        arguments = (
            "ghdl",
            "-r",
            *_options(folder),
            project.top,
            f"--vpi={lib_entry('vpi', 'ghdl')}",
            "--ieee-asserts=disable",
        )
        return Command(
            arguments,
            folder,
            "simulate the VHDL with GHDL",
            env={"COCOTB_TRUST_INERTIAL_WRITES": "1"},
        )


def _options(folder: Path) -> tuple[str, ...]:
    return "--std=08", "--work=work", f"--workdir={folder}"
