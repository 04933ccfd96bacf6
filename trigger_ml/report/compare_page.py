"""Two builds side by side on one page, as self-contained as the page of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from trigger_ml.report import latency_plots, plots
from trigger_ml.report.compare import Comparison, Direction
from trigger_ml.report.compare_table import tally
from trigger_ml.report.headline import device_name, headline, tiles
from trigger_ml.report.page import page_environment, source_line
from trigger_ml.report.schema import Report
from trigger_ml.report.sources import report_sources
from trigger_ml.report.trace_sections import Source
from trigger_ml.report.words import MISSING

__all__ = ["comparison_page"]

NONE = "\u2013"
"""Where only one of the two has something."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """One line of both builds: a source or a fact."""

    key: str
    name: str
    old: str
    new: str

    @property
    def same(self) -> bool:
        return self.old == self.new


def comparison_page(old: Report, new: Report, found: Comparison) -> str:
    """The document. found: of the same two reports."""
    sources = tuple(_sources(old, new))
    return (
        page_environment()
        .get_template("compare.html.j2")
        .render(
            found=found,
            tally=tally(found),
            sides=[
                (side, name, report, headline(report), tiles(report), device_name(report))
                for side, name, report in (("A", found.old, old), ("B", found.new, new))
            ],
            better=found.count(Direction.BETTER),
            worse=found.count(Direction.WORSE),
            waterfalls=list(_waterfalls(old, new)),
            facts=tuple(_facts(old, new)),
            sources={
                row.key: (k, f"{row.name} \u2190 A: {row.old}; B: {row.new}")
                for k, row in enumerate(sources, 1)
            },
            source_rows=sources,
        )
    )


def _waterfalls(old: Report, new: Report) -> Iterator[tuple[str, Markup]]:
    """Where the clocks of both go, on time axes of the same length."""
    ends = [
        max(report.latency.ns or 0.0, report.target.latency_budget_ns or 0.0)
        for report in (old, new)
    ]
    for side, report in (("A", old), ("B", new)):
        figure = latency_plots.waterfall_figure(report, end_ns=max(ends))
        if figure is not None:
            title = f"Where the clocks of the latency of {side} go"
            yield side, Markup(plots.to_svg(figure, title, f"waterfall{side}"))


def _sources(old: Report, new: Report) -> Iterator[_Pair]:
    rows = [
        {row.key: row for row in report.sources or report_sources(report)} for report in (old, new)
    ]
    for key in dict.fromkeys((*rows[1], *rows[0])):
        known = rows[1].get(key) or rows[0][key]
        yield _Pair(key, known.figure, *(_told(side.get(key)) for side in rows))


def _told(row: Source | None) -> str:
    return NONE if row is None else source_line(row).partition("\u2190 ")[2]


def _facts(old: Report, new: Report) -> Iterator[_Pair]:
    """Provenance and target of both."""

    def pair(name: str, left: object, right: object) -> _Pair:
        texts = [MISSING if value is None else str(value) for value in (left, right)]
        return _Pair("", name, *texts)

    yield pair("model", old.model.file, new.model.file)
    yield pair("model sha256", old.model.sha256, new.model.sha256)
    yield pair("format", old.model.format, new.model.format)
    yield pair("parameters", old.model.parameters, new.model.parameters)
    yield pair("parameters not zero", old.model.nonzero, new.model.nonzero)
    yield pair("graph", old.provenance.graph_sha256, new.provenance.graph_sha256)
    yield pair("part", old.target.part, new.target.part)
    for name in ("clock_mhz", "latency_budget_ns", "ii_budget_ns", "lut_share_budget",
                 "dsp_share_budget"):  # fmt: skip
        left, right = getattr(old.target, name), getattr(new.target, name)
        if left is not None or right is not None:
            yield pair(name.replace("_", " "), left, right)
    yield pair("seed", old.provenance.seed, new.provenance.seed)
    yield pair("made", old.provenance.created_utc, new.provenance.created_utc)
    commands = ("\n".join(report.provenance.commands) or None for report in (old, new))
    yield pair("commands", *commands)
    for name in dict.fromkeys((*new.versions, *old.versions)):
        yield pair(name, old.versions.get(name), new.versions.get(name))
