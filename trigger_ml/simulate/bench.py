"""The files that a testbench reads and leaves behind.

    bench.json     the project: top, language, sources, latency
    bench.npz      vectors: inputs, expected, input_widths, output_widths, output_signed,
                   latency_cycles, groups, flag_bits
    results.npz    what the testbench found: codes, and a report as JSON text

A build keeps the first two beside its RTL, so that ``sim/`` can run it again without the model.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.columns import StreamPorts
from trigger_ml.errors import Blocker, BuildError, DataError, ToolFailedError
from trigger_ml.graph.types import Codes, FixedType

__all__ = ["Bench", "Findings", "read_bench", "read_findings", "write_bench", "write_vectors"]

SCHEMA: Final = 1
PROJECT_FILE: Final = "bench.json"
VECTOR_FILE: Final = "bench.npz"
LAST_LINES: Final = 25


@dataclass(frozen=True, slots=True)
class Bench:
    """A design with its vectors, as a build keeps it.

    inputs: codes, shape (events, inputs). expected: codes, shape (events, outputs).
    """

    project: RtlProject
    inputs: Codes
    expected: Codes
    input_types: tuple[FixedType, ...]
    output_types: tuple[FixedType, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What the testbench measured.

    codes: shape (events, outputs). seconds: wall time of the pass at full rate.
    full_rate: its first difference from the expected codes, in words, or None.
    gaps_and_resets: the second pass's first difference from the first pass, or None.
    stress_events: events of the second pass; 0 when there was none. framing_errors: of a streamed
    top, what an image after wrong framing differs in, or None.
    """

    codes: Codes
    latency_cycles: int
    ii_cycles: int
    seconds: float
    full_rate: str | None
    gaps_and_resets: str | None
    stress_events: int
    framing_errors: str | None = None


def write_vectors(
    path: Path,
    inputs: Codes,
    expected: Codes | None,
    input_types: Sequence[FixedType],
    output_types: Sequence[FixedType],
    latency_cycles: int,
    stream: StreamPorts | None = None,
) -> None:
    """Write the vector file of a testbench.

    stream: of a streamed top; the rows of the file are then groups of columns.
    Raises DataError when there is no event, or when the arrays are not codes of the types.
    """
    blockers = _blockers("inputs", inputs, input_types)
    if not len(inputs):
        blockers = [Blocker("vectors", "there are no events", "give at least one")]
    elif expected is not None:
        blockers += _blockers("expected", expected, output_types)
        if len(expected) != len(inputs):
            blockers.append(Blocker("expected", f"{len(expected)} rows for {len(inputs)} events"))
    if blockers:
        raise DataError(blockers)
    if stream is not None:
        inputs = stream.source.to_groups(inputs, stream.groups)
        input_types = list(input_types[:1]) * stream.source.elements
        output_types = list(output_types[:1]) * stream.result.elements
        if expected is not None:
            expected = stream.result.to_groups(expected, stream.groups)
    arrays = {
        "inputs": inputs,
        "input_widths": np.array([t.width for t in input_types], dtype=np.int64),
        "output_widths": np.array([t.width for t in output_types], dtype=np.int64),
        "output_signed": np.array([t.signed for t in output_types], dtype=np.bool_),
        "latency_cycles": np.array(latency_cycles, dtype=np.int64),
        "groups": np.array(stream.groups if stream else 1, dtype=np.int64),
        "flag_bits": np.array(stream.flag_bits if stream else 0, dtype=np.int64),
    }
    if expected is not None:
        arrays["expected"] = expected
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def write_bench(bench: Bench) -> tuple[Path, Path]:
    """Write ``bench.json`` and ``bench.npz`` into the project's directory; their paths.

    Raises DataError as :func:`write_vectors` does.
    """
    project = bench.project
    description = {
        "schema": SCHEMA,
        "hdl": project.hdl.value,
        "top": project.top,
        "core": project.core,
        "sources": [str(path.relative_to(project.directory)) for path in project.sources],
        "latency_cycles": project.latency_cycles,
        "input_bits": project.input_bits,
        "output_bits": project.output_bits,
        "clock_mhz": project.clock_mhz,
        "stream": project.stream.to_json() if project.stream else None,
        "input_types": [str(kind) for kind in bench.input_types],
        "output_types": [str(kind) for kind in bench.output_types],
    }
    project_file = project.directory / PROJECT_FILE
    vector_file = project.directory / VECTOR_FILE
    write_vectors(
        vector_file,
        bench.inputs,
        bench.expected,
        bench.input_types,
        bench.output_types,
        project.latency_cycles,
        project.stream,
    )
    project_file.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    return project_file, vector_file


