"""Sections of report.json that say where figures are from, and where the time goes."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from trigger_ml.report.base import Section

__all__ = ["Source", "Span"]


class Source(Section):
    """Where one figure, or one table of them, is from.

    key: its place in this file ("resources.yosys"), by which the page refers to it. figure: what
    it is, in words. value: as the page shows it; empty for a table. file: in the build, what was
    looked at. tool, version: what looked.
    """

    key: str
    figure: str
    value: str
    file: str
    tool: str
    version: str


class Span(Section):
    """A part of the latency, in clocks after the edge that takes the event, or the image's first
    columns.

    kind: "input" (waiting for the rest of the image), "register", "layer", "kernel", "window"
    (waiting for the columns to the right), "output" (the image leaving, beside the others).
    estimated: its ends are placed by estimated logic delay; the sum is exact all the same.
    """

    name: str
    kind: Literal["input", "register", "layer", "kernel", "window", "output"]
    start_cycles: float
    stop_cycles: float
    estimated: bool = False

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Span:
        if not 0 <= self.start_cycles <= self.stop_cycles:
            raise ValueError("a span ends after its start")
        return self
