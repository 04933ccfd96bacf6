"""Two reports, figure by figure: what changed, and whether for better or worse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Final

from trigger_ml.report.compare_physics import physics_figures
from trigger_ml.report.compare_values import Value, as_text, figure, state
from trigger_ml.report.headline import device_name
from trigger_ml.report.schema import Report
from trigger_ml.report.sections import Layer
from trigger_ml.report.words import origin_name, witness_name

__all__ = ["Comparison", "Direction", "Row", "compare_reports"]

SCHEMA: Final = 1
CLOSE: Final = 1e-9
"""Relative difference below which two floats are the same figure."""
NONE: Final = "\u2013"


class Direction(Enum):
    """What a change is. UNSURE: the 95 % intervals overlap. CHANGED: neither good nor bad."""

    SAME = "same"
    BETTER = "better"
    WORSE = "worse"
    UNSURE = "within the intervals"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both reports, in words. source: its key in the tables of sources."""

    name: str
    old: str
    new: str
    change: str
    direction: Direction
    source: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All figures of two reports. sections: rows by what they are about. notes: why some of them
    do not compare like with like."""

    old: str
    new: str
    sections: Mapping[str, tuple[Row, ...]]
    notes: tuple[str, ...]

    def count(self, direction: Direction) -> int:
        """How many figures changed that way."""
        return sum(row.direction is direction for rows in self.sections.values() for row in rows)

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        sections = {
            name: [{**asdict(row), "direction": row.direction.value} for row in rows]
            for name, rows in self.sections.items()
        }
        counts = {item.value: self.count(item) for item in Direction}
        return {
            "schema": SCHEMA,
            "old": self.old,
            "new": self.new,
            "counts": counts,
            "sections": sections,
            "notes": list(self.notes),
        }


def compare_reports(old: Report, new: Report, names: tuple[str, str]) -> Comparison:
    """Every figure that either report has. names: of the two builds, as the user gave them."""
    sections = {
        "verdicts": _verdicts,
        "exactness": _exactness,
        "physics": physics_figures,
        "latency": _latency,
        "resources": _resources,
        "types": _types,
    }
    return Comparison(
        *names,
        {name: tuple(_rows(dict(of(old)), dict(of(new)))) for name, of in sections.items()},
        tuple(_notes(old, new)),
    )


def _rows(old: Mapping[str, Value], new: Mapping[str, Value]) -> Iterator[Row]:
    """Both sides' figures by name, those of the new report first."""
    for name in dict.fromkeys((*new, *old)):
        left, right = old.get(name), new.get(name)
        known = right or left
        assert known is not None
        yield Row(
            name,
            NONE if left is None else as_text(left),
            NONE if right is None else as_text(right),
            _change(left, right),
            _direction(left, right),
            known.source,
        )


def _change(old: Value | None, new: Value | None) -> str:
    if old is None or new is None or old.number is None or new.number is None:
        return ""
    if new.kind == "share":
        points = round(100 * (new.number - old.number), 3)
        return f"{points:+g} points".replace("-", "\u2212") if points else ""
    if _same(old, new) or new.kind == "state":
        return ""
    if not old.number:
        return f"{new.number - old.number:+,.6g}".replace("-", "\u2212")
    return f"{(new.number - old.number) / abs(old.number):+.1%}".replace("-", "\u2212")


def _same(old: Value, new: Value) -> bool:
    if old.number is None or new.number is None:
        return old.text == new.text and old.number == new.number
    return abs(old.number - new.number) <= CLOSE * max(abs(old.number), abs(new.number), 1e-30)


def _direction(old: Value | None, new: Value | None) -> Direction:
    if old is None or new is None:
        return Direction.CHANGED
    if _same(old, new):
        return Direction.SAME
    if old.number is None or new.number is None or new.good == 0:
        return Direction.CHANGED
    if old.interval and new.interval:
        apart = old.interval[1] < new.interval[0] or new.interval[1] < old.interval[0]
        if not apart:
            return Direction.UNSURE
    gained = (new.number - old.number) * new.good > 0
    return Direction.BETTER if gained else Direction.WORSE


def _verdicts(report: Report) -> Iterator[tuple[str, Value]]:
    yield "all of them", state(report.passed)
    for row in report.verdicts:
        yield row.name, state(row.passed, row.message)


