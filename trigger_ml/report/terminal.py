"""The report on one screen of a terminal, 80 columns wide."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trigger_ml.report.bands import band_notes
from trigger_ml.report.headline import Tile, device_name, headline, tiles
from trigger_ml.report.hls_estimate import HLS_ESTIMATE
from trigger_ml.report.hls_estimate_words import hls_line
from trigger_ml.report.schema import Report
from trigger_ml.report.timing import timing_line
from trigger_ml.report.vendor import vendor_figures
from trigger_ml.report.words import count, witness_name

__all__ = ["terminal_summary"]


def terminal_summary(report: Report, page: Path | None = None) -> RenderableType:
    """What to print at the end of a compilation.

    page: where the HTML report lies, to be named in the last line.
    """
    stamp = Text(" PASS ", "bold white on green") if report.passed else None
    stamp = stamp or Text(" FAIL ", "bold white on red")
    title = Text.assemble(stamp, " ", (headline(report), "bold"))
    where = f"{report.model.file} on {device_name(report)} at {report.target.clock_mhz:g} MHz"
    parts: list[RenderableType] = [
        title,
        Text(where, "dim"),
        Text(),
        _answers(report),
        Text(),
        _pairs(report),
    ]
    notes = band_notes(report)
    if notes:
        parts += [Text(), *(Text(note, "dim") for note in notes)]
    if report.hls_estimate is not None:
        parts += [Text(), Text(f"{HLS_ESTIMATE}  {hls_line(report.hls_estimate)}", "dim")]
    if line := timing_line(report):
        parts += [Text(), Text(line, "dim")]
    if report.resources.vendor is not None:
        parts += [Text(), _vendor(report)]
    if report.failures:
        parts += [Text(), _failures(report)]
    if page is not None:
        parts += [Text(), Text.assemble(("report  ", "dim"), str(page))]
    return Padding(Group(*parts), (1, 0, 0, 0))


def _mark(passed: bool | None) -> Text:
    if passed is None:
        return Text("\u00b7", "dim")
    return Text("\u2713", "bold green") if passed else Text("\u2717", "bold red")


def _answers(report: Report) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    names = ("exact", "on time", "fits", "physics")
    for name, tile in zip(names, tiles(report), strict=True):
        table.add_row(_mark(tile.passed), name, Text(tile.figure, "bold"), _detail(tile))
    return table


def _detail(tile: Tile) -> Text:
    lines = [line for line in (tile.unit, *tile.detail[:1], tile.budget, *tile.detail[1:]) if line]
    return Text("; ".join(lines))


def _pairs(report: Report) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=1)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for pair in report.fidelity.pairs:
        names = " against ".join(witness_name(name) for name in pair.name.split("~"))
        if pair.mismatches is None:
            table.add_row(_mark(False), names, "", Text("not measured", "red"))
        else:
            found = f"of {count(pair.events)} events differ"
            table.add_row(_mark(pair.mismatches == 0), names, count(pair.mismatches), found)
    return table


def _vendor(report: Report) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold", style="dim")
    for item in vendor_figures(report):
        where = f"{item.file} ({item.state})" if item.state[0].isalpha() else item.file
        table.add_row(item.origin, item.name, item.value, where)
    return table


def _failures(report: Report) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=1)
    table.add_column(no_wrap=True, style="bold", max_width=28)
    table.add_column(overflow="fold")
    for verdict in report.failures:
        table.add_row(_mark(False), verdict.name, Text(verdict.message))
    divergence = report.fidelity.first_divergence
    if divergence is not None:
        where = (
            f"layer {divergence.layer}, event {divergence.event}, element {divergence.element}: "
            f"{divergence.left} against {divergence.right}. {divergence.cause}"
        )
        table.add_row("", "first divergence", Text(where))
    return table
