"""The questions a trigger coordinator asks, each answered with one figure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trigger_ml.report.edge_words import edge_summary
from trigger_ml.report.image_sections import MaskDetail
from trigger_ml.report.schema import Report
from trigger_ml.report.words import (
    MISSING,
    count,
    ns,
    number,
    origin_name,
    percent,
    points,
    share,
)

__all__ = ["Tile", "device_name", "headline", "physics_missing", "tiles"]


@dataclass(frozen=True, slots=True)
class Tile:
    """One question with its answer.

    passed: None where nobody set a limit. figure, unit: the large number. detail: lines below
    it. fill: how much of the budget is used (1 is all of it), None without one. budget: what was
    allowed, in words. sources: keys of the figure in the table of sources.
    """

    question: str
    passed: bool | None
    figure: str
    unit: str
    detail: tuple[str, ...]
    fill: float | None = None
    budget: str = ""
    sources: tuple[str, ...] = ()


def headline(report: Report) -> str:
    """The whole verdict in one sentence."""
    if report.passed:
        bits = "Bit-exact" if report.fidelity.exact else "Exact in fixed point"
        used = share(report.resources.device_share.get("lut"))
        return f"{bits}, on time at {ns(report.latency.ns)}, on {used} of a {device_name(report)}."
    if not report.verdicts:
        return "Nothing was checked."
    wrong = [
        words
        for tile, words in zip(tiles(report), ("not exact", "late", "too large"), strict=False)
        if tile.passed is False
    ]
    failed = f"{len(report.failures)} of {len(report.verdicts)} checks failed"
    return f"{', '.join(wrong)}: {failed}.".capitalize() if wrong else f"{failed}."


def device_name(report: Report) -> str:
    """The part's short name."""
    return report.device.name if report.device else report.target.part


def physics_missing(report: Report) -> bool:
    """Whether physics was due, because the events have labels, but is not there."""
    return any(verdict.name == "measured:physics" for verdict in report.failures)


def tiles(report: Report) -> tuple[Tile, ...]:
    """The four answers: exact, on time, fits, physics."""
    return (_exact(report), _on_time(report), _fits(report), _physics(report))


def _exact(report: Report) -> Tile:
    keys = tuple(f"fidelity.{pair.name}" for pair in report.fidelity.pairs)
    return replace(_equality(report), budget="budget 0 mismatches", sources=keys)


def _equality(report: Report) -> Tile:
    fidelity = report.fidelity
    question = "Is it exact?"
    absent = [_other(pair.name) for pair in fidelity.pairs if pair.mismatches is None]
    tested = f"{count(fidelity.events)} events, {count(fidelity.corner_events)} of them corners"
    gap = (f"{MISSING}: {', '.join(absent) or 'nothing compared'}",)
    excused = fidelity.fixed_point_exact and bool(fidelity.inexact_layers)
    wrong = [pair for pair in fidelity.pairs if pair.mismatches]
    if wrong and not excused:
        worst = max(wrong, key=lambda pair: pair.mismatches or 0)
        detail = (f"{_other(worst.name)} against graph, {count(worst.events)} events",)
        return Tile(
            question, False, count(worst.mismatches), "mismatches", detail + gap * bool(absent)
        )
    if absent or not fidelity.pairs:
        return Tile(question, False, "\u2013", "", gap)
    if wrong:
        layers = ", ".join(fidelity.inexact_layers)
        why = f"the source's own float arithmetic is not exact in {layers}"
        return Tile(question, True, "0", "mismatches in fixed point", (tested, why))
    equal = " = ".join(fidelity.witnesses)
    return Tile(question, True, "0", "mismatches", (tested, equal))


def _other(pair: str) -> str:
    """The witness that a pair holds against the graph."""
    left, _, right = pair.partition("~")
    return right if left == "graph" else left


