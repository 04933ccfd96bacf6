"""The sections of report.json; :mod:`trigger_ml.report.schema` puts them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from trigger_ml.artifacts import Resources, SourceModel
from trigger_ml.report.base import Section
from trigger_ml.report.edge_sections import EdgeDetail
from trigger_ml.report.image_sections import ImageStream, MaskDetail
from trigger_ml.report.trace_sections import Span

__all__ = [
    "Change",
    "ClassRow",
    "Curve",
    "Device",
    "Divergence",
    "Estimate",
    "Fidelity",
    "Figures",
    "FlipRow",
    "Latency",
    "Layer",
    "Model",
    "Origin",
    "Pair",
    "Physics",
    "PhysicsDetail",
    "Pipeline",
    "Provenance",
    "Range",
    "ResourceSection",
    "Section",
    "Segment",
    "TargetSection",
    "VerdictRow",
    "WitnessRow",
    "require_follows",
]


class Model(Section):
    """The source model. parameters, nonzero: weights and biases, all and those not zero.

    notes: what was changed in it before anything was compared with it.
    """

    file: str
    sha256: str
    format: str
    parameters: int
    nonzero: int
    layers: tuple[tuple[str, str], ...] = ()
    float_tail: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: SourceModel, *notes: str) -> Model:
        """The section on a source model. notes: what is said beyond its own."""
        return cls(
            file=source.file,
            sha256=source.sha256,
            format=source.format,
            parameters=source.parameters,
            nonzero=source.nonzero,
            layers=source.layers,
            float_tail=source.float_tail,
            notes=(*source.notes, *notes),
        )


class TargetSection(Section):
    """What was asked for. None is no limit. Shares are of the part, 0 to 1."""

    part: str
    clock_mhz: float
    latency_budget_ns: float | None
    ii_budget_ns: float | None
    lut_share_budget: float | None = None
    dsp_share_budget: float | None = None


class Segment(Section):
    """Test vectors that came from one place."""

    name: str
    events: int


class Pair(Section):
    """Two witnesses compared, event by event. None where they were not."""

    name: str
    events: int | None
    corner_events: int | None
    mismatches: int | None
    seconds: float | None = None


class Divergence(Section):
    """Where two witnesses first part, as check.divergence tells it.

    witnesses: "csim~graph". element: flat index in the layer. event: row of the vectors. left,
    right: the codes of the two. type: of the layer. cause: the likely one. segment: which
    vectors the event comes from.
    """

    witnesses: str
    layer: str
    element: int
    event: int
    left: int
    right: int
    type: str
    cause: str
    segment: str = ""


class Fidelity(Section):
    """Bit accuracy. mismatches: events that differ, by pair; exact: all are measured and 0.

    fixed_point_exact: the same, without the pairs that hold the source model's float
    arithmetic. inexact_layers: source layers whose own arithmetic is not exact, and why.
    """

    witnesses: tuple[str, ...]
    events: int | None
    corner_events: int | None
    mismatches: dict[str, int | None]
    exact: bool
    first_divergence: Divergence | None
    fixed_point_exact: bool = False
    pairs: tuple[Pair, ...] = ()
    segments: tuple[Segment, ...] = ()
    inexact_layers: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _exact_is_measured(self) -> Fidelity:
        clean = bool(self.mismatches) and all(n == 0 for n in self.mismatches.values())
        if self.exact and not clean:
            raise ValueError("exact needs every pair measured, without a mismatch")
        return self


class Latency(Section):
    """Clock cycles counted in simulation; ns at the target clock.

    stream: how a top that takes images as groups of columns is given them; cycles are then from
    the first group in to the last one out. timeline: what the clocks are spent on; empty where
    it does not end at ``cycles``.
    """

    cycles: int | None
    ns: float | None
    ii_cycles: int | None
    ii_ns: float | None
    measured_by: str | None
    met: bool
    stream: ImageStream | None = None
    timeline: tuple[Span, ...] = ()


class Pipeline(Section):
    """The clock, and the estimated logic delay of every pipeline stage, in order.

    routing_margin: clock period over logic delay that the pipeline was cut for. timing: whose
    word the clock is: "estimate" until a vendor tool has closed timing, then "vendor".
    slack_ns: the vendor tool's worst slack. kernel_stages: how many of the stages belong to each
    kernel of a streamed top, in order; empty for other tops.
    """

    clock_period_ns: float
    routing_margin: float
    stage_delays_ns: tuple[float, ...] = ()
    worst_stage_ns: float | None = None
    margin_kept: bool | None = None
    timing: Literal["estimate", "vendor"] = "estimate"
    slack_ns: float | None = None
    kernel_stages: dict[str, int] = Field(default_factory=dict)


class Figures(Section):
    """Counts of the part's resources. None where the origin does not say."""

    lut: float | None = None
    ff: float | None = None
    dsp: float | None = None
    bram36: float | None = None
    carry8: float | None = None


