"""Edges that the float model, the quantized one and the firmware keep of the user's graphs."""

from __future__ import annotations

from trigger_ml.artifacts import EdgeLabels, Run, Verdict
from trigger_ml.check.edge_results import EdgeComparison
from trigger_ml.check.edges import compare_edges
from trigger_ml.design import Design, PhysicsFindings, SourceCheck
from trigger_ml.measure_masks import marked_cells
from trigger_ml.simulate.vectors import EVENTS

__all__ = ["edge_decisions", "judge_edges"]


def judge_edges(
    design: Design, labels: EdgeLabels, source: SourceCheck, graph: Run
) -> EdgeComparison:
    """Every witness on the labelled edges, kept as cells of a mask are marked.

    graph: what the firmware's graph gives. ROC curves and the best threshold need logits: those
    of the firmware are the ones that its threshold cuts.
    """
    rows, shape = design.vectors.rows(EVENTS), labels.true.shape
    marked = marked_cells(design, shape, labels.float_threshold, source, graph)
    kind = design.network.output_nodes[0].type
    logits = {
        "quantized": source.logits[rows].reshape(shape),
        "firmware": kind.decode(source.graph_run.codes[rows]).reshape(shape),
    }
    if design.float_scores is not None:
        logits["float"] = design.float_scores.reshape(shape)
    return compare_edges(
        marked.cells,
        logits,
        labels,
        threshold=marked.threshold,
        float_threshold=marked.float_threshold,
        seed=design.vectors.seed,
    )


def edge_decisions(found: PhysicsFindings | None, source: SourceCheck) -> tuple[Verdict, ...]:
    """Whether the firmware keeps the candidates that the quantized model keeps, and any at all.

    Differences are a failure only where the two have the same logits: elsewhere their own verdict
    fails, or the source's arithmetic is known not to be exact.
    """
    if not isinstance(found, EdgeComparison):
        return ()
    flips, firmware = found.flipped("quantized", "firmware"), found.of("firmware")
    assert flips is not None and firmware is not None
    if not firmware.figures.purity.total:
        text = (
            f"the firmware keeps none of {found.candidates:,} candidate edges at the threshold "
            f"{found.threshold:g}, so there is no purity; the best one is "
            f"{firmware.best.threshold:g}"
        )
        return (Verdict("edges", False, text),)
    text = (
        f"{flips.edges.passed:,} of {found.candidates:,} candidate edges are decided differently "
        "by the quantized model and the firmware"
    )
    return (Verdict("edges", not flips.edges.passed or not source.comparison.exact, text),)
