"""The figures of a report of masks; every number is in the report already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from trigger_ml.report.efficiency import efficiency_figure
from trigger_ml.report.image_display import image_figure
from trigger_ml.report.schema import Report
from trigger_ml.report.themes import THEMED, Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["background_figure", "eta_figure", "event_figure", "pt_figure"]


def pt_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """Efficiency against transverse momentum; None where it is not known."""
    return _efficiency(report, "pt", "transverse momentum (GeV)", "log", palette)


def eta_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """Efficiency against pseudorapidity; None where it is not known."""
    return _efficiency(report, "eta", "pseudorapidity", "linear", palette)


def background_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """Efficiency against background; None where it is not known."""
    return _efficiency(report, "background", "background, multiple of nominal", "linear", palette)


def _efficiency(
    report: Report,
    quantity: str,
    label: str,
    scale: Literal["linear", "log"],
    palette: Palette,
) -> Figure | None:
    detail = report.physics.masks if report.physics else None
    if detail is None:
        return None
    bins = {row.witness: row.bins[quantity] for row in detail.witnesses if quantity in row.bins}
    return efficiency_figure(bins, label, scale=scale, palette=palette) if bins else None


def event_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """The image that the report holds; None without one."""
    detail = report.physics.masks if report.physics else None
    event = detail.event if detail else None
    if event is None:
        return None
    hits = _set(event.hits, event.shape)
    true = _set(event.true, event.shape[:2])
    muon = hits & true[..., None]
    return image_figure(muon, hits & ~muon, _set(event.marked, event.shape[:2]), palette=palette)


def _set(places: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """True at some flat places of a shape."""
    flat = np.zeros(int(np.prod(shape)), dtype=np.bool_)
    flat[list(places)] = True
    return flat.reshape(shape)
