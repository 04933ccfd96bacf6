"""Colours of the plots, and SVG that takes its colours from the page around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["LIGHT", "THEMED", "Palette", "themed_svg"]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by purpose. series: told apart by all common kinds of colour vision."""

    ink: str
    muted: str
    line: str
    accent: str
    soft: str
    fail: str
    series: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every colour, in order."""
        return (self.ink, self.muted, self.line, self.accent, self.soft, self.fail, *self.series)


# Okabe and Ito, "Color Universal Design" (2008), darkened where it met white too faintly.
LIGHT: Final = Palette(
    "#16181d",
    "#5d6470",
    "#d9d7d1",
    "#0b63a5",
    "#a9c8e2",
    "#b8430b",
    ("#0072b2", "#d55e00", "#00855f", "#a8518a", "#8a6d00", "#56b4e9", "#444444"),
)
THEMED: Final = Palette(
    "#01ab00",
    "#01ab01",
    "#01ab02",
    "#01ab03",
    "#01ab04",
    "#01ab05",
    ("#01ab06", "#01ab07", "#01ab08", "#01ab09", "#01ab0a", "#01ab0b", "#01ab0c"),
)
"""Colours that stand for CSS variables until the SVG is written."""
VARIABLES: Final = (
    *("ink", "muted", "line", "accent", "soft", "fail"),
    *(f"s{index}" for index in range(len(LIGHT.series))),
)


def themed_svg(text: str, title: str, prefix: str) -> str:
    """Make an <svg> element for a page out of a file that matplotlib wrote.

    title: what it shows, for screen readers; plain words. prefix: makes its ids differ from
    those of other figures on the page. Text stays text, in the page's font ``--font``; colours
    of THEMED become ``var(--plot-...)``.
    """
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", text)
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    text = re.sub(r'xlink:href="#', f'href="#{prefix}-', text)
    text = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", "var(--font)", text)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    for mark, name in zip(THEMED.all, VARIABLES, strict=True):
        text = text.replace(mark, f"var(--plot-{name})")
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1).strip()
