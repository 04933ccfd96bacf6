"""Verdicts that nobody gave: a measurement that is missing, or a figure nobody judged."""

from __future__ import annotations

from collections.abc import Iterator

from trigger_ml.report.sections import (
    Fidelity,
    Latency,
    Physics,
    Pipeline,
    ResourceSection,
    VerdictRow,
)

__all__ = ["missing"]


def missing(
    given: tuple[VerdictRow, ...],
    fidelity: Fidelity,
    latency: Latency,
    resources: ResourceSection,
    pipeline: Pipeline,
    *,
    labelled: bool,
    physics: Physics | None,
    cosim_events: tuple[int, int] | None,
) -> tuple[VerdictRow, ...]:
    """Failing verdicts to add to those given.

    labelled: the events came with labels of any kind, so physics is due. cosim_events: events
    that went into the RTL simulation and came out of it.
    """
    failed = [verdict.name.split(":")[0] for verdict in given if not verdict.passed]
    said = {verdict.name for verdict in given if not verdict.passed} | {*failed}
    found = [
        (f"measured:{what}", text)
        for what, text in _unmeasured(fidelity, latency, resources)
        if not {what, f"bits:{what}"} & said
    ]
    if labelled and physics is None:
        found.append(("measured:physics", "the events have labels, but no physics was measured"))
    if cosim_events is not None and cosim_events[0] != cosim_events[1]:
        sent, came = cosim_events
        found.append(("measured:rtl", f"{came:,} of {sent:,} events came out of the RTL"))
    if latency.cycles is not None and not latency.met and not {"latency", "ii"} & {*failed}:
        found.append(("latency", f"{latency.ns:.1f} ns, II {latency.ii_ns:.1f} ns: over budget"))
    counted = resources.device_share.get("lut") is not None
    if counted and not resources.met and not {"resources", "lut", "dsp"} & {*failed}:
        found.append(("resources", f"over budget, as counted by {resources.judged_by}"))
    if pipeline.slack_ns is not None and pipeline.slack_ns < 0 and "clock" not in failed:
        found.append(("clock", f"the vendor tool misses the clock by {-pipeline.slack_ns:.3f} ns"))
    if "bits" not in failed:
        found += _unjudged_mismatches(fidelity)
    return tuple(VerdictRow(name=name, passed=False, message=text) for name, text in found)


def _unmeasured(
    fidelity: Fidelity, latency: Latency, resources: ResourceSection
) -> Iterator[tuple[str, str]]:
    if not fidelity.pairs:
        yield "bits", "no two witnesses were compared"
    for pair in fidelity.pairs:
        if pair.mismatches is None:
            yield pair.name, f"{pair.name} were not compared on any event"
    if latency.cycles is None:
        yield "latency", "no RTL simulation ran, so latency and II are not known"
    if resources.judged_by is None:
        yield "resources", "neither the cost model nor a synthesis gave LUTs"
    elif resources.device_share.get("lut") is None:
        yield "resources", "the part's totals are not known, so neither is its share"


def _unjudged_mismatches(fidelity: Fidelity) -> Iterator[tuple[str, str]]:
    for pair in fidelity.pairs:
        excused = "source" in pair.name.split("~") and bool(fidelity.inexact_layers)
        if pair.mismatches and not excused:
            yield (
                f"bits:{pair.name}",
                f"{pair.mismatches:,} of {pair.events:,} events differ",
            )
