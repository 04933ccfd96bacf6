"""Physics figures of a report as a comparison takes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from trigger_ml.report.compare_values import Value, figure
from trigger_ml.report.edge_sections import EdgeDetail
from trigger_ml.report.image_sections import MaskDetail, MeanRow, ShareRow
from trigger_ml.report.schema import Report
from trigger_ml.report.sections import Estimate, PhysicsDetail
from trigger_ml.report.words import share

__all__ = ["physics_figures"]

SOURCE: Final = "physics"


def physics_figures(report: Report) -> Iterator[tuple[str, Value]]:
    """Figures of every witness, by name."""
    physics = report.physics
    if physics is None:
        return
    if physics.detail is not None:
        yield from _classes(physics.detail)
    elif physics.masks is not None:
        yield from _masks(physics.masks)
    elif physics.edges is not None:
        yield from _edges(physics.edges)
    else:
        ends = physics.interval
        value = figure(physics.firmware, 1, SOURCE, "share", interval=ends)
        yield f"{physics.metric}, firmware", value


def _estimate(found: Estimate | None, *, part: bool) -> Value:
    if found is None or found.value is None:
        return figure(None, 1, SOURCE)
    ends = None if found.low is None or found.high is None else (found.low, found.high)
    if part:
        return figure(found.value, 1, SOURCE, "share", interval=ends)
    return figure(found.value, 1, SOURCE, digits=4, interval=ends)


def _classes(detail: PhysicsDetail) -> Iterator[tuple[str, Value]]:
    yield "labelled events", figure(detail.events, 0, SOURCE)
    for row in detail.witnesses:
        yield f"accuracy, {row.witness}", _estimate(row.accuracy, part=True)
    firmware = next((row for row in detail.witnesses if row.witness == "firmware"), None)
    for item in firmware.classes if firmware else ():
        yield f"AUC of {item.name}, firmware", _estimate(item.auc, part=False)
    for item in firmware.classes if firmware else ():
        at = share(detail.working_point)
        yield f"rejection of {item.name} at {at}, firmware", _estimate(item.rejection, part=False)


def _share(found: ShareRow, good: Literal[-1, 1]) -> Value:
    ends = None if found.low is None or found.high is None else (found.low, found.high)
    return figure(found.value, good, SOURCE, "share", interval=ends)


def _mean(found: MeanRow) -> Value:
    ends = None if found.low is None or found.high is None else (found.low, found.high)
    return figure(found.value, -1, SOURCE, digits=4, interval=ends)


def _masks(detail: MaskDetail) -> Iterator[tuple[str, Value]]:
    for row in detail.witnesses:
        found, who = row.figures, row.witness
        yield f"images, {who}", figure(found.images, 0, SOURCE)
        yield f"efficiency, {who}", _share(found.efficiency, 1)
        yield f"fake cells an image, {who}", _mean(found.fakes)
        yield f"empty images that fire, {who}", _share(found.empty_firing, -1)


def _edges(detail: EdgeDetail) -> Iterator[tuple[str, Value]]:
    yield "candidate edges", figure(detail.candidates, 0, SOURCE)
    for row in detail.witnesses:
        found, who = row.figures, row.witness
        yield f"purity, {who}", _share(found.purity, 1)
        yield f"efficiency, {who}", _share(found.efficiency, 1)
        yield f"accuracy, {who}", _share(found.accuracy, 1)
        if row.roc is not None:
            area = row.roc.auc
            ends = (area.low, area.high)
            yield f"AUC, {who}", figure(area.value, 1, SOURCE, digits=4, interval=ends)
