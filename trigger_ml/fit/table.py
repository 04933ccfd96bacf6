"""What a fit tried and chose, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trigger_ml.fit.candidate import Candidate, Limit
from trigger_ml.fit.choose import choose
from trigger_ml.fit.run import Fit

__all__ = ["fit_table"]

HEADS = ("margin", "adder depth", "columns", "latency", "II", "LUT", "FF", "DSP", "worst stage")


def fit_table(fit: Fit) -> RenderableType:
    """The candidates worth a look, by latency, and what was chosen."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    streamed = fit.candidates[0].settings.columns_per_clock is not None
    for head in HEADS:
        if streamed or head != "columns":
            table.add_column(head, justify="right", no_wrap=True)
    table.add_column("missed")
    shown = useful(fit)
    for item in shown:
        mark = ">" if item == fit.chosen else ""
        missed = ", ".join(_missed(limit, item) for limit in fit.limits if not limit.met(item))
        cells = [cell for cell in _cells(item) if cell is not None]
        style = "bold" if mark else ("" if not missed else "dim")
        table.add_row(mark, *cells, missed or "-", style=style)
    said = [Text(sentence, "dim") for sentence in _sentences(fit, len(shown))]
    return Group(table, Text(), *said)


def useful(fit: Fit) -> list[Candidate]:
    """The candidate to choose of each latency, or of each throughput of a stream.

    With the routing margin that is wanted and without it; the first and the chosen one are among
    them. In order of latency.
    """
    wanted = fit.config.firmware.routing_margin
    groups: dict[tuple[object, ...], list[Candidate]] = {}
    for item in fit.candidates:
        lanes = item.settings.columns_per_clock
        kept = item.margin >= wanted
        key = (item.latency_cycles,) if lanes is None else (lanes, kept)
        groups.setdefault(key, []).append(item)
    shown = {choose(group, (), wanted) for group in groups.values()}
    shown |= {fit.candidates[0], fit.chosen}
    found = [item for item in shown if item is not None]
    return sorted(found, key=lambda item: (item.latency_cycles, item.lut, item.settings.text()))


def _missed(limit: Limit, item: Candidate) -> str:
    return f"{limit.name} (perhaps)" if limit.possible(item) else limit.name


def _cells(item: Candidate) -> Sequence[str | None]:
    settings = item.settings
    columns = settings.columns_per_clock
    return (
        f"{settings.routing_margin:g}",
        "any" if settings.adder_depth < 0 else str(settings.adder_depth),
        None if columns is None else str(columns),
        f"{item.latency_cycles} = {item.latency_ns:.1f} ns",
        f"{item.ii_cycles} = {item.ii_ns:.1f} ns",
        f"{item.lut:,.0f}",
        f"{item.ff:,.0f}",
        f"{item.dsp:,.0f}",
        f"{item.worst_stage_ns:.2f} ns",
    )


def _sentences(fit: Fit, shown: int) -> list[str]:
    config, chosen = fit.config, fit.chosen
    left = len(set(fit.candidates)) - shown
    hidden = f"; {left} like those shown are left out" if left else ""
    found = [
        f"{len(set(fit.candidates))} candidates at {config.target.clock_mhz:g} MHz{hidden}. "
        f"LUT: {fit.counted}. Stage delays are estimates without routing.",
        *(f"{note[0].upper()}{note[1:]}." for note in fit.notes),
    ]
    if chosen is None:
        return [*found, "No candidate meets all budgets."]
    found.append(f"Chosen: firmware: {{{_yaml(chosen)}}}")
    for limit in fit.limits:
        if not limit.met(chosen):
            found.append(
                f"{limit.name} {limit.value(chosen):,.0f} is over {limit.most:,.0f}, but may come "
                f"out as low as {limit.least(chosen):,.0f}: the build will tell."
            )
    wanted = config.firmware.routing_margin
    if chosen.margin < wanted:
        found.append(
            f"The period is {chosen.margin:.2f} times the longest stage, less than the "
            f"{wanted:g} wanted for routing: whether the clock is met only a vendor tool can say."
        )
    return found


def _yaml(chosen: Candidate) -> str:
    return ", ".join(f"{key}: {value:g}" for key, value in chosen.settings.to_keys().items())
