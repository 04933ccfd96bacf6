"""Sectors: pieces of a hit graph as images, so that a convolution can judge its edges.

Every (layer, slot) of a cell is a node, and every pair of slots in adjacent layers that may be
connected is an edge: a column of the image is a cell, a row an edge slot. Which slots are
connected is fixed; an event decides only which of them are filled. A firmware that had to look up
the connections of each event cost two and a half times as many LUTs.

How an event is cut into them: :mod:`trigger_ml.tasks.tracks.sector_cuts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.tasks.tracks.detector import LAYERS
from trigger_ml.tasks.tracks.graphs import HitGraph

__all__ = [
    "EDGES_TRUNCATED",
    "NODES_TRUNCATED",
    "Cut",
    "Mixes",
    "Placement",
    "SectorShape",
]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NODES_TRUNCATED: Final = 1
"""Flag of a sector that had more hits in a cell than slots."""
EDGES_TRUNCATED: Final = 2
"""Flag of a sector where an edge has both hits, and no slot for itself."""
MOST_EDGES: Final = 2_000
"""Edge slots of a column: far beyond what a firmware can hold."""


@dataclass(frozen=True, slots=True)
class Mixes:
    """Kernels of zeros and ones that move features between edge slots and nodes of columns.

    Each (1, columns, from, to), the column itself in the middle. entering, leaving: from edges to
    the node that receives, or sends them. sender, receiver: from nodes to the edges.
    """

    entering: NDArray[np.float32]
    leaving: NDArray[np.float32]
    sender: NDArray[np.float32]
    receiver: NDArray[np.float32]


@dataclass(frozen=True)
class SectorShape:
    """What a sector can hold.

    cells: of the detector. slots: hits of one layer in one cell. reach: how many cells to either
    side an edge's outer hit may be.

    A column of the image is one layer of one cell, ``cell * layers + layer``: one kernel for an
    edge and one for a node then do every layer in turn, and how many columns a clock brings is
    how many of them stand there. A hit is row ``slot`` of its column. The edge from slot ``a`` of
    a column to slot ``b`` of the next layer, ``d`` cells further, is row
    ``(a * (2 * reach + 1) + d + reach) * slots + b`` of the column of its inner hit. Edge slots
    of the last layer are never filled.

    Raises ConfigError for sizes below the least, and beyond MOST_EDGES.
    """

    cells: int
    slots: int
    reach: int
    layers: int = LAYERS

    def __post_init__(self) -> None:
        least = {"cells": 1, "slots": 1, "reach": 0, "layers": 2}
        found = [
            Blocker(f"sector.{name}", f"must be {low} or more, found {getattr(self, name)}")
            for name, low in least.items()
            if getattr(self, name) < low
        ]
        if not found and self.edge_rows > MOST_EDGES:
            what = f"a column would have {self.edge_rows:,} edge slots, more than {MOST_EDGES:,}"
            found = [Blocker("sector", what, "lower slots or reach")]
        if found:
            raise ConfigError(found)

    @property
    def columns(self) -> int:
        """Of the image."""
        return self.cells * self.layers

    @property
    def node_rows(self) -> int:
        """Nodes of a column."""
        return self.slots

    @property
    def edge_rows(self) -> int:
        """Edge slots of a column."""
        return self.slots * self.slots * self.spread

    @property
    def nodes(self) -> int:
        """Of the sector."""
        return self.columns * self.node_rows

    @property
    def edges(self) -> int:
        """Edge slots of the sector that an edge can fill."""
        return self.cells * (self.layers - 1) * self.edge_rows

    @property
    def spread(self) -> int:
        """Cells that the outer hits of a cell's edges are in."""
        return 2 * self.reach + 1

    def row(self, sender: Ints, away: Ints, receiver: Ints) -> Ints:
        """Rows of edge slots; sender and receiver are slots, away in cells."""
        return np.asarray((sender * self.spread + away + self.reach) * self.slots + receiver)

    def step(self, away: Ints) -> Ints:
        """Columns from an edge's inner hit to its outer one, so many cells away."""
        return np.asarray(away * self.layers + 1)

    def edge_slots(self) -> tuple[Ints, Ints, Ints]:
        """Of every row: slot of the inner hit, cells away, slot of the outer hit."""
        sizes = (self.slots, self.spread, self.slots)
        sender, away, receiver = (part.ravel() for part in np.indices(sizes))
        return sender, away - self.reach, receiver

    def mixes(self) -> Mixes:
        """The connections as kernels of convolutions along the columns, padding ``same``."""
        sender, away, receiver = self.edge_slots()
        edge, step = np.arange(self.edge_rows), self.step(away)
        middle = int(np.abs(step).max())
        to_edges = (1, 2 * middle + 1, self.node_rows, self.edge_rows)
        to_nodes = (1, 2 * middle + 1, self.edge_rows, self.node_rows)
        mixes = Mixes(*(np.zeros(size, np.float32) for size in (*[to_nodes] * 2, *[to_edges] * 2)))
        mixes.leaving[0, middle, edge, sender] = 1
        # What enters a column comes from the one that is as far away on the other side.
        mixes.entering[0, middle - step, edge, receiver] = 1
        mixes.sender[0, middle, sender, edge] = 1
        mixes.receiver[0, middle + step, receiver, edge] = 1
        return mixes


@dataclass(frozen=True)
class Placement:
    """Where the edges of one event are; an edge may be in several sectors.

    sectors: how many. edge: row in the hit graph. sector, column, row: its place. sender,
    receiver: rows of its nodes within their columns. step: columns from the inner hit's to the
    outer one's. owned: this sector judges the edge; others see it because it touches theirs. All
    (placed,). flags: (sectors,), sums of NODES_TRUNCATED and EDGES_TRUNCATED.
    hits, hits_dropped: summed over the sectors.
    """

    shape: SectorShape
    sectors: int
    edge: Ints
    sector: Ints
    column: Ints
    row: Ints
    sender: Ints
    receiver: Ints
    step: Ints
    owned: Bools
    flags: NDArray[np.uint8]
    hits: int
    hits_dropped: int

    def flagged(self, flag: int) -> int:
        """How many sectors have a flag."""
        return int((self.flags & flag != 0).sum())

    @cached_property
    def nodes(self) -> tuple[Ints, Ints, int]:
        """Numbers of the inner and the outer node of each placed edge, and how many there are."""
        first = (self.sector * self.shape.columns + self.column) * self.shape.node_rows
        ends = np.concatenate(
            [first + self.sender, first + self.step * self.shape.node_rows + self.receiver]
        )
        known, number = np.unique(ends, return_inverse=True)
        return number[: len(self.edge)], number[len(self.edge) :], len(known)


class Cut(Protocol):
    """A way to cut an event into sectors."""

    @property
    def shape(self) -> SectorShape:
        """Of every sector."""

    def place(self, graph: HitGraph) -> Placement:
        """Find a place for every edge, or none where there is no slot."""
