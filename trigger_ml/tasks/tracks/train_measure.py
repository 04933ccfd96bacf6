"""What an edge classifier reaches: its edges, and the tracks that a walk along them finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.check.edge_results import EdgeBin, EdgeFigures
from trigger_ml.check.roc import area, rank
from trigger_ml.check.segmentation import Share
from trigger_ml.errors import Blocker, DataError
from trigger_ml.tasks.tracks.graphs import HitGraph
from trigger_ml.tasks.tracks.training_lists import EdgeLists

__all__ = [
    "ETA_BINS",
    "PT_BINS",
    "SAME",
    "TRACK_LAYERS",
    "Answer",
    "NetworkFigures",
    "Owned",
    "TrackFigures",
    "best_threshold",
    "judge",
    "owned",
    "walked",
]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

PT_BINS: Final = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 100.0)
"""GeV."""
ETA_BINS: Final = (-3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
TRACK_LAYERS: Final = 5
"""Least layers with a hit of a particle that is to be found, and of a candidate track."""
SAME: Final = 0.75
"""Least share of a track's hits that are one particle's, and of that particle's in the track."""


@dataclass(frozen=True, slots=True)
class Owned:
    """Edges that some sector judges, each once. event: number of the hit graph; edge: row in it.

    true: one particle made both hits. pt, eta: of that particle, NaN for other edges.
    """

    event: NDArray[np.int64]
    edge: NDArray[np.int64]
    true: Bools
    pt: Floats
    eta: Floats


