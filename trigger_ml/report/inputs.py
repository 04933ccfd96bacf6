"""What a report is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trigger_ml.artifacts import CosimRun, RtlProject, Run, SourceModel, Synthesis, Vectors, Verdict
from trigger_ml.config import Config
from trigger_ml.graph.model import FixedGraph
from trigger_ml.report.ranges import ObservedRange
from trigger_ml.report.sections import Device
from trigger_ml.report.trace_sections import Span

__all__ = ["ReportInputs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInputs:
    """Everything that a report is made from. None and empty mean: not measured.

    runs: of the witnesses "source", "graph", "csim" and any further ones. mismatches: events
    that differ, keyed "csim~graph"; every pair's two names are witnesses in runs, cosim or
    cross. first_divergence: Divergence.to_json(). cosim: the simulation that
    latency and II are read from (witness "rtl"); cross: further simulators. ranges: by name of
    the graph's node. physics: to_json() of a PhysicsComparison, a MaskComparison or an
    EdgeComparison. inexact_layers: source layers whose own float arithmetic is not exact, and
    why; with one, a mismatch with the source is reported but is no failure. timeline: what the
    clocks of the latency are spent on. witnesses: those that must have been measured. files:
    SHA-256 by path in the build. timing_s: wall times in seconds. hls_estimate: to_json() of an
    HlsEstimate.
    """

    config: Config
    source: SourceModel
    graph: FixedGraph
    vectors: Vectors
    runs: tuple[Run, ...]
    mismatches: Mapping[str, int | None]
    verdicts: tuple[Verdict, ...]
    first_divergence: Mapping[str, Any] | None = None
    rtl: RtlProject | None = None
    cosim: CosimRun | None = None
    cross: tuple[CosimRun, ...] = ()
    synthesis: tuple[Synthesis, ...] = ()
    device: Device | None = None
    ranges: Mapping[str, ObservedRange] = field(default_factory=dict)
    physics: Mapping[str, Any] | None = None
    inexact_layers: Mapping[str, str] = field(default_factory=dict)
    witnesses: tuple[str, ...] = ("source", "graph", "csim", "rtl")
    timing_s: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    timeline: tuple[Span, ...] = ()
    hls_estimate: Mapping[str, Any] | None = None
    commands: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    created_utc: str | None = None
