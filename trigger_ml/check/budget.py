"""Verdicts: measured figures against what the trigger grants. What is missing fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from trigger_ml.artifacts import CosimRun, Synthesis, Verdict
from trigger_ml.check.equality import Comparison
from trigger_ml.config import Budget

__all__ = ["judge_equality", "judge_resources", "judge_timing", "judge_vendor"]

ROUNDING: Final = 1e-9
"""36 clocks at 360 MHz are 100 ns, in floating point too."""


def judge_equality(comparisons: Mapping[str, Comparison | None]) -> tuple[Verdict, ...]:
    """One verdict for each pair of witnesses; None is a comparison that was not made."""
    verdicts = []
    for name, comparison in comparisons.items():
        if comparison is None or comparison.events == 0:
            verdicts.append(Verdict(f"bits:{name}", False, "not compared"))
            continue
        counts = f"{comparison.mismatches:,} mismatches in {comparison.events:,} events"
        verdicts.append(Verdict(f"bits:{name}", comparison.exact, counts))
    return tuple(verdicts)


def judge_timing(cosim: CosimRun | None, clock_mhz: float, budget: Budget) -> tuple[Verdict, ...]:
    """Latency and initiation interval, as measured in cosimulation, against the budget."""
    if cosim is None:
        return (Verdict("latency", False, "not measured"), Verdict("ii", False, "not measured"))
    verdicts = []
    for name, cycles, limit in (
        ("latency", cosim.latency_cycles, budget.latency_ns),
        ("ii", cosim.ii_cycles, budget.ii_ns),
    ):
        time_ns = cycles * 1e3 / clock_mhz
        figure = f"{cycles} clock cycles = {time_ns:.1f} ns at {clock_mhz:g} MHz"
        if limit is None:
            verdicts.append(Verdict(name, True, f"{figure}; no budget set"))
        else:
            met = time_ns <= limit * (1 + ROUNDING)
            margin = f"{abs(limit - time_ns):.1f} ns {'to spare' if met else 'too long'}"
            verdicts.append(Verdict(name, met, f"{figure}; budget {limit:g} ns, {margin}"))
    return tuple(verdicts)


def judge_resources(
    shares: Mapping[str, float] | None, origin: str, budget: Budget, lut_hint: str = ""
) -> tuple[Verdict, ...]:
    """Shares of the part, 0 to 1 and more, against the budget, and against the whole part.

    lut_hint: how to come down to the LUTs that are granted, said where they are exceeded.
    """
    verdicts = []
    for name, limit in (("lut", budget.lut_share), ("dsp", budget.dsp_share)):
        if limit is None:
            if shares is not None and shares.get(name, 0.0) > 1:
                text = f"{shares[name]:.2%} of the part by {origin}"
                verdicts.append(_over(name, f"{text}: it does not fit", lut_hint))
            continue
        if shares is None or name not in shares:
            verdicts.append(Verdict(f"resources:{name}", False, "not measured"))
            continue
        found = shares[name]
        text = f"{found:.2%} of the part by {origin}, budget {limit:.2%}"
        if found <= limit:
            verdicts.append(Verdict(f"resources:{name}", True, text))
        else:
            verdicts.append(_over(name, text, lut_hint))
    return tuple(verdicts)


def _over(name: str, text: str, lut_hint: str) -> Verdict:
    hint = f"; {lut_hint}" if name == "lut" and lut_hint else ""
    return Verdict(f"resources:{name}", False, f"{text}{hint}")


def judge_vendor(synthesis: Iterable[Synthesis], clock_mhz: float) -> tuple[Verdict, ...]:
    """The clock as a vendor tool found it after routing, and what HLS's cosimulation said.

    Only a routed design closes timing: without one there is no verdict on the clock. A slack is
    at clock_mhz; setup, hold and pulse width must all be met.
    """
    verdicts = []
    for item in synthesis:
        details = item.details
        hls = ":hls" if details.get("implementation") == "hls" else ""
        if details.get("timing_state") == "routed" and details.get("slack_ns") is not None:
            slacks = {
                "setup": details["slack_ns"],
                "hold": details.get("whs_ns"),
                "pulse width": details.get("wpws_ns"),
            }
            met = all(slack >= 0 for slack in slacks.values() if slack is not None)
            found = ", ".join(f"{k} {v:+.3f} ns" for k, v in slacks.items() if v is not None)
            asked = details.get("clock_period_ns")
            text = (
                f"{'met' if met else 'missed'} at {clock_mhz:g} MHz after routing by "
                f"{details.get('tool', item.origin)} {item.version}, asked for {asked:g} ns; "
                f"slack: {found}"
            )
            verdicts.append(Verdict(f"clock{hls}", met, text))
        status = details.get("cosim_status")
        if status is not None:
            text = f"C/RTL cosimulation of the HLS project: {status}"
            verdicts.append(Verdict("cosim:hls", status == "Pass", text))
    return tuple(verdicts)
