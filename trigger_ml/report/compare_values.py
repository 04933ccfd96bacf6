"""Figures as a comparison takes them: a number, which way is good, and how to write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trigger_ml.report.words import MISSING, number, percent

__all__ = ["Kind", "Value", "as_text", "figure", "state"]

Kind = Literal["plain", "share", "state"]


@dataclass(frozen=True, slots=True)
class Value:
    """One side of a comparison.

    text: as shown. number: None where it was not measured or is none. good: 1 where more is
    better, -1 where less is, 0 where neither. interval: at 95 %, of the number. kind: "share" of
    0 to 1, or "state" (passed or not). source: key in the table of sources.
    """

    text: str
    number: float | None = None
    good: Literal[-1, 0, 1] = 0
    interval: tuple[float, float] | None = None
    kind: Kind = "plain"
    source: str = ""


def as_text(value: Value) -> str:
    """A value with its interval."""
    if value.interval is None:
        return value.text
    scale, digits = (100, 2) if value.kind == "share" else (1, 4)
    low, high = (f"{scale * end:.{digits}f}" for end in value.interval)
    return f"{value.text} ({low} to {high})"


def figure(
    found: float | None,
    good: Literal[-1, 0, 1],
    source: str,
    kind: Kind = "plain",
    *,
    digits: int = 0,
    interval: tuple[float, float] | None = None,
) -> Value:
    """A figure that may not have been measured. digits: decimals of a plain one."""
    if found is None:
        return Value(MISSING, None, good, None, kind, source)
    if kind == "share":
        return Value(percent(found, 2), found, good, interval, kind, source)
    text = f"{found:,.0f}" if digits == 0 else number(found, digits)
    return Value(text.replace("-", "\u2212"), found, good, interval, kind, source)


def state(passed: bool, message: str = "") -> Value:
    """A verdict."""
    text = ("pass" if passed else "FAIL") + (f": {message}" if message else "")
    return Value(text, float(passed), 1, None, "state")
