"""Events as lists of edges, cut into sectors: what the training process takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.tasks.tracks.graphs import HitGraph
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.sector_images import edge_features
from trigger_ml.tasks.tracks.sectors import EDGES_TRUNCATED, NODES_TRUNCATED, Cut

__all__ = ["EdgeLists", "Lost", "edge_lists"]


@dataclass(frozen=True, slots=True)
class EdgeLists:
    """Placed edges of many events, one after the other.

    x: (edges, features). senders, receivers: numbers of the nodes within the event. true, owned:
    (edges,). edge: its row in the event's hit graph. starts: (events + 1,), first edge of each
    event. nodes: (events,), how many each has.
    """

    x: NDArray[np.float32]
    senders: NDArray[np.int32]
    receivers: NDArray[np.int32]
    true: NDArray[np.bool_]
    owned: NDArray[np.bool_]
    edge: NDArray[np.int32]
    starts: NDArray[np.int64]
    nodes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def event(self) -> NDArray[np.int64]:
        """Number of each edge's event."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def rows(self, events: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Edges of some events, and what to add to their nodes' numbers so that all differ."""
        spans = [np.arange(self.starts[event], self.starts[event + 1]) for event in events]
        before = np.cumsum(self.nodes[events]) - self.nodes[events]
        return np.concatenate(spans), np.repeat(before, [len(span) for span in spans])

    def save(self, path: Path) -> None:
        """Write it, for :meth:`load`."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        np.savez(path, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> EdgeLists:
        """What :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Lost:
    """What cutting into sectors loses, summed over events.

    sectors, nodes_truncated, edges_truncated: how many, and how many with each flag. hits,
    hits_dropped: places of hits in sectors. candidates, true: edges of the hit graphs;
    candidates_lost, true_lost: those that no sector judges.
    """

    sectors: int = 0
    nodes_truncated: int = 0
    edges_truncated: int = 0
    hits: int = 0
    hits_dropped: int = 0
    candidates: int = 0
    candidates_lost: int = 0
    true: int = 0
    true_lost: int = 0

    def __add__(self, other: Lost) -> Lost:
        pairs = ((getattr(self, item.name), getattr(other, item.name)) for item in fields(self))
        return Lost(*(left + right for left, right in pairs))


def edge_lists(graphs: Sequence[HitGraph], cut: Cut, cuts: Cuts) -> tuple[EdgeLists, Lost]:
    """Cut graphs into sectors. cuts: what the graphs were made with."""
    parts: list[tuple[Any, ...]] = []
    lost = Lost()
    for graph in graphs:
        placed = cut.place(graph)
        senders, receivers, nodes = placed.nodes
        edge, owned = placed.edge, placed.owned
        true = int(graph.truth.sum())
        lost += Lost(
            placed.sectors, placed.flagged(NODES_TRUNCATED), placed.flagged(EDGES_TRUNCATED),
            placed.hits, placed.hits_dropped, graph.edges, graph.edges - int(owned.sum()),
            true, true - int(graph.truth[edge[owned]].sum()),
        )  # fmt: skip
        x = edge_features(graph, cuts)[edge]
        parts.append((x, senders, receivers, graph.truth[edge], owned, edge, nodes))
    columns = [_joined(part[index] for part in parts) for index in range(6)]
    x, senders, receivers, true_edges, owned, edge = columns
    starts = np.cumsum([0, *(len(part[5]) for part in parts)])
    return EdgeLists(
        x, senders.astype(np.int32), receivers.astype(np.int32), true_edges, owned,
        edge.astype(np.int32), starts, np.array([part[6] for part in parts], np.int64),
    ), lost  # fmt: skip


def _joined(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(list(parts))
