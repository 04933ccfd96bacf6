"""The words and number formats that the page, the Markdown and the terminal share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from trigger_ml.report.sections import Estimate, Segment

__all__ = [
    "GLOSSARY",
    "MISSING",
    "ORIGINS",
    "WITNESSES",
    "count",
    "interval",
    "ns",
    "number",
    "origin_name",
    "percent",
    "points",
    "rejection",
    "share",
    "timing_note",
    "vector_origins",
    "witness_name",
]

MISSING: Final = "not measured"

WITNESSES: Final[Mapping[str, tuple[str, str]]] = {
    "source": (
        "source model",
        "The model file, evaluated by the framework that trained it.",
    ),
    "graph": (
        "fixed-point graph",
        "The same network in integers only: every type, weight and rounding written out. "
        "All firmware is made from it.",
    ),
    "csim": (
        "C simulation",
        "The HLS project's C++, compiled and run: what a vendor HLS tool would synthesize.",
    ),
    "rtl": (
        "RTL simulation",
        "The Verilog or VHDL, clock by clock, events back to back: what runs in the FPGA.",
    ),
}
"""Name and meaning of each witness."""

ORIGINS: Final[Mapping[str, tuple[str, str]]] = {
    "cost_model": ("cost model", "counted from the adder graph in seconds; before synthesis"),
    "yosys": ("yosys", "open synthesis for UltraScale+; no placement, no routing"),
    "vivado": ("Vivado", "the vendor tool's own report of the RTL"),
    "vitis": ("Vitis HLS", "the vendor tool's own report of the HLS project"),
}
"""Name and meaning of each source of resource counts."""

GLOSSARY: Final[Mapping[str, str]] = {
    "bit-exact": "Every output integer is equal, on every event compared: no tolerance.",
    "II": "Initiation interval: clocks between two events that can enter back to back.",
    "latency": "Time from the clock edge that takes an event to the one that shows its answer.",
    "routing margin": (
        "Clock period over estimated logic delay. Wires add delay that only place and route "
        "can tell, so the pipeline is cut with this much room."
    ),
    "timing closure": (
        "A vendor tool has placed and routed the design and found every path faster than the "
        "clock. Until then the clock is an estimate."
    ),
    "LUT": "Look-up table: the FPGA's small logic cell. FF: flip-flop, one stored bit.",
    "DSP": "Hard multiplier block of the FPGA. BRAM: its block memory, here in units of 36 Kb.",
    "SLR": "Super logic region: one of the dies that a large FPGA is made of.",
    "fixed<W,I>": (
        "W bits, I of them left of the binary point, sign included; ufixed has no sign. "
        "RND or TRN says how it rounds, SAT or WRAP what it does on overflow."
    ),
    "corner events": (
        "Inputs made on purpose: largest, smallest, -1 LSB, zero and alternating values."
    ),
    "decision flip": "An event that two models put into different classes.",
    "AUC": "Area under the ROC curve of a class against all others: 0.5 is chance, 1 perfect.",
    "rejection": "1 / background efficiency: background events for each one that is kept.",
    "interval": "95 % confidence interval: bootstrap over events, Wilson's for a proportion.",
}
"""Terms of the report, for people who are new to it."""


def count(value: float | None) -> str:
    """A whole number with separators."""
    return MISSING if value is None else f"{value:,.0f}"


def number(value: float | None, digits: int = 2, scale: float = 1.0) -> str:
    """A figure with a fixed number of decimals."""
    return MISSING if value is None else f"{scale * value:.{digits}f}".replace("-", "\u2212")


def ns(value: float | None, digits: int = 1) -> str:
    """A time in ns."""
    return MISSING if value is None else f"{value:,.{digits}f} ns"


def share(value: float | None) -> str:
    """A share, 0 to 1, as a percentage with two or so digits."""
    if value is None:
        return MISSING
    if value == 0:
        return "0 %"
    if value < 1e-4:
        return "< 0.01 %"
    digits = 2 if value < 0.01 else 1 if value < 0.1 else 0
    return f"{100 * value:.{digits}f} %"


def percent(value: float | None, digits: int = 1) -> str:
    """A proportion such as an accuracy, as a percentage."""
    return MISSING if value is None else f"{100 * value:.{digits}f} %"


def points(value: float | None, digits: int = 2) -> str:
    """A difference of two proportions, in percentage points with its sign."""
    if value is None:
        return MISSING
    rounded = round(100 * value, digits)
    return f"{rounded:+.{digits}f}".replace("-", "\u2212") if rounded else "0"


def interval(estimate: Estimate, scale: float = 1.0, digits: int = 3) -> str:
    """The interval alone: "0.912 to 0.915"."""
    low = MISSING if estimate.low is None else f"{scale * estimate.low:.{digits}f}"
    high = "\u221e" if estimate.high is None else f"{scale * estimate.high:.{digits}f}"
    return f"{low} to {high}".replace("-", "\u2212")


def rejection(estimate: Estimate | None) -> str:
    """A background rejection; a lower limit where no background was left."""
    if estimate is None:
        return MISSING
    if estimate.value is None:
        return f"> {count(estimate.low)}"
    digits = 0 if estimate.value >= 100 else 1
    return f"{estimate.value:,.{digits}f}"


def vector_origins(segments: Sequence[Segment]) -> str:
    """Where the test vectors came from: "26 corners, 100,000 events, 10,000 random"."""
    totals: dict[str, int] = {}
    for segment in segments:
        origin = segment.name.split(":")[0]
        totals[origin] = totals.get(origin, 0) + segment.events
    names = {"corner": "corners", "random": "random draws"}
    return ", ".join(f"{n:,} {names.get(origin, origin)}" for origin, n in totals.items()) or "none"


def witness_name(name: str) -> str:
    """A witness's name for people; an unknown one is its own name."""
    return WITNESSES[name][0] if name in WITNESSES else name


def origin_name(name: str) -> str:
    """A resource origin's name for people; an unknown one is its own name."""
    return ORIGINS[name][0] if name in ORIGINS else name


def timing_note(timing: str, margin: float, slack_ns: float | None) -> str:
    """Whose word the clock is, in one sentence."""
    if timing == "vendor" and slack_ns is not None:
        found = "met" if slack_ns >= 0 else "missed"
        return f"The vendor tool {found} the clock after routing, slack {slack_ns:+.3f} ns."
    return (
        "The clock is an estimate, not timing closure: stages were cut to leave "
        f"{margin:g} times their logic delay, and no vendor tool has routed them yet."
    )