def _exactness(report: Report) -> Iterator[tuple[str, Value]]:
    for pair in report.fidelity.pairs:
        names = " against ".join(witness_name(name) for name in pair.name.split("~"))
        source = f"fidelity.{pair.name}"
        yield f"{names}: events that differ", figure(pair.mismatches, -1, source)
        yield f"{names}: events", figure(pair.events, 0, source)


def _latency(report: Report) -> Iterator[tuple[str, Value]]:
    latency, pipeline = report.latency, report.pipeline
    yield "latency (clocks)", figure(latency.cycles, -1, "latency.cycles")
    yield "latency (ns)", figure(latency.ns, -1, "latency.cycles", digits=1)
    yield "initiation interval (clocks)", figure(latency.ii_cycles, -1, "latency.ii_cycles")
    yield "initiation interval (ns)", figure(latency.ii_ns, -1, "latency.ii_cycles", digits=1)
    budget = report.target.latency_budget_ns
    if budget and latency.ns is not None:
        yield "latency, of its budget", figure(latency.ns / budget, -1, "latency.cycles", "share")
    yield "slowest stage, logic (ns)", figure(pipeline.worst_stage_ns, -1, "pipeline", digits=3)
    for origin in report.resources.origins:
        levels = origin.details.get("stage_levels", ())
        if levels and origin.origin != "cost_model":
            name = f"levels of logic in a stage, {origin_name(origin.origin)}"
            yield name, figure(max(levels), -1, "pipeline.mapped")
    if pipeline.slack_ns is not None:
        yield "slack after routing (ns)", figure(pipeline.slack_ns, 1, "pipeline", digits=3)


def _resources(report: Report) -> Iterator[tuple[str, Value]]:
    for origin in report.resources.origins:
        name = origin_name(origin.origin)
        for key, used in origin.total.model_dump().items():
            if used is not None:
                source = f"resources.{origin.origin}.{key}"
                yield f"{key.upper()}, {name}", figure(used, -1, source)
    shares = (("the part", report.resources.device_share), ("one SLR", report.resources.slr_share))
    for whole, found in shares:
        for key in ("lut", "ff", "dsp", "bram36"):
            if found.get(key) is not None:
                yield f"{key.upper()} of {whole}", figure(found[key], -1, "device", "share")


def _types(report: Report) -> Iterator[tuple[str, Value]]:
    for layer in report.layers:
        yield f"{layer.name}: type", Value(layer.type, source="layers.type")
        if layer.weight_type is not None:
            yield f"{layer.name}: weights", Value(layer.weight_type, source="layers.type")
        yield from _layer(layer)


def _layer(layer: Layer) -> Iterator[tuple[str, Value]]:
    if layer.range is not None:
        unused = layer.width - layer.range.used_bits
        yield f"{layer.name}: bits not used", figure(unused, -1, "layers.range")
        at_limit = layer.range.saturated_fraction
        yield f"{layer.name}: at the limit", figure(at_limit, -1, "layers.range", "share")
    if layer.weights:
        zeros = (layer.zero_weights or 0) / layer.weights
        yield f"{layer.name}: zero weights", figure(zeros, 0, "layers.type", "share")
    if layer.cost_lut is not None:
        yield f"{layer.name}: LUT, cost model", figure(layer.cost_lut, -1, "layers.cost_lut")


def _notes(old: Report, new: Report) -> Iterator[str]:
    if old.target.part != new.target.part:
        yield (
            f"Shares are of different parts: {device_name(old)} ({old.target.part}) and "
            f"{device_name(new)} ({new.target.part})."
        )
    if old.target.clock_mhz != new.target.clock_mhz:
        yield (
            f"The clocks differ, {old.target.clock_mhz:g} and {new.target.clock_mhz:g} MHz: "
            "compare times, not clocks."
        )
    judges = (old.resources.judged_by, new.resources.judged_by)
    if judges[0] != judges[1]:
        told = " and ".join(origin_name(name) if name else "nothing" for name in judges)
        yield f"Shares are those of different origins: {told}."
    for left in old.resources.origins:
        for right in new.resources.origins:
            if left.origin == right.origin and left.version != right.version:
                name = origin_name(left.origin)
                yield f"{name} was {left.version}, and is {right.version}."
    if old.physics and new.physics:
        if old.physics.metric != new.physics.metric:
            yield "The physics metrics are different ones."
        elif (old.model.sha256, old.provenance.seed) != (new.model.sha256, new.provenance.seed):
            yield (
                "Physics figures are compared by their own 95 % intervals, not paired by event: "
                "only where these do not overlap, one is called better."
            )