def _on_time(report: Report) -> Tile:
    latency, target = report.latency, report.target
    question = "Is it on time?"
    if latency.ns is None:
        return Tile(question, False, "\u2013", "", (f"{MISSING}: no RTL simulation ran",))
    budget = target.latency_budget_ns
    limit = "no latency budget" if budget is None else f"budget {budget:g} ns"
    if target.ii_budget_ns is not None:
        limit += f", a new one every {target.ii_budget_ns:g} ns"
    clocks = f"{count(latency.cycles)} clocks at {target.clock_mhz:g} MHz"
    every = "clock" if latency.ii_cycles == 1 else f"{count(latency.ii_cycles)} clocks"
    vendor = report.pipeline.timing == "vendor"
    clock = "timing by the vendor tool" if vendor else "clock estimated, not timing closure"
    what, stream = "event", latency.stream
    if stream is not None:
        what = "image"
        clocks += f", {stream.columns} column{'s' * (stream.columns > 1)} a clock"
    return Tile(
        question,
        latency.met,
        f"{latency.ns:.1f}",
        "ns",
        (clocks, f"a new {what} every {every} ({ns(latency.ii_ns)})", clock),
        None if budget is None else latency.ns / budget,
        limit,
        ("latency.cycles", "latency.ii_cycles"),
    )


def _fits(report: Report) -> Tile:
    resources = report.resources
    question = "Does it fit?"
    used = resources.device_share.get("lut")
    if used is None:
        return Tile(question, False, "\u2013", "", (f"{MISSING}: no share of the part",))
    counted = next(o.total for o in resources.origins if o.origin == resources.judged_by)
    limit = report.target.lut_share_budget
    dsp = "" if counted.dsp is None else f", {count(counted.dsp)} DSP"
    budget = "no budget but the whole part" if limit is None else f"budget {share(limit)} of LUTs"
    return Tile(
        question,
        resources.met,
        share(used).removesuffix(" %"),
        f"% of the {device_name(report)}",
        (
            f"{count(counted.lut)} LUT{dsp} ({origin_name(resources.judged_by or '')})",
            f"{share(resources.slr_share.get('lut'))} of one SLR",
        ),
        used / (limit or 1.0),
        budget,
        (f"resources.{resources.judged_by}.lut", "device"),
    )


def _physics(report: Report) -> Tile:
    question = "Is the physics kept?"
    physics = report.physics
    if physics is None:
        if physics_missing(report):
            return Tile(question, False, "\u2013", "", (MISSING,))
        return Tile(question, None, "\u2013", "", ("no labelled events were given",))
    judged = [v.passed for v in report.verdicts if v.name.split(":")[0] == "physics"]
    reference = physics.float_ if physics.float_ is not None else physics.quantized
    name = "float" if physics.float_ is not None else "quantized"
    low, high = physics.interval
    # Efficiencies and purities lie so near to 1 that a tenth of a point is a step.
    digits = 1 if physics.masks is None and physics.edges is None else 2
    detail = [f"95 % interval {100 * low:.{digits}f} to {100 * high:.{digits}f} %"]
    if reference is not None:
        change = points(physics.firmware - reference)
        detail.append(f"{name} {percent(reference, digits)}, change {change} points")
    if physics.masks is not None:
        detail.append(_wrongly_marked(physics.masks))
    if physics.edges is not None:
        detail.insert(0, edge_summary(physics.edges))
    return Tile(
        question,
        all(judged) if judged else None,
        f"{100 * physics.firmware:.{digits}f}",
        f"% {physics.metric}",
        tuple(detail),
        sources=("physics",),
    )


def _wrongly_marked(detail: MaskDetail) -> str:
    """Fakes of the firmware in a few words."""
    figures = detail.of("firmware")
    assert figures is not None
    fakes = f"{number(figures.fakes.value)} fake cells an image"
    if figures.empty_firing.value is None:
        return fakes
    return f"{fakes}, {share(figures.empty_firing.value)} of empty images fire"