@dataclass(frozen=True, slots=True)
class TrackFigures:
    """Tracks: groups of hits that kept edges connect, those with hits in at least TRACK_LAYERS
    layers.

    efficiency: share of the particles with hits in at least TRACK_LAYERS layers that a track
    matches: SAME of its hits are the particle's, and SAME of the particle's are in it. fakes:
    share of the tracks without a particle that made SAME of their hits.
    """

    efficiency: Share
    fakes: Share
    pt: tuple[EdgeBin, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer for every edge that is judged, and where to cut it."""

    logits: Floats
    threshold: float


@dataclass(frozen=True, slots=True)
class NetworkFigures:
    """What a network reaches on edges that the sectors judge.

    half: kept where the score is one half or more (logit 0). best: at the threshold that was
    best for the accuracy on the validation events. whole: efficiency at logit 0 of all true
    segments of the hit graphs, those that had no slot among them. auc: area under the ROC curve.
    bins: by "pt" and "eta", at logit 0.
    """

    half: EdgeFigures
    best: EdgeFigures
    whole: Share
    auc: float
    bins: Mapping[str, tuple[EdgeBin, ...]]
    tracks: TrackFigures

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def owned(graphs: Sequence[HitGraph], lists: EdgeLists) -> tuple[Owned, NDArray[np.int64]]:
    """Edges that are judged, and their rows in ``lists``. graphs: what was cut."""
    rows = np.flatnonzero(lists.owned)
    event, edge = lists.event[rows], lists.edge[rows].astype(np.int64)
    pt, eta = np.full((2, len(rows)), np.nan, np.float32)
    ends = np.searchsorted(event, np.arange(len(graphs) + 1))
    for number, graph in enumerate(graphs):
        part = slice(ends[number], ends[number + 1])
        hit, true = graph.receivers[edge[part]], graph.truth[edge[part]]
        pt[part] = np.where(true, graph.pt[hit], np.nan)
        eta[part] = np.where(true, graph.eta[hit], np.nan)
    return Owned(event, edge, lists.true[rows], pt, eta), rows


def best_threshold(true: Bools, logits: Floats) -> float:
    """Where to cut so that most edges are judged rightly: the edges at it or above are kept.

    Raises DataError without edges.
    """
    if not len(true):
        raise DataError(Blocker("edges", "none to choose the threshold on"))
    order = np.argsort(-logits, kind="stable")
    ranked = logits[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    right = np.cumsum(np.where(true[order], 1, -1))[ends]
    return float(ranked[ends[int(right.argmax())]])


def judge(graphs: Sequence[HitGraph], edges: Owned, answer: Answer, lost: int) -> NetworkFigures:
    """Figures of one network. lost: true segments of the graphs that no sector judges."""
    kept = answer.logits >= 0
    half = _figures(0.0, edges.true, kept)
    return NetworkFigures(
        half,
        _figures(answer.threshold, edges.true, answer.logits >= answer.threshold),
        Share.counted(half.efficiency.passed, half.efficiency.total + lost),
        _auc(edges.true, answer.logits),
        {
            "pt": _bins(edges.true, kept, edges.pt, PT_BINS),
            "eta": _bins(edges.true, kept, edges.eta, ETA_BINS),
        },
        walked(graphs, edges, kept),
    )


def _auc(true: Bools, logits: Floats) -> float:
    curve = rank(logits.astype(np.float64), true)
    return area(curve.true_at.astype(np.float64), curve.false_at.astype(np.float64))


def _figures(threshold: float, true: Bools, kept: Bools) -> EdgeFigures:
    found = int((true & kept).sum())
    return EdgeFigures(
        threshold,
        Share.counted(found, int(kept.sum())),
        Share.counted(found, int(true.sum())),
        Share.of(true == kept),
    )


def _bins(
    true: Bools, found: Bools, quantity: Floats, edges: Sequence[float]
) -> tuple[EdgeBin, ...]:
    found_in = []
    for low, high in pairwise(edges):
        inside = true & (quantity >= low) & (quantity < high)
        found_in.append(EdgeBin(low, high, Share.of(found[inside]), None))
    return tuple(found_in)


def walked(graphs: Sequence[HitGraph], edges: Owned, kept: Bools) -> TrackFigures:
    """Walk along kept edges, and compare the groups of hits with the particles."""
    ends = np.searchsorted(edges.event, np.arange(len(graphs) + 1))
    matched, pt, fake = [], [], []
    for number, graph in enumerate(graphs):
        part = slice(ends[number], ends[number + 1])
        found = _match(graph, edges.edge[part][kept[part]])
        matched.append(found[0])
        pt.append(found[1])
        fake.append(found[2])
    good, momentum = np.concatenate(matched), np.concatenate(pt)
    return TrackFigures(
        Share.of(good),
        Share.of(np.concatenate(fake)),
        _bins(np.ones(len(good), np.bool_), good, momentum, PT_BINS),
    )


def _match(graph: HitGraph, edge: NDArray[np.int64]) -> tuple[Bools, Floats, Bools]:
    """Which particles with enough layers are matched, their pT, and which tracks are fake."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = (graph.senders[edge], graph.receivers[edge])
    size = (graph.nodes, graph.nodes)
    links = coo_array((np.ones(len(edge)), ends), shape=size)
    groups, group = connected_components(links, directed=False)
    known, first, particle, made = np.unique(
        graph.particle, return_index=True, return_inverse=True, return_counts=True
    )
    # A particle has at most one hit in a layer, but a group may have more.
    layers = np.unique(group.astype(np.int64) * 256 + graph.layer) // 256
    long = np.bincount(layers, minlength=groups) >= TRACK_LAYERS
    both, shared = np.unique(
        group.astype(np.int64) * max(len(known), 1) + particle, return_counts=True
    )
    of_group, of_particle = both // max(len(known), 1), both % max(len(known), 1)
    pure = shared >= SAME * np.bincount(group, minlength=groups)[of_group]
    pure &= long[of_group]
    matched = np.zeros(len(known), np.bool_)
    matched[of_particle[pure & (shared >= SAME * made[of_particle])]] = True
    real = np.zeros(groups, np.bool_)
    real[of_group[pure]] = True
    enough = made >= TRACK_LAYERS
    return matched[enough], graph.pt[first][enough], ~real[long]
