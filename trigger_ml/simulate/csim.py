"""C simulation: hls4ml's own C++, compiled with g++, over whole files of events.

The library is built by the script that hls4ml writes for its backend, in a copy of the project,
and called by a small driver program, so that a crash in it is an error message and two projects
cannot see each other's symbols. The library's entry point takes flat arrays, whether the project
is parallel or streaming: hls4ml's bridge fills and empties the streams. Each process runs one
event after another, as the firmware does, so what a line buffer keeps from the last image shows.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import HlsProject, Run
from trigger_ml.errors import ToolFailedError
from trigger_ml.graph.merge_operations import Reshape
from trigger_ml.graph.model import FixedGraph, Input, Node
from trigger_ml.graph.types import Codes
from trigger_ml.toolrun import Command, find_tool, require_tool, run

__all__ = ["CSimulation", "build", "compiler_version"]

DRIVER: Final = Path(__file__).with_name("csim_driver.cpp")
CHUNK: Final = 5000
CHUNK_ELEMENTS: Final = 2**20
"""Inputs and outputs of the events of one process, about 50 images of a muon chamber."""
TRACE_EVENTS: Final = 512


@dataclass(frozen=True, slots=True)
class CSimulation:
    """A compiled C simulation.

    library: shared object. driver: program that calls it. work: folder for event files.
    build_seconds: wall time of the compilation.
    """

    project: HlsProject
    network: FixedGraph
    library: Path
    driver: Path
    work: Path
    build_seconds: float

    def run(self, codes: Codes, progress: Callable[[int, int], None] | None = None) -> Run:
        """Outputs for rows of input codes, shape (events, input_size).

        Raises ToolFailedError when the program fails or an output is not on its type's grid.
        """
        started = time.perf_counter()
        cores = os.cpu_count() or 1
        chunk = self._chunk_events(len(codes), cores)
        starts = range(0, len(codes), chunk)
        out = np.empty((len(codes), self.network.output_size), dtype=np.int64)
        done = 0
        with ThreadPoolExecutor(cores) as pool:
            pending = {
                pool.submit(self._chunk, codes[start : start + chunk], start, ()): start
                for start in starts
            }
            for future in as_completed(pending):
                start = pending[future]
                part = _encode_all(self.network.output_nodes, future.result())
                out[start : start + len(part)] = part
                done += len(part)
                if progress is not None:
                    progress(done, len(codes))
        return Run("csim", out, time.perf_counter() - started)

    def trace(self, codes: Codes) -> dict[str, Codes]:
        """Codes on every edge but the inputs, each of shape (events, *node.shape).

        A reshape is no function in hls4ml's C++, so what it gives cannot be seen.
        """
        layers = tuple(
            n for n in self.network.nodes if not isinstance(n.operation, Input | Reshape)
        )
        raw = self._chunk(codes[:TRACE_EVENTS], -1, layers)
        raw = raw[:, self.network.output_size :]
        edges: dict[str, Codes] = {}
        start = 0
        for node in layers:
            edges[node.name] = _encode(node, raw[:, start : start + node.size])
            start += node.size
        return edges

    def _chunk_events(self, events: int, cores: int) -> int:
        """Events for one process: all cores have work, and progress shows with slow ones."""
        size = self.network.input_size + self.network.output_size
        return max(min(CHUNK, CHUNK_ELEMENTS // size, -(-events // cores)), 1)

    def _chunk(self, codes: Codes, tag: int, layers: tuple[Node, ...]) -> NDArray[np.float64]:
        network = self.network
        sizes = {node.name: node.size for node in layers}
        values = network.decode_inputs(codes)
        return self.run_values(values, [node.size for node in network.output_nodes], sizes, tag)

    def run_values(
        self,
        values: NDArray[np.float64],
        outputs: Sequence[int],
        layers: Mapping[str, int],
        tag: int,
    ) -> NDArray[np.float64]:
        """What the library computes, as it shows it: outputs, then the layers, in one row each.

        values: flat rows of inputs. outputs, layers: how many elements each has. tag: a number
        that no other call has at the same time.
        """
        source, sink = self.work / f"in_{tag}.bin", self.work / f"out_{tag}.bin"
        values.tofile(source)
        arguments = (
            str(self.driver),
            str(self.library),
            self.project.top,
            str(source),
            str(sink),
            *(f"in={node.size}" for node in self.network.input_nodes),
            *(f"out={size}" for size in outputs),
            *(f"trace={name}:{size}" for name, size in layers.items()),
        )
        run(Command(arguments, self.library.parent.parent, "run the C simulation"))
        width = sum(outputs) + sum(layers.values())
        raw = np.fromfile(sink, dtype=np.float64)
        source.unlink()
        sink.unlink()
        if raw.size != len(values) * width:
            raise ToolFailedError(
                f"the C simulation gave {raw.size} numbers for {len(values)} events of {width}"
            )
        return raw.reshape(len(values), width)


def compiler_version(work: Path) -> str:
    """Version of the g++ that :func:`build` compiles with. work: an existing folder.

    Raises as :func:`build`.
    """
    purpose = "build the C simulation"
    compiler = str(require_tool("g++", purpose))
    return run(Command((compiler, "-dumpfullversion"), work, purpose)).output.strip()


def build(project: HlsProject, network: FixedGraph, work: Path) -> CSimulation:
    """Compile a project. work: a new or empty folder, kept until the last run.

    Raises ToolMissingError without g++ and ToolFailedError when the compiler does.
    """
    require_tool("g++", "build the C simulation")
    require_tool("bash", "build the C simulation")
    started = time.perf_counter()
    work.mkdir(parents=True, exist_ok=True)
    copy = work / "project"
    shutil.copytree(project.directory, copy)
    purpose = f"build the C simulation of the {project.backend} project"
    for object_file in copy.rglob("*.so"):
        object_file.unlink()
    with ThreadPoolExecutor(2) as pool:
        library_build = pool.submit(run, Command(("bash", "build_lib.sh"), copy, purpose))
        driver = work / "driver"
        compiler = str(find_tool("g++"))
        run(
            Command(
                (compiler, "-O2", "-std=c++17", str(DRIVER), "-ldl", "-o", str(driver)),
                work,
                "build the C simulation's driver",
            )
        )
        library_build.result()
    libraries = sorted(copy.rglob("*.so"))
    if len(libraries) != 1:
        raise ToolFailedError(f"{purpose}: its script made {len(libraries)} libraries, not one")
    seconds = time.perf_counter() - started
    return CSimulation(project, network, libraries[0], driver, work, seconds)


def _encode_all(nodes: tuple[Node, ...], raw: NDArray[np.float64]) -> Codes:
    parts: list[Codes] = []
    start = 0
    for node in nodes:
        parts.append(_encode(node, raw[:, start : start + node.size]).reshape(len(raw), -1))
        start += node.size
    return np.concatenate(parts, axis=1)


def _encode(node: Node, values: NDArray[np.float64]) -> Codes:
    scaled = np.ldexp(values, node.type.fraction)
    codes = scaled.astype(np.int64)
    off = int((codes != scaled).sum())
    if off:
        raise ToolFailedError(
            f"the C simulation's {node.name} has {off} values off the grid of {node.type}: "
            "the project's types are not those of the graph"
        )
    return codes.reshape(len(values), *node.shape)
