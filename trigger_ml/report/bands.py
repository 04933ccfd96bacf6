"""How far an estimate may be off, in words: the band and the prediction in an origin's details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trigger_ml.report.schema import Report
from trigger_ml.report.words import count, origin_name

__all__ = ["band_notes"]

NAMES = {"lut": "LUT", "ff": "FF"}


def band_notes(report: Report) -> tuple[str, ...]:
    """A sentence for each origin with a band, and one for what it predicts of another origin.

    Nothing for reports that were written before there were bands.
    """
    notes = []
    for origin in report.resources.origins:
        band = origin.details.get("band")
        if isinstance(band, Mapping):
            spans = [f"{_span(band[key])} {name}" for key, name in NAMES.items() if key in band]
            notes.append(f"{origin_name(origin.origin)}: expect {', '.join(spans)}")
        predicts = origin.details.get("predicts")
        if isinstance(predicts, Mapping):
            notes += _predictions(predicts)
    return tuple(notes)


def _predictions(predicts: Mapping[str, Any]) -> list[str]:
    basis = f"95 % of {predicts['networks']} held-out networks, {predicts['study']}"
    found = []
    for name, figures in predicts.items():
        if isinstance(figures, Mapping):
            parts = [
                f"{count(figures[key]['value'])} {words} "
                f"({_span((figures[key]['low'], figures[key]['high']))})"
                for key, words in NAMES.items()
                if key in figures
            ]
            found.append(f"predicted for {origin_name(name)}: {', '.join(parts)}; {basis}")
    return found


def _span(ends: Any) -> str:
    low, high = ends
    return f"{count(low)} to {count(high)}"
