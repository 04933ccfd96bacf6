"""Which candidate is returned, and what stands in the way when none can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from trigger_ml.compress.judging import Judged
from trigger_ml.compress.metrics.find import not_worse
from trigger_ml.compress.recipe import Goal, Limits

__all__ = ["Selection", "choose"]


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The candidate with the fewest LUTs that keeps to goal and limits.

    judged: None when there is none. shortfall: then, how far the nearest ones are, and what
    relaxing would give; one sentence each.
    """

    judged: Judged | None
    shortfall: tuple[str, ...] = ()


def choose(candidates: Sequence[Judged], goal: Goal, limits: Limits) -> Selection:
    """Choose by the validation events alone; the test events only say what the choice costs.

    candidates: at least one.
    """
    good = [item for item in candidates if not_worse(item.validation, goal.tolerance)]
    small = [item for item in candidates if _keeps(item, limits)]
    both = [item for item in good if item in small]
    if both:
        return Selection(min(both, key=lambda item: (item.cost.lut, item.prototype.name)))
    return Selection(None, tuple(_shortfall(candidates, good, small, goal, limits)))


def _keeps(item: Judged, limits: Limits) -> bool:
    fits = limits.lut is None or item.cost.lut <= limits.lut
    return fits and (limits.latency_ns is None or item.cost.latency_ns <= limits.latency_ns)


def _shortfall(
    candidates: Sequence[Judged],
    good: Sequence[Judged],
    small: Sequence[Judged],
    goal: Goal,
    limits: Limits,
) -> list[str]:
    told = []
    if good:
        item = min(good, key=lambda item: item.cost.lut)
        told.append(
            f"{item.prototype.name}, the smallest within {goal.tolerance:g} of the source model's "
            f"{goal.metric}, takes {item.cost.lut:,.0f} LUTs and {item.cost.latency_ns:.1f} ns: "
            f"{_relaxed_limits(item, limits)} would do"
        )
    else:
        told.append(
            f"no candidate is within {goal.tolerance:g} of the source model's {goal.metric} at "
            f"{goal.confidence:.0%} confidence"
        )
    pool, where = (small, "within the limits ") if small else (candidates, "")
    if not small:
        told.append("no candidate keeps to the limits")
    best = max(pool, key=lambda item: item.validation.lower_bound)
    change, bound = best.validation.change.value, best.validation.lower_bound
    told.append(
        f"{best.prototype.name} is the best {where}with {best.cost.lut:,.0f} LUTs and "
        f"{best.cost.latency_ns:.1f} ns: {goal.metric} changes by {change:+.4f}, at worst "
        f"{bound:+.4f}: goal.tolerance {_rounded_up(-bound):g} would do"
    )
    return told


def _relaxed_limits(item: Judged, limits: Limits) -> str:
    asked = []
    if limits.lut is not None and item.cost.lut > limits.lut:
        asked.append(f"limits.lut {ceil(item.cost.lut)}")
    if limits.latency_ns is not None and item.cost.latency_ns > limits.latency_ns:
        asked.append(f"limits.latency_ns {ceil(item.cost.latency_ns)}")
    return " and ".join(asked)


def _rounded_up(value: float) -> float:
    """A little more, with four decimals."""
    return ceil(max(value, 0.0) * 1e4) / 1e4
