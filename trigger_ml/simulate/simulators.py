"""What a simulator has to say for itself: which commands build a design and run it.

A simulator only describes. It yields the steps of a build, each with the files and commands it
needs, and names the command that runs the result under cocotb; :mod:`trigger_ml.simulate.rtl`
executes them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Protocol

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.errors import ToolMissingError
from trigger_ml.packaged import packaged_folder
from trigger_ml.toolrun import Command

__all__ = ["TEST_MODULE", "Simulator", "Step", "cocotb_environment", "cocotb_version"]

TEST_MODULE: Final = "trigger_ml_bench"
STREAM_TEST_MODULE: Final = "trigger_ml_stream_bench"
"""The testbenches, files in ``sim/``."""


@dataclass(frozen=True, slots=True)
class Step:
    """Commands of a build that may run side by side.

    files: {name: text}, written into the build folder before the commands run.
    """

    commands: tuple[Command, ...]
    files: Mapping[str, str] = field(default_factory=dict)


class Simulator(Protocol):
    """One simulator. name: as the configuration has it. hdls: what it reads."""

    @property
    def name(self) -> str:
        """Its name, in lower case."""

    @property
    def hdls(self) -> frozenset[Hdl]:
        """Languages it reads."""

    def version(self) -> str:
        """Its version. Raises ToolMissingError when it, or anything it needs, is not there."""

    def build(self, project: RtlProject, folder: Path) -> Iterator[Step]:
        """Steps that make a design ready to run in ``folder``, an existing, absolute path.

        The next step is asked for when the one before has succeeded.
        """

    def simulate(self, project: RtlProject, folder: Path) -> Command:
        """The command that runs what :meth:`build` made; cocotb's environment is added to it."""


def cocotb_version() -> str:
    """Version of cocotb. Raises ToolMissingError when it is not installed."""
    try:
        return version("cocotb")
    except PackageNotFoundError as error:
        raise ToolMissingError(
            "cocotb is needed to simulate the RTL, and is not installed; "
            "pip install 'trigger_ml[sim]', or cocotb>=2.1"
        ) from error


def cocotb_environment(project: RtlProject) -> dict[str, str]:
    """Environment in which a simulator loads this Python, cocotb and the testbench.

    These are the variables of cocotb's "Build options and environment variables" reference,
    set as ``cocotb_tools.runner`` sets them.
    """
    cocotb_version()
    import find_libpython
    from cocotb_tools.config import pygpi_entry_point

    library = find_libpython.find_libpython()
    if library is None:
        raise ToolMissingError(
            "a shared libpython is needed to run cocotb in a simulator, and this Python "
            f"({sys.executable}) has none; install libpython3-dev or another Python"
        )
    paths = [str(packaged_folder("sim")), os.environ.get("PYTHONPATH", "")]
    return {
        "COCOTB_TOPLEVEL": project.top,
        "COCOTB_TEST_MODULES": STREAM_TEST_MODULE if project.stream else TEST_MODULE,
        "COCOTB_ANSI_OUTPUT": "0",
        "COCOTB_TEST_FILTER": "",
        "GPI_USERS": f"{library};{pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "TOPLEVEL_LANG": project.hdl.value,
    }
