"""Masks that the float model, the quantized one and the firmware lay over the user's images."""

from __future__ import annotations

from dataclasses import dataclass
from math import ldexp

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import MaskLabels, Run, Verdict
from trigger_ml.check.masks import MaskComparison, ShownImage, compare_masks, show_image
from trigger_ml.design import Design, PhysicsFindings, SourceCheck
from trigger_ml.event_masks import Grid
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.operations import Threshold
from trigger_ml.simulate.vectors import EVENTS

__all__ = ["Marked", "judge_masks", "marked_cells", "mask_decisions", "mask_grid"]


def mask_grid(network: FixedGraph) -> Grid | None:
    """Height and width of the mask of a network with one logit for each cell; None for others."""
    shapes = [node.shape for node in network.output_nodes]
    if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][2] == 1:
        return shapes[0][0], shapes[0][1]
    return None


@dataclass(frozen=True, slots=True)
class Marked:
    """What every witness marks, by witness. cells: (images, height, width) each.

    threshold: a cell is marked where its logit reaches it; float_threshold: likewise, of the
    float model.
    """

    cells: dict[str, NDArray[np.bool_]]
    threshold: float
    float_threshold: float


def marked_cells(
    design: Design,
    shape: tuple[int, ...],
    float_threshold: float | None,
    source: SourceCheck,
    graph: Run,
) -> Marked:
    """The cells that every witness marks in images of a shape (images, height, width).

    A cell is marked where its logit reaches ``firmware.threshold``, whatever the firmware's
    output is; the float model has a threshold of its own where the events say so. graph: what the
    firmware's graph gives.
    """
    rows = design.vectors.rows(EVENTS)
    node = design.firmware.output_nodes[0]
    # The firmware's threshold is rounded to its own grid; every witness is cut at the same one.
    cut = design.config.firmware.threshold
    if isinstance(node.operation, Threshold):
        cut = ldexp(node.operation.threshold, -node.operation.fraction)
        firmware = graph.codes[rows].reshape(shape) != 0
    else:
        kind = design.network.output_nodes[0].type
        firmware = kind.decode(source.graph_run.codes[rows]).reshape(shape) >= cut
    cells = {"quantized": source.logits[rows].reshape(shape) >= cut, "firmware": firmware}
    float_cut = cut if float_threshold is None else float_threshold
    if design.float_scores is not None:
        cells = {"float": design.float_scores.reshape(shape) >= float_cut, **cells}
    return Marked(cells, cut, float_cut)


def judge_masks(
    design: Design, labels: MaskLabels, source: SourceCheck, graph: Run
) -> MaskComparison:
    """Every witness on the labelled images. graph: what the firmware's graph gives."""
    marked = marked_cells(design, labels.true.shape, labels.float_threshold, source, graph)
    return compare_masks(
        marked.cells,
        labels,
        threshold=marked.threshold,
        float_threshold=marked.float_threshold,
        event=_shown(design, labels, marked.cells["firmware"]),
    )


def mask_decisions(found: PhysicsFindings | None, source: SourceCheck) -> tuple[Verdict, ...]:
    """Whether the firmware marks the cells that the quantized model marks.

    A failure only where the two have the same logits: elsewhere their own verdict fails, or the
    source's arithmetic is known not to be exact.
    """
    if not isinstance(found, MaskComparison):
        return ()
    flips = found.flipped("quantized", "firmware")
    assert flips is not None
    images = found.witnesses[0].figures.images
    text = (
        f"{flips.cells:,} cells of {images:,} images are marked differently by the quantized "
        "model and the firmware"
    )
    return (Verdict("masks", flips.cells == 0 or not source.comparison.exact, text),)


def _shown(design: Design, labels: MaskLabels, marked: NDArray[np.bool_]) -> ShownImage | None:
    """The first image with a muon, where the model takes one image that has the mask's cells."""
    inputs = design.network.input_nodes
    has = labels.true.any(axis=(1, 2))
    if len(inputs) != 1 or len(inputs[0].shape) != 3 or not has.any():
        return None
    number = int(has.argmax())
    codes = design.vectors.codes[design.vectors.rows(EVENTS)][number]
    channels = codes.reshape(inputs[0].shape)
    return show_image(number, channels, labels.true[number], marked[number])