class Origin(Section):
    """One estimate or report. Shares are 0 to 1, of the part and of one SLR."""

    origin: str
    version: str
    total: Figures
    device_share: dict[str, float | None]
    slr_share: dict[str, float | None]
    details: dict[str, Any] = Field(default_factory=dict)
    seconds: float = 0.0


class ResourceSection(Section):
    """Three labelled origins, never mixed; shares and ``met`` are those of ``judged_by``."""

    cost_model: Figures | None
    yosys: Figures | None
    vendor: Figures | None
    device_share: dict[str, float | None]
    slr_share: dict[str, float | None]
    met: bool
    judged_by: str | None = None
    origins: tuple[Origin, ...] = ()


class Device(Section):
    """The part. slr: one super logic region (die) of it. source: where the totals are from."""

    name: str
    slr_count: int
    total: Figures
    slr: Figures
    source: str

    @classmethod
    def of(cls, name: str, slrs: int, total: Resources, slr: Resources, source: str) -> Device:
        """From the totals of the part and of one of its ``slrs`` regions."""
        whole, one = Figures(**total.to_json()), Figures(**slr.to_json())
        return cls(name=name, slr_count=slrs, total=whole, slr=one, source=source)


class Range(Section):
    """Codes seen on one layer's output.

    used_bits: the fewest bits that hold them, the sign included. idle_low_bits: low bits that
    were 0 in every code. saturated_fraction: elements at the type's largest code (or, signed,
    its smallest). magnitude_histogram: elements by the number of bits that their magnitude
    takes, from 0 on.
    """

    elements: int
    min_code: int
    max_code: int
    used_bits: int
    idle_low_bits: int
    saturated_fraction: float
    magnitude_histogram: tuple[int, ...]


class Layer(Section):
    """One node of the fixed-point graph.

    cost_lut, cost_ff, cost_dsp, cost_carry8: its share of the cost model; activations are in the
    layer before. cost_delay_ns: estimated logic delay that it adds, without routing.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    type: str
    width: int
    integer: int
    signed: bool
    source_layer: str = ""
    weights: int | None = None
    zero_weights: int | None = None
    weight_type: str | None = None
    cost_lut: float | None = None
    cost_ff: float | None = None
    cost_dsp: float | None = None
    cost_carry8: float | None = None
    cost_delay_ns: float | None = None
    range: Range | None = None


class Estimate(Section):
    """A figure with its interval. value None, low given: no background was left, so more."""

    value: float | None
    low: float | None
    high: float | None


class ClassRow(Section):
    """One class against the rest. rejection: 1 / background efficiency."""

    name: str
    signal: int
    background: int
    auc: Estimate | None
    rejection: Estimate | None


class WitnessRow(Section):
    """One witness on the labelled events: "float", "quantized" or "firmware"."""

    witness: str
    accuracy: Estimate
    classes: tuple[ClassRow, ...]


class FlipRow(Section):
    """Events that two witnesses decide differently."""

    left: str
    right: str
    count: int
    fraction: Estimate


class Change(Section):
    """A metric of right minus that of left, on the same events."""

    metric: str
    left: str
    right: str
    difference: Estimate


class Curve(Section):
    """ROC curve of one witness and class."""

    witness: str
    class_name: str
    signal_efficiency: tuple[float, ...]
    background_efficiency: tuple[float, ...]


class PhysicsDetail(Section):
    """Everything the physics comparison found; rejections at signal efficiency working_point."""

    events: int
    class_names: tuple[str, ...]
    working_point: float
    level: float
    resamples: int
    seed: int
    witnesses: tuple[WitnessRow, ...]
    flips: tuple[FlipRow, ...]
    changes: tuple[Change, ...]
    curves: tuple[Curve, ...]


class Physics(Section):
    """The headline: one metric of every witness; interval: 95 %, of the firmware.

    working_point: signal efficiency of the rejections; of a network that marks cells of an
    image, the share of its true cells above which an image is matched; of one that keeps edges
    of graphs, the threshold on its logits. detail, masks, edges: all that was found, of classes,
    of masks or of edges.
    """

    metric: str
    float_: float | None = Field(alias="float")
    quantized: float | None
    firmware: float
    interval: tuple[float, float]
    working_point: float
    detail: PhysicsDetail | None = None
    masks: MaskDetail | None = None
    edges: EdgeDetail | None = None


class VerdictRow(Section):
    """One judgement, with its figures in the message."""

    name: str
    passed: bool
    message: str


def require_follows(passed: bool, verdicts: Sequence[VerdictRow]) -> None:
    """Raise ValueError unless passed says that there are verdicts, and that every one passed."""
    if passed != (bool(verdicts) and all(verdict.passed for verdict in verdicts)):
        raise ValueError("passed does not follow from the verdicts")


class Provenance(Section):
    """What this came from. files: SHA-256 by path in the build. seed: of the test vectors."""

    graph_sha256: str | None
    seed: int | None
    commands: tuple[str, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)
    created_utc: str | None = None