def read_bench(directory: Path) -> Bench:
    """Inverse of :func:`write_bench`. Raises BuildError when a file is missing or unreadable."""
    try:
        data = json.loads((directory / PROJECT_FILE).read_text(encoding="utf-8"))
        with np.load(directory / VECTOR_FILE, allow_pickle=False) as arrays:
            inputs, expected = arrays["inputs"], arrays["expected"]
        stream = StreamPorts.from_json(data["stream"]) if data.get("stream") else None
        if stream is not None:
            inputs = stream.source.from_groups(inputs, stream.groups)
            expected = stream.result.from_groups(expected, stream.groups)
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {data['schema']}, this version reads {SCHEMA}")
        project = RtlProject(
            directory=directory,
            hdl=Hdl(data["hdl"]),
            top=data["top"],
            core=data["core"],
            sources=tuple(directory / name for name in data["sources"]),
            latency_cycles=data["latency_cycles"],
            input_bits=data["input_bits"],
            output_bits=data["output_bits"],
            clock_mhz=data["clock_mhz"],
            stream=stream,
        )
        return Bench(
            project,
            inputs,
            expected,
            tuple(FixedType.parse(text) for text in data["input_types"]),
            tuple(FixedType.parse(text) for text in data["output_types"]),
        )
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BuildError(
            f"{directory} holds no testbench that can be read "
            f"({type(error).__name__}: {error}); compile the model again"
        ) from error


def read_findings(
    path: Path,
    output: str,
    log: Path,
    events: int,
    outputs: int,
    stream: StreamPorts | None = None,
) -> Findings:
    """What the testbench found. output: what the simulator printed, for error messages.

    Raises ToolFailedError when it left no results, says that nothing can be trusted, or found
    something about another number of events.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            report: dict[str, Any] = json.loads(str(data["report"]))
            codes: Codes = data["codes"] if "codes" in data else np.empty((0, 0), dtype=np.int64)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        tail = "\n".join(f"    {line}" for line in output.rstrip().splitlines()[-LAST_LINES:])
        raise ToolFailedError(
            f"the testbench left no results ({type(error).__name__}); the last lines of the "
            f"simulation:\n{tail or '    (it printed nothing)'}",
            log,
        ) from error
    if "error" in report:
        raise ToolFailedError(f"the RTL cannot be measured: {report['error']}")
    if stream is not None and codes.shape == (events * stream.groups, stream.result.elements):
        codes = stream.result.from_groups(codes, stream.groups)
    if codes.shape != (events, outputs) or report.get("events") != events:
        raise ToolFailedError(
            f"the testbench gave codes of shape {codes.shape} for {events} events of {outputs} "
            "outputs"
        )
    return Findings(
        codes=codes,
        latency_cycles=int(report["latency_cycles"]),
        ii_cycles=int(report["ii_cycles"]),
        seconds=float(report["seconds"]),
        full_rate=report["full_rate"],
        framing_errors=report.get("framing_errors"),
        gaps_and_resets=report.get("gaps_and_resets"),
        stress_events=int(report.get("stress_events", 0)),
    )


def _blockers(name: str, codes: Codes, types: Sequence[FixedType]) -> list[Blocker]:
    """What keeps an array from being codes of these types."""
    if codes.ndim != 2 or codes.shape[1] != len(types):
        what = f"its shape is {codes.shape}, and {len(types)} types are declared"
        return [Blocker(name, what, "give one row for each event, one column for each type")]
    if not np.issubdtype(codes.dtype, np.integer):
        return [Blocker(name, f"it holds {codes.dtype}, not integer codes", "encode it first")]
    if not len(codes):
        return []
    low, high = codes.min(axis=0), codes.max(axis=0)
    return [
        Blocker(
            f"{name}, element {k}",
            f"codes {int(low[k])} to {int(high[k])} are not all codes of {kind}",
            "encode the values with the declared type",
        )
        for k, kind in enumerate(types)
        if int(low[k]) < -(1 << (kind.width - 1)) * kind.signed or int(high[k]) > kind.max_code
    ]
