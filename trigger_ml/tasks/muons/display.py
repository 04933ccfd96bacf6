"""The event display: strips against layers, one strip of paper for each partition."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ConfigError, DataError
from trigger_ml.report.themes import LIGHT, Palette
from trigger_ml.tasks.muons.chamber import STRIPS
from trigger_ml.tasks.muons.images import SHAPE, Words, unpack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["event_display", "event_figure"]


def event_display(
    hits: Words,
    truth: Words,
    mask: NDArray[Any] | None = None,
    *,
    form: Literal["png", "svg"] = "png",
    title: str = "",
    strips: tuple[int, int] = (0, STRIPS),
) -> bytes:
    """One image as a PNG or SVG file on white; see :func:`event_figure` for what is in it."""
    if form not in ("png", "svg"):
        raise ConfigError(Blocker("form", f"must be png or svg, found {form!r}"))
    from matplotlib import rc_context

    from trigger_ml.report.plots import STYLE, to_png

    figure = event_figure(hits, truth, mask, title=title, strips=strips)
    if form == "png":
        return to_png(figure)
    buffer = io.BytesIO()
    figure.patch.set_alpha(1)
    with rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def event_figure(
    hits: Words,
    truth: Words,
    mask: NDArray[Any] | None = None,
    *,
    title: str = "",
    strips: tuple[int, int] = (0, STRIPS),
    palette: Palette = LIGHT,
) -> Figure:
    """Draw one image: hits of muons and of the background, and the marked cells behind them.

    hits, truth: (8, 384) words. mask: (8, 384), what is not zero is marked; a marked cell is one
    strip through all six layers. strips: first and last (not included) that are drawn. With the
    palette THEMED it goes into a page, through ``trigger_ml.report.plots.to_svg``.

    Raises DataError for other shapes, ConfigError for strips outside the chamber.
    """
    from trigger_ml.report.image_display import image_figure

    _require_image(hits, truth, mask, strips)
    true, found = unpack(truth).astype(bool), unpack(hits).astype(bool)
    return image_figure(
        true,
        found & ~true,
        mask,
        title=title,
        columns=strips,
        names=("muon", "background", "marked"),
        labels=("strip", "partition (six layers each, the first one lowest)"),
        palette=palette,
    )


def _require_image(
    hits: Words, truth: Words, mask: NDArray[Any] | None, strips: tuple[int, int]
) -> None:
    blockers = [
        Blocker(name, f"must have the shape {SHAPE}, found {np.shape(array)}")
        for name, array in (("hits", hits), ("truth", truth), ("mask", mask))
        if array is not None and np.shape(array) != SHAPE
    ]
    if blockers:
        raise DataError(blockers)
    if not 0 <= strips[0] < strips[1] <= STRIPS:
        raise ConfigError(Blocker("strips", f"must rise within 0 to {STRIPS}, found {strips}"))
