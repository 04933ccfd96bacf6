"""A report of a build without RTL, in words: Markdown, and one screen of a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trigger_ml.report.hls_only import CloseRow, HlsReport
from trigger_ml.report.words import count, percent

__all__ = ["hls_headline", "hls_markdown", "hls_terminal"]

NOTHING_ELSE: Final = (
    "HLS project only: no RTL was made, no latency measured, no resources counted."
)


def hls_headline(report: HlsReport) -> str:
    """What was found, in a sentence."""
    row = report.judged
    if row is None or row.vectors == 0:
        return "The C simulation was not compared with the model."
    if row.equal == row.vectors:
        return f"C simulation and model are equal on {count(row.equal)} of {count(row.vectors)}."
    if row.agree is None:
        return f"The C simulation is off by {percent(row.error, 2)} of the model's spread."
    share = percent(row.agree / row.vectors, 2)
    return f"The C simulation decides as the model on {share} of {count(row.vectors)} vectors."


def hls_markdown(report: HlsReport) -> str:
    """The report as GitHub-flavoured Markdown."""
    project = report.project
    lines = [
        f"# {report.model.file}: hls4ml project for {project.part} at {project.clock_mhz:g} MHz",
        "",
        f"**{_stamp(report)}.** {hls_headline(report)} {NOTHING_ELSE}",
        "",
        "| verdict | | found |",
        "|---|---|---|",
        *(f"| {v.name} | {'ok' if v.passed else 'FAIL'} | {v.message} |" for v in report.verdicts),
        "",
        "## C simulation against the model",
        "",
        f"Decision: {report.decision}.",
        "",
        "| | "
        + " | ".join(row.name + (" (judged)" * row.judged) for row in report.closeness)
        + " |",
        "|---" * (1 + len(report.closeness)) + "|",
        *_difference_rows(report),
        "",
    ]
    if report.accuracy is not None:
        found = report.accuracy
        lines += [
            f"Accuracy on {count(found.events)} labelled events: model {percent(found.source, 2)}, "
            f"C simulation {percent(found.csim, 2)}.",
            "",
        ]
    lines += [f"{note}." for note in report.model.notes]
    return "\n".join([*lines, "## What was set", "", *_types(report), ""])


def hls_terminal(report: HlsReport, folder: Path | None = None) -> RenderableType:
    """What to print at the end of a compilation. folder: of the build."""
    stamp = Text(f" {_stamp(report)} ", f"bold white on {'green' if report.passed else 'red'}")
    project = report.project
    table = Table.grid(padding=(0, 2, 0, 0))
    for row in _difference_rows(report):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        table.add_row(*cells)
    verdicts = Table.grid(padding=(0, 2, 0, 0))
    for verdict in report.verdicts:
        mark = Text("\u2713", "bold green") if verdict.passed else Text("\u2717", "bold red")
        verdicts.add_row(mark, verdict.name, Text(verdict.message))
    names = ", ".join(row.name + (" (judged)" * row.judged) for row in report.closeness)
    parts: list[RenderableType] = [
        Text.assemble(stamp, " ", (hls_headline(report), "bold")),
        Text(NOTHING_ELSE),
        Text(f"{report.model.file}, {project.backend} for {project.part}", "dim"),
        Text(),
        verdicts,
        Text(),
        Text(f"C simulation against the model: {names}", "dim"),
        table,
        Text(),
        *(Text(line) for line in _types(report)),
    ]
    if folder is not None:
        parts += [Text(), Text.assemble(("build  ", "dim"), str(folder))]
    return Padding(Group(*parts), (1, 0, 0, 0))


def _stamp(report: HlsReport) -> str:
    """Never PASS for bit accuracy that was not seen."""
    if not report.passed:
        return "FAIL"
    row = report.judged
    return "EQUAL" if row is not None and row.equal == row.vectors else "CLOSE"


def _difference_rows(report: HlsReport) -> Iterator[str]:
    def line(title: str, cells: list[str]) -> str:
        return f"| {title} | {' | '.join(cells)} |"

    rows = report.closeness
    yield line("vectors", [count(row.vectors) for row in rows])
    yield line("equal", [count(row.equal) for row in rows])
    yield line("largest difference", [_difference(r.largest, r.largest_lsb) for r in rows])
    yield line("root mean square", [_difference(r.rms, r.rms_lsb) for r in rows])
    yield line("over the model's spread", [percent(row.error, 2) for row in rows])
    yield line("same decision", [_agreement(row) for row in rows])


def _difference(value: float | None, lsb: float | None) -> str:
    if value is None or lsb is None:
        return "not measured"
    return f"{value:.3g} ({lsb:.3g} LSB)"


def _agreement(row: CloseRow) -> str:
    if row.agree is None:
        return "no decision"
    return f"{count(row.agree)} ({percent(row.agree / row.vectors, 2)})"


def _types(report: HlsReport) -> Iterator[str]:
    for port in (*report.project.inputs, *report.project.outputs):
        yield f"- {port.name}: {'x'.join(map(str, port.shape))} {port.type}"
    for row in report.project.layers:
        types = ", ".join(f"{key} {kind}" for key, kind in row.types.items())
        tables = f", tables of {row.table_size:,} entries" if row.table_size else ""
        yield f"- layer {row.layer}: {types}{tables}"
