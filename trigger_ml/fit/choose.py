"""Which candidate to build, or why none will do. Nothing is computed of the network here."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Final

from trigger_ml.errors import Blocker
from trigger_ml.fit.candidate import Candidate, Limit, excess, least_excess

__all__ = ["choose", "refusals"]

MARGIN_STEP: Final = 0.05
"""Margins that differ by less are as good as each other: delays are estimates."""
ROUNDING: Final = 1e-9


def choose(
    candidates: Sequence[Candidate], limits: tuple[Limit, ...], wanted_margin: float
) -> Candidate | None:
    """The candidate to build; None where no candidate can keep within all limits.

    In this order: all limits are met by the estimate, or else may be met as far as it can be off;
    the routing margin is wanted_margin, or as near below it as can be; fewest LUTs; lowest
    latency; fewest flip-flops.
    """
    fitting = [item for item in candidates if excess(item, limits) == 0]
    fitting = fitting or [item for item in candidates if least_excess(item, limits) == 0]
    return min(fitting, key=lambda item: _rank(item, wanted_margin), default=None)


def _rank(item: Candidate, wanted_margin: float) -> tuple[float, float, float, float]:
    kept = floor(min(item.margin, wanted_margin) / MARGIN_STEP + ROUNDING)
    if item.margin >= wanted_margin - ROUNDING:
        kept = ceil(wanted_margin / MARGIN_STEP)
    return (-kept, item.lut, item.latency_cycles, item.ff)


def refusals(
    candidates: Sequence[Candidate], limits: tuple[Limit, ...], default: Candidate
) -> list[Blocker]:
    """Which limits cannot be met, each with how near to it the best candidate comes.

    default: the candidate of the configuration as it is. Where each limit can be met alone, but
    not all at once: what the candidate misses that comes nearest to all. Empty where one meets all.
    """
    if any(least_excess(item, limits) == 0 for item in candidates):
        return []
    alone = []
    for limit in limits:
        best = min(candidates, key=lambda item: (limit.value(item), excess(item, limits)))
        if not limit.possible(best):
            alone.append(_alone(limit, best, default, limits))
    if alone:
        return alone
    nearest = min(candidates, key=lambda item: least_excess(item, limits))
    missed = [limit for limit in limits if not limit.possible(nearest)]
    return [_together(limit, nearest, candidates, limits) for limit in missed]


def _alone(limit: Limit, best: Candidate, default: Candidate, limits: tuple[Limit, ...]) -> Blocker:
    found, most = _figure(limit, limit.value(default)), _figure(limit, limit.most)
    what = f"{limit.name} {found} against {most}: at best {_with(limit, best, limits)}"
    return Blocker(limit.key, what, _fix(limit, limit.value(best)))


def _together(
    limit: Limit, nearest: Candidate, candidates: Sequence[Candidate], limits: tuple[Limit, ...]
) -> Blocker:
    kept = [item for item in candidates if limit.possible(item)]
    other = min(kept, key=lambda item: excess(item, limits))
    missed = ", ".join(
        f"{item.name} {_figure(item, item.value(other))} against {_figure(item, item.most)}"
        for item in limits
        if not item.possible(other)
    )
    value = limit.value(nearest)
    what = (
        f"not together with the other budgets: {limit.name} {_figure(limit, value)} against "
        f"{_figure(limit, limit.most)} with {nearest.settings.text()}; it is "
        f"{_figure(limit, limit.value(other))} with {other.settings.text()}, and then {missed}"
    )
    return Blocker(limit.key, what, _fix(limit, value))


def _with(limit: Limit, best: Candidate, limits: tuple[Limit, ...]) -> str:
    """The best figure, its settings, and what other limits that candidate misses."""
    missed = [
        f"{item.name} {_figure(item, item.value(best))}"
        for item in limits
        if item is not limit and not item.possible(best)
    ]
    beside = f", and then {' and '.join(missed)} too" if missed else ""
    return f"{_figure(limit, limit.value(best))} with {best.settings.text()}{beside}"


def _fix(limit: Limit, value: float) -> str:
    smaller = "make the network smaller (trigger-ml compress)"
    if limit.key == "target.part":
        return f"{smaller}, or take a larger part"
    if limit.whole is None:
        return f"grant {ceil(value * 10 - ROUNDING) / 10:g}{limit.unit}, or {smaller}"
    granted = ceil(value / limit.whole * 1e4 - ROUNDING) / 1e4
    if granted > 1:
        return f"{smaller}, or take a larger part"
    return f"grant {granted:g} of the part, or {smaller}"


def _figure(limit: Limit, value: float) -> str:
    if limit.whole is None:
        return f"{value:.1f}{limit.unit}"
    return f"{value:,.0f} ({value / limit.whole:.2%} of the part)"
