"""Logic levels and estimated delays of the stages of a pipeline, as a report keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trigger_ml.synth.yosys_paths import CLOCK_TO_Q_NS, LOCAL_NET_NS, MODEL, SETUP_NS, Longest

__all__ = ["WRAPPER", "joined_timing", "timing_details"]

WRAPPER: Final = "wrapper"
"""What a path goes through that touches no stage: valid bits, windows, borders."""


def timing_details(
    names: Sequence[str], inside: Sequence[Longest], paths: Mapping[str, Longest]
) -> dict[str, Any]:
    """Keys of a Synthesis's details for one pipeline.

    names: of the stages, first to last. inside: their own slowest paths. paths: from register to
    register by the place of a stage, and under the empty name those around the stages.

    stage_levels: LUTs in series on the slowest path of each stage. stage_carry_bits: bits of carry
    chains on it. stage_delays_ns: its estimated delay with nets, clock to Q and setup.
    wrapper: the same for what is around the stages, or None. worst_stage: the slowest of all,
    with its name, its place (None for the wrapper) and the clock it would allow.
    """
    edges = CLOCK_TO_Q_NS + LOCAL_NET_NS + SETUP_NS
    found = [
        paths.get(str(place)) or Longest(own.levels, own.carry_bits, own.delay_ns + edges)
        for place, own in enumerate(inside)
    ]
    around = paths.get("")
    details: dict[str, Any] = {
        "stage_names": list(names),
        "stage_levels": [item.levels for item in found],
        "stage_carry_bits": [item.carry_bits for item in found],
        "stage_delays_ns": [round(item.delay_ns, 3) for item in found],
        "wrapper": _figures(around) if around else None,
        "delay_model": MODEL,
    }
    return {**details, "worst_stage": _worst(details)}


def joined_timing(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The same keys for several pipelines and what is around them: details of each, joined."""
    lists = ("stage_names", "stage_levels", "stage_carry_bits", "stage_delays_ns")
    details: dict[str, Any] = {key: [v for part in parts for v in part[key]] for key in lists}
    around = [part["wrapper"] for part in parts if part["wrapper"]]
    details["wrapper"] = max(around, key=lambda item: float(item["delay_ns"]), default=None)
    details["delay_model"] = MODEL
    return {**details, "worst_stage": _worst(details)}


def _figures(path: Longest) -> dict[str, Any]:
    return {
        "levels": path.levels,
        "carry_bits": path.carry_bits,
        "delay_ns": round(path.delay_ns, 3),
    }


def _worst(details: Mapping[str, Any]) -> dict[str, Any] | None:
    keys = ("stage_names", "stage_levels", "stage_carry_bits", "stage_delays_ns")
    found: list[dict[str, Any]] = [
        {"name": name, "index": k, "levels": levels, "carry_bits": carry, "delay_ns": ns}
        for k, (name, levels, carry, ns) in enumerate(
            zip(*(details[key] for key in keys), strict=True)
        )
    ]
    if details["wrapper"]:
        found.append({"name": WRAPPER, "index": None, **details["wrapper"]})
    if not found:
        return None
    worst = max(found, key=lambda item: float(item["delay_ns"]))
    return {**worst, "max_mhz": round(1e3 / worst["delay_ns"], 1)}
