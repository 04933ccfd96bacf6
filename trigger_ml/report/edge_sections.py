"""Sections of report.json that only networks on edges of graphs have."""

from __future__ import annotations

from typing import Literal

from trigger_ml.report.base import Section
from trigger_ml.report.image_sections import ShareRow

__all__ = [
    "EdgeBin",
    "EdgeChange",
    "EdgeDetail",
    "EdgeFigures",
    "EdgeFlips",
    "EdgeRoc",
    "EdgeWitness",
    "RocArea",
    "Truncation",
]


class EdgeFigures(Section):
    """Figures of candidates that are kept where their logit reaches ``threshold``."""

    threshold: float
    purity: ShareRow
    efficiency: ShareRow
    accuracy: ShareRow


class EdgeBin(Section):
    """Efficiency, and purity where it can be told, where a quantity lies in [low, high)."""

    low: float
    high: float
    efficiency: ShareRow
    purity: ShareRow | None


class RocArea(Section):
    """Area under a ROC curve with its interval."""

    value: float
    low: float
    high: float


class EdgeRoc(Section):
    """A ROC curve. fakes: share of the candidates that are not true that are kept."""

    auc: RocArea
    efficiency: tuple[float, ...]
    fakes: tuple[float, ...]


class EdgeWitness(Section):
    """One witness: "float", "quantized" or "firmware".

    figures: at the threshold in use; best: at the one with the highest accuracy on these edges.
    bins: by "pt" or "eta".
    """

    witness: str
    figures: EdgeFigures
    best: EdgeFigures
    roc: EdgeRoc | None
    bins: dict[str, tuple[EdgeBin, ...]]


class EdgeFlips(Section):
    """Share of the candidates that two witnesses decide differently, and the images with one."""

    left: str
    right: str
    edges: ShareRow
    images: int


class EdgeChange(Section):
    """A metric of right minus that of left, on the same edges."""

    metric: Literal["purity", "efficiency", "accuracy"]
    left: str
    right: str
    value: float
    low: float
    high: float


class Truncation(Section):
    """Images whose graph did not fit: nodes, edges, or any of the two were left out."""

    nodes: ShareRow
    edges: ShareRow
    any: ShareRow


class EdgeDetail(Section):
    """Everything the comparison of edges found, as ``trigger_ml.check.edges`` tells it.

    shape: height and width of an image, each cell a slot for one edge. candidates, true: edges
    of all images. threshold: an edge is kept where its logit reaches it.
    """

    kind: Literal["edge"]
    shape: tuple[int, int]
    images: int
    candidates: int
    true: int
    level: float
    threshold: float
    float_threshold: float
    resamples: int
    seed: int
    truncated: Truncation | None
    witnesses: tuple[EdgeWitness, ...]
    flips: tuple[EdgeFlips, ...]
    changes: tuple[EdgeChange, ...]

    def of(self, witness: str) -> EdgeWitness | None:
        """Figures of a witness, or None."""
        return next((row for row in self.witnesses if row.witness == witness), None)

    def change(self, metric: str, left: str, right: str) -> EdgeChange | None:
        """A change between two witnesses, or None."""
        wanted = (metric, left, right)
        return next((c for c in self.changes if (c.metric, c.left, c.right) == wanted), None)
