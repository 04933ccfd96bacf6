"""The slowest stage, as open synthesis estimates it, in words."""

from __future__ import annotations

from trigger_ml.report.schema import Report

__all__ = ["timing_line"]


def timing_line(report: Report) -> str | None:
    """The slowest stage of the mapped netlist in a line; None where yosys did not run."""
    for origin in report.resources.origins:
        worst = origin.details.get("worst_stage") if origin.origin == "yosys" else None
        if worst:
            levels = f"{worst['levels']} LUT level{'' if worst['levels'] == 1 else 's'}"
            return (
                f"slowest stage by yosys: {worst['name']}, {levels}, {worst['carry_bits']} carry "
                f"bits, {worst['delay_ns']:.1f} ns with nets ({worst['max_mhz']:.0f} MHz): an "
                "estimate, nothing placed"
            )
    return None
