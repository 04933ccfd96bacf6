"""Where yosys is, and how to give it scripts."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from trigger_ml.toolrun import Command, require_tool, run

__all__ = ["PURPOSE", "Engine", "engine_version", "find_engine", "run_commands"]

PURPOSE: Final = "count resources by open synthesis"
RUN_SCRIPT: Final = (
    "import sys; from pyosys import libyosys as yosys; "
    "yosys.run_pass('script ' + sys.argv[1], yosys.Design())"
)
"""Python program that runs a yosys script; its status is 1 when yosys finds an error."""

RUN_FORKED: Final = """
import os, sys
from pyosys import libyosys as yosys
common, *scripts = sys.argv[1:]
design = yosys.Design()
yosys.run_pass('script ' + common, design)
for script in scripts:
    child = os.fork()
    if child == 0:
        yosys.run_pass('script ' + script, design)
        sys.stdout.flush()
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(1)
"""
"""Python program that runs the first script once and each other one on a copy of what it left:
yosys numbers what it makes, and its results can depend on what it made before."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A yosys. arguments: what runs the script whose name is put behind them.

    forked: what runs, in one process, the scripts whose names are put behind it, the first before
    each of the others; empty for a yosys that cannot.
    """

    name: str
    arguments: tuple[str, ...]
    forked: tuple[str, ...] = ()


def find_engine() -> Engine:
    """The pyosys wheel, in a process of its own, or else ``yosys`` on PATH.

    Raises ToolMissingError when there is neither.
    """
    if importlib.util.find_spec("pyosys") is not None:
        start = (sys.executable, "-c")
        return Engine("pyosys", (*start, RUN_SCRIPT), (*start, RUN_FORKED))
    return Engine("yosys", (str(require_tool("yosys", PURPOSE)), "-Q", "-T", "-s"))


def engine_version(engine: Engine) -> str:
    """Which yosys it is, without starting one where that is known."""
    if engine.name == "pyosys":
        try:
            return f"pyosys {version('pyosys')}"
        except PackageNotFoundError:
            return "pyosys of no known version"
    program = engine.arguments[0]
    found = run(Command((program, "-V"), Path.cwd(), PURPOSE)).output
    return re.sub(r"\s+", " ", found).strip()


def run_commands(
    engine: Engine,
    common: str,
    scripts: Sequence[str],
    work: Path,
    jobs: int,
    timeout_s: float | None,
) -> tuple[Command, ...]:
    """Commands that run scripts of a work folder, in so many processes where that can be.

    common: text of the script before each; it is written beside them. scripts: names in ``work``.
    A yosys that cannot branch gets a process and a whole script for each.
    """
    if not engine.forked:
        for name in scripts:
            script = work / name
            script.write_text(common + script.read_text(encoding="utf-8"), encoding="utf-8")
        return tuple(
            Command((*engine.arguments, name), work, PURPOSE, timeout_s=timeout_s)
            for name in scripts
        )
    first = f"common_{hashlib.sha256(common.encode()).hexdigest()[:8]}.ys"
    (work / first).write_text(common, encoding="utf-8")
    shares = (scripts[k::jobs] for k in range(jobs))
    return tuple(
        Command((*engine.forked, first, *share), work, PURPOSE, timeout_s=timeout_s)
        for share in shares
        if share
    )
