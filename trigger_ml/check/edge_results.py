"""What :mod:`trigger_ml.check.edges` finds, as frozen results with a JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from trigger_ml.check.physics_results import Estimate
from trigger_ml.check.segmentation import Share

__all__ = [
    "EdgeBin",
    "EdgeChange",
    "EdgeComparison",
    "EdgeFigures",
    "EdgeFlips",
    "EdgeRoc",
    "EdgeWitness",
    "Metric",
    "Truncation",
]

Metric = Literal["purity", "efficiency", "accuracy"]
METRICS: Final[tuple[Metric, ...]] = ("purity", "efficiency", "accuracy")


@dataclass(frozen=True, slots=True)
class EdgeFigures:
    """Figures of candidates that are kept where their logit reaches ``threshold``."""

    threshold: float
    purity: Share
    efficiency: Share
    accuracy: Share


@dataclass(frozen=True, slots=True)
class EdgeBin:
    """Efficiency, and purity, where a quantity lies in [low, high). Fakes have no pT of their
    own as a rule: purity is None where any fake candidate does not have the quantity."""

    low: float
    high: float
    efficiency: Share
    purity: Share | None


@dataclass(frozen=True, slots=True)
class EdgeRoc:
    """auc: area under the ROC curve. fakes: share of the candidates that are not true that are
    kept, at each efficiency."""

    auc: Estimate
    efficiency: tuple[float, ...]
    fakes: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class EdgeWitness:
    """One witness: "float", "quantized" or "firmware".

    figures: at the threshold in use. best: at the one with the highest accuracy on these very
    edges. roc: None where all candidates are true. bins: by "pt" (GeV) and "eta".
    """

    witness: str
    figures: EdgeFigures
    best: EdgeFigures
    roc: EdgeRoc | None
    bins: Mapping[str, tuple[EdgeBin, ...]]


@dataclass(frozen=True, slots=True)
class EdgeFlips:
    """Candidates that two witnesses decide differently. images: those in which they do."""

    left: str
    right: str
    edges: Share
    images: int


@dataclass(frozen=True, slots=True)
class EdgeChange:
    """A metric of ``right`` minus that of ``left``, with its 95 % interval."""

    metric: Metric
    left: str
    right: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Truncation:
    """Images whose graph did not fit: nodes, edges, or any of the two were left out."""

    nodes: Share
    edges: Share
    any: Share


@dataclass(frozen=True, slots=True)
class EdgeComparison:
    """What :func:`trigger_ml.check.edges.compare_edges` found.

    shape: height and width of an image. candidates, true: edges of all images. threshold: an
    edge is kept where its logit reaches it; float_threshold: likewise, of the float model.
    truncated: None where the events do not say.
    """

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

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON; ``kind`` tells it from other comparisons."""
        return {"kind": "edge", **asdict(self)}

    def flipped(self, left: str, right: str) -> EdgeFlips | None:
        """What two witnesses decide differently, if both are there."""
        return next((f for f in self.flips if (f.left, f.right) == (left, right)), None)

    def of(self, witness: str) -> EdgeWitness | None:
        """A witness, if it is there."""
        return next((item for item in self.witnesses if item.witness == witness), None)

    def lock_figures(self) -> dict[str, float]:
        """What a lock holds of it, by name; without figures that no edge gives."""
        found: dict[str, float] = {}
        for item in self.witnesses:
            values: dict[str, float | None] = {"auc": item.roc.auc.value if item.roc else None}
            values |= {name: getattr(item.figures, name).value for name in METRICS}
            values |= {f"best {name}": getattr(item.best, name).value for name in METRICS}
            found |= {f"{name} {item.witness}": v for name, v in values.items() if v is not None}
        return found
