"""The report as Markdown: for a merge request, a wiki or a log book."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trigger_ml.report.bands import band_notes
from trigger_ml.report.edge_sections import EdgeDetail
from trigger_ml.report.edge_words import (
    METRICS,
    edge_flips,
    edge_note,
    edge_rows,
    truncation_note,
)
from trigger_ml.report.headline import device_name, headline, physics_missing, tiles
from trigger_ml.report.hls_estimate_words import hls_lines
from trigger_ml.report.image_sections import MaskDetail
from trigger_ml.report.image_words import (
    flip_words,
    kernel_rows,
    mask_note,
    mask_rows,
    stream_note,
)
from trigger_ml.report.schema import Report
from trigger_ml.report.sections import PhysicsDetail
from trigger_ml.report.timing import timing_line
from trigger_ml.report.vendor import vendor_figures
from trigger_ml.report.words import (
    MISSING,
    ORIGINS,
    WITNESSES,
    count,
    interval,
    ns,
    number,
    origin_name,
    points,
    rejection,
    share,
    timing_note,
    vector_origins,
    witness_name,
)

__all__ = ["markdown"]


def markdown(report: Report) -> str:
    """The report as GitHub-flavoured Markdown."""
    target = report.target
    lines = [
        f"# {report.model.file} on {device_name(report)} at {target.clock_mhz:g} MHz",
        "",
        f"**{'PASS' if report.passed else 'FAIL'}.** {headline(report)}",
        "",
        *_table(("", "Answer", "Figure", "Detail"), _answers(report)),
        "",
        *_failures(report),
        *_fidelity(report),
        *_latency(report),
        *_resources(report),
        *_physics(report),
        *_provenance(report),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "|".join("---" for _ in head) + "|"
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _answers(report: Report) -> list[tuple[str, ...]]:
    answer = {True: "\u2713 yes", False: "\u2717 **no**", None: "no limit set"}
    return [
        (
            tile.question,
            answer[tile.passed],
            f"**{tile.figure}** {tile.unit}".strip(),
            "; ".join(filter(None, (tile.budget, *tile.detail))),
        )
        for tile in tiles(report)
    ]


def _failures(report: Report) -> Iterator[str]:
    if report.failures:
        yield "## What failed"
        yield ""
        for verdict in report.failures:
            yield f"- `{verdict.name}`: {verdict.message}"
        yield ""


def _fidelity(report: Report) -> Iterator[str]:
    fidelity = report.fidelity
    yield "## Is it the same network?"
    yield ""
    rows = []
    for pair in fidelity.pairs:
        names = " against ".join(witness_name(name) for name in pair.name.split("~"))
        rows.append((names, count(pair.events), count(pair.corner_events), count(pair.mismatches)))
    yield from _table(("Compared", "Events", "of them corners", "Events that differ"), rows)
    yield ""
    for name in fidelity.witnesses:
        title, meaning = WITNESSES.get(name, (name, ""))
        yield f"- **{title}** (`{name}`): {meaning}"
    yield ""
    divergence = fidelity.first_divergence
    if divergence is not None:
        yield (
            f"First divergence, {divergence.witnesses}: layer `{divergence.layer}`, event "
            f"{divergence.event} ({divergence.segment}), element {divergence.element}: code "
            f"{divergence.left} against {divergence.right} of `{divergence.type}`. "
            f"Likely cause: {divergence.cause}."
        )
        yield ""
    yield f"Test vectors: {vector_origins(fidelity.segments)}."
    yield ""


def _latency(report: Report) -> Iterator[str]:
    latency, target, pipeline = report.latency, report.target, report.pipeline
    yield "## Is it on time?"
    yield ""
    rows = [
        ("Latency", count(latency.cycles), ns(latency.ns), _budget(target.latency_budget_ns)),
        (
            "Initiation interval",
            count(latency.ii_cycles),
            ns(latency.ii_ns),
            _budget(target.ii_budget_ns),
        ),
    ]
    yield from _table(
        (f"Measured by {latency.measured_by or 'nothing'}", "Clocks", "Time", "Budget"), rows
    )
    yield ""
    if latency.stream is not None:
        yield f"Images are streamed: {stream_note(latency.stream)}."
        yield ""
    yield timing_note(pipeline.timing, pipeline.routing_margin, pipeline.slack_ns)
    yield ""


def _budget(budget_ns: float | None) -> str:
    return "none" if budget_ns is None else ns(budget_ns)


def _resources(report: Report) -> Iterator[str]:
    resources = report.resources
    yield "## Does it fit?"
    yield ""
    head = ("Origin", "LUT", "FF", "DSP", "BRAM36", "Share of LUTs", "of one SLR")
    rows = []
    for origin in resources.origins:
        total = origin.total
        judged = " (judged)" if origin.origin == resources.judged_by else ""
        figures = (total.lut, total.ff, total.dsp, total.bram36)
        rows.append(
            (
                f"{origin_name(origin.origin)}, {origin.version}{judged}",
                *("\u2013" if number is None else count(number) for number in figures),
                share(origin.device_share.get("lut")),
                share(origin.slr_share.get("lut")),
            )
        )
    yield from _table(head, rows or [(MISSING, "", "", "", "", "", "")])
    yield ""
    for name in (origin.origin for origin in resources.origins if origin.origin in ORIGINS):
        yield f"- {ORIGINS[name][0]}: {ORIGINS[name][1]}"
    for note in band_notes(report):
        yield f"- {note}"
    if line := timing_line(report):
        yield f"- {line}"
    yield ""
    yield from _vendor(report)
    yield from _kernels(report)
    yield from hls_lines(report.hls_estimate)


def _vendor(report: Report) -> Iterator[str]:
    figures = vendor_figures(report)
    if figures:
        head = ("Vendor tool", "Figure", "Value", "Design was", "Report")
        rows = [(f.origin, f.name, f.value, f.state, f"`{f.file}`") for f in figures]
        yield from _table(head, rows)
        yield ""


def _kernels(report: Report) -> Iterator[str]:
    origin, kernels = kernel_rows(report)
    if not kernels:
        return
    rows = [
        (f"`{row.name}`", count(row.instances), count(row.lut), count(row.ff), count(row.total_lut))
        for row in kernels
    ]
    head = (f"Kernel, counted by {origin}", "Instances", "LUT each", "FF each", "LUT in all")
    yield from _table(head, rows)
    yield ""


def _physics(report: Report) -> Iterator[str]:
    yield "## Is the physics kept?"
    yield ""
    detail = report.physics.detail if report.physics else None
    if report.physics and report.physics.masks:
        yield from _masks(report.physics.masks)
        return
    if report.physics and report.physics.edges:
        yield from _edges(report.physics.edges)
        return
    if detail is None:
        yield MISSING if physics_missing(report) else "No labelled events were given."
        yield ""
        return
    head = (f"{detail.events:,} events", *(row.witness for row in detail.witnesses))
    yield from _table(head, _physics_rows(detail))
    yield ""
    for flip in detail.flips:
        change = next(
            (
                item.difference
                for item in detail.changes
                if (item.metric, item.left, item.right) == ("accuracy", flip.left, flip.right)
            ),
            None,
        )
        text = (
            ""
            if change is None
            else f"; accuracy {points(change.value)} points ({interval(change, 100, 2)})"
        )
        yield (
            f"- {flip.left} to {flip.right}: {flip.count:,} decision flips, "
            f"{share(flip.fraction.value)} of events{text}"
        )
    yield ""


def _masks(detail: MaskDetail) -> Iterator[str]:
    yield mask_note(detail)
    yield ""
    images = detail.witnesses[0].figures.images
    head = (f"{images:,} images", *(row.witness for row in detail.witnesses))
    yield from _table(head, [(title, *map(str, cells)) for title, cells in mask_rows(detail)])
    yield ""
    for row in flip_words(detail):
        yield (
            f"- {row.pair}: {row.cells} cells in {row.images} images marked differently; "
            f"change of the efficiency in points {row.efficiency}, of the fake cells an image "
            f"{row.fakes}"
        )
    yield ""


def _edges(detail: EdgeDetail) -> Iterator[str]:
    yield edge_note(detail)
    yield ""
    head = (f"{detail.candidates:,} candidate edges", *(row.witness for row in detail.witnesses))
    yield from _table(head, [(title, *map(str, cells)) for title, cells in edge_rows(detail)])
    yield ""
    for row in edge_flips(detail):
        changes = ", ".join(
            f"{name} {cell}" for name, cell in zip(METRICS, row.changes, strict=True)
        )
        yield (
            f"- {row.pair}: {row.edges} edges ({row.part}) in {row.images} images decided "
            f"differently; change in points: {changes}"
        )
    yield ""
    yield truncation_note(detail)
    yield ""


def _physics_rows(detail: PhysicsDetail) -> list[tuple[str, ...]]:
    rows = [
        (
            "Accuracy (%)",
            *(
                f"{number(row.accuracy.value, 2, 100)} ({interval(row.accuracy, 100, 2)})"
                for row in detail.witnesses
            ),
        )
    ]
    for index, item in enumerate(detail.witnesses[0].classes):
        cells = [row.classes[index] for row in detail.witnesses]
        areas = [
            MISSING
            if cell.auc is None
            else f"{number(cell.auc.value, 4)} ({interval(cell.auc, 1, 4)})"
            for cell in cells
        ]
        rows.append((f"AUC {item.name}", *areas))
    for index, item in enumerate(detail.witnesses[0].classes):
        cells = [row.classes[index] for row in detail.witnesses]
        title = f"Rejection {item.name} at {share(detail.working_point)} efficiency"
        found = [
            rejection(cell.rejection)
            + ("" if cell.rejection is None else f" ({interval(cell.rejection, 1, 0)})")
            for cell in cells
        ]
        rows.append((title, *found))
    return rows


def _provenance(report: Report) -> Iterator[str]:
    yield "## Provenance"
    yield ""
    yield f"- Model `{report.model.file}`, sha256 `{report.model.sha256}`"
    yield f"- Graph `{report.provenance.graph_sha256 or MISSING}`"
    for command in report.provenance.commands:
        yield f"- Command `{command}`"
    yield "- Versions: " + ", ".join(f"{k} {v}" for k, v in report.versions.items())
