"""The measured sections of a report: fidelity, latency, pipeline, resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from trigger_ml.artifacts import CosimRun, Hdl, Resources, RtlProject, Run, Synthesis
from trigger_ml.report.image_sections import ImageStream
from trigger_ml.report.inputs import ReportInputs
from trigger_ml.report.sections import (
    Device,
    Divergence,
    Fidelity,
    Figures,
    Latency,
    Origin,
    Pair,
    Pipeline,
    ResourceSection,
    Segment,
)
from trigger_ml.report.trace_sections import Span

__all__ = [
    "VENDORS",
    "cosim_events",
    "fidelity_section",
    "judged_section",
    "latency_section",
    "origin_section",
    "pipeline_section",
    "resources_section",
    "routed_slack",
]

LANGUAGES: Final = {Hdl.VERILOG: "Verilog", Hdl.VHDL: "VHDL"}
VENDORS: Final = ("vivado", "vitis")
"""Origins that a vendor tool stands behind, the stronger one first."""
NEARLY: Final = 1e-6
"""Clocks by which a sum of parts of clocks may be off."""
RTL_VENDOR: Final = "vivado"
"""Of these, the one that is of the RTL; the other is of the HLS project."""


def fidelity_section(inputs: ReportInputs) -> Fidelity:
    """Who was compared with whom, on how many events, and how many differ."""
    simulations = (*((inputs.cosim,) if inputs.cosim else ()), *inputs.cross)
    runs = {run.witness: run for run in (*inputs.runs, *(item.run for item in simulations))}
    wanted = [f"{name}~graph" for name in inputs.witnesses if name not in ("graph", "source")]
    if "source" in inputs.witnesses:
        wanted.insert(0, "graph~source")
    names = [*wanted, *(name for name in inputs.mismatches if name not in wanted)]
    pairs = tuple(_pair(name, inputs, runs) for name in names)
    counts = {pair.name: pair.mismatches for pair in pairs}
    compared = [pair.events for pair in pairs if pair.events is not None]
    corners = [pair.corner_events for pair in pairs if pair.corner_events is not None]
    fixed = [count for name, count in counts.items() if "source" not in name.split("~")]
    divergence = inputs.first_divergence
    return Fidelity(
        witnesses=inputs.witnesses,
        events=max(compared, default=None),
        corner_events=max(corners, default=None),
        mismatches=counts,
        exact=bool(counts) and all(count == 0 for count in counts.values()),
        first_divergence=None if divergence is None else Divergence.model_validate(divergence),
        fixed_point_exact=bool(fixed) and all(count == 0 for count in fixed),
        pairs=pairs,
        segments=tuple(
            Segment(name=s.name, events=s.stop - s.start) for s in inputs.vectors.segments
        ),
        inexact_layers=dict(inputs.inexact_layers),
    )


def _pair(name: str, inputs: ReportInputs, runs: Mapping[str, Run]) -> Pair:
    left, _, right = name.partition("~")
    if left not in runs or right not in runs:
        return Pair(name=name, events=None, corner_events=None, mismatches=None)
    events = min(len(runs[left].codes), len(runs[right].codes))
    corners = sum(
        max(0, min(segment.stop, events) - segment.start)
        for segment in inputs.vectors.segments
        if segment.name.startswith("corner")
    )
    return Pair(
        name=name,
        events=events,
        corner_events=corners,
        mismatches=inputs.mismatches.get(name) if events else None,
        seconds=runs[right if right == "source" else left].seconds,
    )


def cosim_events(cosim: CosimRun | None) -> tuple[int, int] | None:
    """Events that went into the simulation and that came out."""
    return None if cosim is None else (cosim.events, len(cosim.run.codes))


def latency_section(inputs: ReportInputs) -> Latency:
    """Cycles counted in simulation, and ns at the target clock."""
    cosim, budget, stream = inputs.cosim, inputs.config.budget, _stream(inputs.rtl)
    if cosim is None or cosim.latency_cycles <= 0 or cosim.ii_cycles <= 0:
        return Latency(
            cycles=None,
            ns=None,
            ii_cycles=None,
            ii_ns=None,
            measured_by=None,
            met=False,
            stream=stream,
        )
    mhz = inputs.config.target.clock_mhz
    latency_ns, ii_ns = cosim.latency_cycles * 1e3 / mhz, cosim.ii_cycles * 1e3 / mhz
    return Latency(
        cycles=cosim.latency_cycles,
        ns=latency_ns,
        ii_cycles=cosim.ii_cycles,
        ii_ns=ii_ns,
        measured_by=f"{cosim.simulator} {cosim.simulator_version}, {LANGUAGES[cosim.hdl]}",
        met=_within(latency_ns, budget.latency_ns) and _within(ii_ns, budget.ii_ns),
        stream=stream,
        timeline=_timeline(inputs, cosim.latency_cycles),
    )


def _timeline(inputs: ReportInputs, cycles: int) -> tuple[Span, ...]:
    """The spans given, where the last of them ends with the latency that was counted."""
    end = max((span.stop_cycles for span in inputs.timeline), default=0.0)
    return inputs.timeline if abs(end - cycles) < NEARLY else ()


def _stream(rtl: RtlProject | None) -> ImageStream | None:
    ports = rtl.stream if rtl else None
    if ports is None:
        return None
    return ImageStream(
        columns=ports.source.lanes,
        groups=ports.groups,
        width=ports.source.width,
        kernels=dict(ports.kernels),
    )


def _within(value: float, limit: float | None) -> bool:
    # A whole number of clocks that is the budget must be within it in floating point too.
    return limit is None or value <= limit * (1 + 1e-9)


def pipeline_section(inputs: ReportInputs) -> Pipeline:
    """The clock and the estimated delay of every stage."""
    period_ns = 1e3 / inputs.config.target.clock_mhz
    margin = inputs.config.firmware.routing_margin
    delays = inputs.rtl.stage_delays_ns if inputs.rtl else ()
    worst = max(delays, default=None)
    counted: Mapping[str, int] = next(
        (i.details["kernel_stages"] for i in inputs.synthesis if "kernel_stages" in i.details), {}
    )
    slack = routed_slack((item.origin, item.details) for item in inputs.synthesis)
    return Pipeline(
        clock_period_ns=period_ns,
        routing_margin=margin,
        stage_delays_ns=delays,
        worst_stage_ns=worst,
        margin_kept=None if worst is None else _within(worst * margin, period_ns),
        timing="estimate" if slack is None else "vendor",
        slack_ns=slack,
        kernel_stages=dict(counted) if sum(counted.values()) == len(delays) else {},
    )


def routed_slack(origins: Iterable[tuple[str, Mapping[str, Any]]]) -> float | None:
    """Worst slack [ns] of the RTL at the target clock, after routing; None without that.

    origins: names and details. The HLS project is another implementation of the network, and
    before routing a tool only guesses its wires.
    """
    for name, details in origins:
        if name == RTL_VENDOR and details.get("timing_state") == "routed":
            slack = details.get("slack_ns")
            return None if slack is None else float(slack)
    return None


def _figures(resources: Resources) -> Figures:
    return Figures(**resources.to_json())


def _shares(total: Figures, whole: Figures | None) -> dict[str, float | None]:
    shares: dict[str, float | None] = {}
    for key in ("lut", "ff", "dsp", "bram36"):
        used, there = getattr(total, key), getattr(whole, key) if whole else None
        shares[key] = None if used is None or not there else used / there
    return shares


def origin_section(item: Synthesis, device: Device | None) -> Origin:
    """One count, with its shares of the part and of one SLR."""
    total = _figures(item.total)
    return Origin(
        origin=item.origin,
        version=item.version,
        total=total,
        device_share=_shares(total, device.total if device else None),
        slr_share=_shares(total, device.slr if device else None),
        details=dict(item.details),
        seconds=item.seconds,
    )


def resources_section(inputs: ReportInputs) -> ResourceSection:
    """Counts by origin, with shares of the part, judged by the strongest origin."""
    origins = tuple(origin_section(item, inputs.device) for item in inputs.synthesis)
    budget = inputs.config.budget
    return judged_section(origins, {"lut": budget.lut_share, "dsp": budget.dsp_share})


def judged_section(
    origins: tuple[Origin, ...], limits: Mapping[str, float | None]
) -> ResourceSection:
    """All origins, judged by the strongest one that counts LUTs.

    limits: largest shares of the part, 0 to 1, by resource; None is the whole part.
    """
    by_name = {origin.origin: origin for origin in origins}
    vendor = next((by_name[name] for name in VENDORS if name in by_name), None)
    cost, yosys = by_name.get("cost_model"), by_name.get("yosys")
    strongest = (*(by_name.get(name) for name in VENDORS), yosys, cost)
    judge = next((o for o in strongest if o and o.total.lut is not None), None)
    shares = judge.device_share if judge else {}
    met = shares.get("lut") is not None
    for key, share in shares.items():
        limit = limits.get(key)
        if share is None:
            # What nobody counts is only a failure where it has a budget of its own.
            met = met and limit is None
        else:
            met = met and _within(share, 1.0 if limit is None else limit)
    return ResourceSection(
        cost_model=cost.total if cost else None,
        yosys=yosys.total if yosys else None,
        vendor=vendor.total if vendor else None,
        device_share=shares,
        slr_share=judge.slr_share if judge else {},
        met=met,
        judged_by=judge.origin if judge else None,
        origins=origins,
    )
