"""What the stages hand on. All frozen; none refers to a live process or an open file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.columns import StreamPorts
from trigger_ml.graph.types import Codes

__all__ = [
    "CosimRun",
    "EdgeLabels",
    "Hdl",
    "HlsProject",
    "MaskLabels",
    "Resources",
    "RtlProject",
    "Run",
    "Segment",
    "SourceModel",
    "Synthesis",
    "Vectors",
    "Verdict",
]


class Hdl(Enum):
    """Hardware description language."""

    VERILOG = "verilog"
    VHDL = "vhdl"


@dataclass(frozen=True, slots=True)
class SourceModel:
    """The model file as the user gave it.

    sha256: of the file. parameters, nonzero: weights and biases, all and those not zero.
    layers: (name, class) in order. float_tail: layers after the last one that firmware holds
    (a stripped softmax, say). versions: packages that read the file. notes: what was changed in
    the model before anything was compared with it, in words.
    """

    file: str
    sha256: str
    format: str
    parameters: int
    nonzero: int
    layers: tuple[tuple[str, str], ...]
    float_tail: tuple[str, ...]
    versions: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of rows in Vectors that came from one place ("events", "corner:max", "random")."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class MaskLabels:
    """Which cells of each image are true, and what else is known of it.

    true: (images, height, width). muons: (images,), how many made the image. pt (GeV), eta:
    (images, most muons), NaN where there is none. background: (images,), multiple of a nominal
    rate. None where the events do not say. float_threshold: cut on the float model's logits
    where it has one of its own.
    """

    true: NDArray[np.bool_]
    muons: NDArray[np.int64] | None = None
    pt: NDArray[np.float64] | None = None
    eta: NDArray[np.float64] | None = None
    background: NDArray[np.float64] | None = None
    float_threshold: float | None = None


@dataclass(frozen=True, slots=True)
class EdgeLabels:
    """Which edges of each graph are true, where every slot of an image may hold one edge.

    true, candidates: (images, height, width); a slot without a candidate edge is padding and does
    not count. pt (GeV), eta: likewise, of the particle, NaN where there is none. flags: (images,),
    FLAG_NODES and FLAG_EDGES of :mod:`trigger_ml.event_edges`. None where the events do not say.
    float_threshold: as of masks.
    """

    true: NDArray[np.bool_]
    candidates: NDArray[np.bool_]
    pt: NDArray[np.float32] | None = None
    eta: NDArray[np.float32] | None = None
    flags: NDArray[np.int64] | None = None
    float_threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Vectors:
    """Test inputs, as codes of the input types.

    codes: shape (events, input_size), int64. segments: where the rows came from, in order.
    labels: class of each row of the segment "events" (int), or None. masks: the true cells of
    each row of that segment, for a network that marks cells of an image, or None. edges: the true
    edges, for one that marks edges of graphs, or None.
    """

    codes: Codes
    segments: tuple[Segment, ...]
    seed: int
    labels: NDArray[np.int64] | None = None
    masks: MaskLabels | None = None
    edges: EdgeLabels | None = None

    @property
    def labelled(self) -> bool:
        """Whether there are labels of any kind."""
        return any(kind is not None for kind in (self.labels, self.masks, self.edges))

    def rows(self, prefix: str) -> slice:
        """Rows of the segments whose name starts with ``prefix``; they stand together."""
        found = [s for s in self.segments if s.name.startswith(prefix)]
        if not found:
            return slice(0, 0)
        return slice(found[0].start, found[-1].stop)

    def segment_of(self, row: int) -> str:
        """Name of the segment that a row belongs to."""
        return next(s.name for s in self.segments if s.start <= row < s.stop)


@dataclass(frozen=True, slots=True)
class Run:
    """What one witness said about the first ``len(codes)`` vectors.

    witness: "source", "graph", "csim" or "rtl". codes: shape (events, output_size), codes of
    the graph's output types. seconds: wall time of the evaluation alone.
    """

    witness: str
    codes: Codes
    seconds: float


@dataclass(frozen=True, slots=True)
class CosimRun:
    """A cosimulation: codes that left the RTL, and the clock cycles it took.

    run.codes: one row for each event that came out, in order. latency_cycles: clock edges from
    the one that takes in_valid to the one at which a register behind the top takes the output;
    ii_cycles: clocks between back-to-back events. events: how many went in.
    """

    run: Run
    simulator: str
    simulator_version: str
    hdl: Hdl
    events: int
    latency_cycles: int
    ii_cycles: int
    build_seconds: float


@dataclass(frozen=True, slots=True)
class HlsProject:
    """An hls4ml project on disk. directory holds it whole; top is its function and file name."""

    directory: Path
    top: str
    backend: str
    io_type: str


@dataclass(frozen=True, slots=True)
class RtlProject:
    """RTL on disk for one HDL.

    sources: in compile order. top: module with clk, rst, in_valid, in_data, out_valid,
    out_data; element k of the flattened tensor sits at bits [k*width +: width] of its node's
    part, first node and first element in the least significant bits. core: the module without
    valid and reset. latency_cycles: pipeline registers from in to out.
    stage_delays_ns: estimated logic delay of each stage. stream: how images are given to a top
    that takes them as groups of columns; its ports are then those of
    :mod:`trigger_ml.lower.stream.verilog`, input_bits and output_bits are a group's, and
    latency_cycles counts from the first group in to the last group out, back to back.
    """

    directory: Path
    hdl: Hdl
    top: str
    core: str
    sources: tuple[Path, ...]
    latency_cycles: int
    input_bits: int
    output_bits: int
    clock_mhz: float
    stage_delays_ns: tuple[float, ...] = ()
    stream: StreamPorts | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """Counts of one estimate or report. None where the source does not say."""

    lut: float | None = None
    ff: float | None = None
    dsp: float | None = None
    bram36: float | None = None
    carry8: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """Plain form for JSON."""
        return {key: getattr(self, key) for key in ("lut", "ff", "dsp", "bram36", "carry8")}


@dataclass(frozen=True, slots=True)
class Synthesis:
    """Resources with their origin.

    origin: "cost_model", "yosys", "vivado", ... by_layer: the same split over layers, where
    the origin can tell them apart. details: figures that only this origin has.
    """

    origin: str
    version: str
    total: Resources
    by_layer: Mapping[str, Resources] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement. name: "bits:csim", "latency", ... message: what was found, with figures."""

    name: str
    passed: bool
    message: str
