"""Two ways to cut an event into sectors.

* :class:`Directions`: an edge goes where it points: cells of azimuth and pseudorapidity of the
  edge itself, as in a Hough transform, so that a track's edges come together. One cell is a
  sector.
* :class:`Azimuths`: a hit goes into the cell of its azimuth, or beside it where that one is full,
  and edges reach into the neighbouring cells. A sector is a strip of cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.tasks.tracks.detector import LAYERS
from trigger_ml.tasks.tracks.graphs import HitGraph, cot_theta, phi_slope
from trigger_ml.tasks.tracks.hits import wrapped
from trigger_ml.tasks.tracks.sectors import (
    EDGES_TRUNCATED,
    NODES_TRUNCATED,
    Placement,
    SectorShape,
)

__all__ = ["Azimuths", "Directions"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Directions:
    """One cell for each direction of an edge: azimuth where its line crosses a radius, and
    pseudorapidity. Sectors without an edge are left out.

    phi_cells: of the full turn. eta_cells: up to ``eta_max`` at both sides; beyond it edges go
    into the last ones. radius_mm: tracks bend, and there their edges agree best.
    """

    slots: int = 3
    phi_cells: int = 256
    eta_cells: int = 24
    eta_max: float = 3.0
    radius_mm: float = 150.0

    @property
    def shape(self) -> SectorShape:
        """One cell, no neighbours."""
        return SectorShape(1, self.slots, 0)

    def place(self, graph: HitGraph) -> Placement:
        """An edge is owned by the sector of its direction, and seen by all that have its hits."""
        cell, middle = self._cells(graph)
        known, number = np.unique(cell, return_inverse=True)
        count = max(graph.nodes, 1)
        ends = [number * count + graph.senders, number * count + graph.receivers]
        places = np.unique(np.concatenate(ends))
        sector, hit = places // count, places % count
        # Azimuth within the cell, so that no order depends on where the turn begins.
        centre = np.zeros(len(known))
        centre[number] = middle
        within = wrapped(graph.phi[hit] - centre[sector])
        slot = _ranks(sector * LAYERS + graph.layer[hit], within, graph.z[hit])
        here, edge, inner, outer = _edges_between(graph, sector, hit)
        kept = (slot[inner] < self.slots) & (slot[outer] < self.slots)
        here, edge, inner, outer = here[kept], edge[kept], slot[inner[kept]], slot[outer[kept]]
        flags = np.zeros(len(known), np.uint8)
        flags[sector[slot >= self.slots]] = NODES_TRUNCATED
        none = np.zeros(len(edge), np.int64)
        return _placement(
            self.shape, graph, edge, here, none, (inner, none, outer), number[edge] == here, flags,
            (len(hit), int((slot >= self.slots).sum())),
        )  # fmt: skip

    def _cells(self, graph: HitGraph) -> tuple[Ints, NDArray[np.float64]]:
        """Number of each edge's cell, and the azimuth of its middle."""
        run = self.radius_mm - graph.r[graph.senders].astype(np.float64)
        phi = wrapped(graph.phi[graph.senders] + phi_slope(graph) * run)
        turn = 2 * np.pi / self.phi_cells
        column = np.floor((phi + np.pi) / turn).astype(np.int64) % self.phi_cells
        share = (np.arcsinh(cot_theta(graph)) / self.eta_max + 1) / 2
        row = np.clip(np.floor(share * self.eta_cells), 0, self.eta_cells - 1).astype(np.int64)
        middle = (column.astype(np.float64) + 0.5) * turn - np.pi
        return np.asarray(column * self.eta_cells + row), np.asarray(middle)


@dataclass(frozen=True)
class Azimuths:
    """Strips of cells in azimuth, for hits ahead of the middle plane and behind it.

    phi_cells: of the full turn. own: cells of a sector whose edges it judges; ``reach`` more at
    both its ends are there for context, and so are hits up to ``margin_mm`` beyond the middle
    plane. ``own`` must divide ``phi_cells``. An edge belongs where its inner hit is.

    A hit whose cell is full moves to a neighbouring one that has a slot left: at the lower end
    of the azimuth down, at the upper end up. In jets that keeps four of five hits that would
    else be dropped.
    """

    slots: int = 3
    reach: int = 1
    phi_cells: int = 128
    own: int = 16
    margin_mm: float = 60.0

    def __post_init__(self) -> None:
        if self.own < 1 or self.phi_cells % self.own or self.own + 2 * self.reach > self.phi_cells:
            what = f"{self.own} own cells do not divide a turn of {self.phi_cells}"
            fix = "choose a divisor that leaves room for the cells beside"
            raise ConfigError(Blocker("sector.own", what, fix))

    @property
    def shape(self) -> SectorShape:
        """Own cells and those beside."""
        return SectorShape(self.own + 2 * self.reach, self.slots, self.reach)

    @property
    def sectors(self) -> int:
        """Of an event: first those of the hits behind the middle plane (z below 0)."""
        return 2 * self.phi_cells // self.own

    def place(self, graph: HitGraph) -> Placement:
        """Every edge is owned by one sector, where there are slots for it."""
        parts = [self._place_side(graph, side) for side in (0, 1)]
        names = (
            "edge", "sector", "column", "row", "sender", "receiver", "step", "owned", "flags",
        )  # fmt: skip
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in names
        }
        counts = {
            name: sum(getattr(part, name) for part in parts)
            for name in ("sectors", "hits", "hits_dropped")
        }
        return Placement(self.shape, **joined, **counts)

    def _place_side(self, graph: HitGraph, side: int) -> Placement:
        ahead = graph.z if side else -graph.z
        cell, slot, centre = self._slots(graph, np.flatnonzero(ahead > -self.margin_mm))
        belongs = (graph.z[graph.senders] >= 0) == bool(side)
        inner, outer = cell[graph.senders], cell[graph.receivers]
        half = self.phi_cells // 2
        away = (outer - inner + half) % self.phi_cells - half
        here = (slot[graph.senders] < self.slots) & (slot[graph.receivers] < self.slots)
        fits = np.abs(away) <= self.reach
        count = self.phi_cells // self.own
        flags = np.zeros(2 * count, np.uint8)
        home = np.flatnonzero(ahead > -self.margin_mm)
        dropped = home[slot[home] >= self.slots]
        flags[side * count + centre[dropped] // self.own] |= NODES_TRUNCATED
        flags[side * count + inner[here & belongs & ~fits] // self.own] |= EDGES_TRUNCATED
        found = []
        for number in range(count):
            column = (inner - number * self.own + self.reach) % self.phi_cells
            end = (column + away >= 0) & (column + away < self.shape.cells)
            kept = np.flatnonzero(here & fits & end & (column < self.shape.cells))
            found.append((kept, np.full(len(kept), side * count + number), column[kept]))
        kept, sector, column = (np.concatenate(part) for part in zip(*found, strict=True))
        beyond = (column < self.reach) | (column >= self.reach + self.own)
        return _placement(
            self.shape, graph, kept, sector, column,
            (slot[graph.senders[kept]], away[kept], slot[graph.receivers[kept]]),
            belongs[kept] & ~beyond, flags[side * count : (side + 1) * count],
            (len(home), len(dropped)),
        )  # fmt: skip

    def _slots(self, graph: HitGraph, hits: Ints) -> tuple[Ints, Ints, Ints]:
        """Cell and slot of every hit (slot: ``slots`` or more where there is none), and the
        cell of its azimuth."""
        turn = 2 * np.pi / self.phi_cells
        phi = np.asarray(graph.phi, np.float64)
        centre = np.floor((phi + np.pi) / turn).astype(np.int64) % self.phi_cells
        cell = centre.copy()
        for layer in range(LAYERS):
            rows = hits[graph.layer[hits] == layer]
            rows = rows[np.lexsort((graph.z[rows], phi[rows]))]
            cell[rows] = self._moved(cell[rows])
        within = wrapped(phi - ((cell + 0.5) * turn - np.pi))
        slot = np.full(graph.nodes, self.slots)
        key = cell[hits] * LAYERS + graph.layer[hits]
        slot[hits] = _ranks(key, within[hits], graph.z[hits])
        return cell, slot, centre

    def _moved(self, cell: Ints) -> Ints:
        """Cells of one layer's hits, in order of azimuth, after full ones gave some away."""
        moved, taken = cell.copy(), np.bincount(cell, minlength=self.phi_cells)
        for full in np.flatnonzero(taken > self.slots):
            rows = np.flatnonzero(moved == full)
            # A cell that took hits from the one below has those first, and keeps its order.
            below, above = (full - 1) % self.phi_cells, (full + 1) % self.phi_cells
            over = len(rows) - self.slots
            room_below, room_above = (max(self.slots - int(taken[k]), 0) for k in (below, above))
            down = min(room_below, (over + 1) // 2)
            up = min(room_above, over - down)
            down = min(room_below, over - up)
            moved[rows[:down]] = below
            moved[rows[len(rows) - up :]] = above
            for place, change in ((below, down), (above, up), (full, -down - up)):
                taken[place] += change
        return moved


def _placement(
    shape: SectorShape,
    graph: HitGraph,
    edge: Ints,
    sector: Ints,
    cell: Ints,
    place: tuple[Ints, Ints, Ints],
    owned: Bools,
    flags: NDArray[np.uint8],
    hits: tuple[int, int],
) -> Placement:
    """place: slot of the inner hit, cells away, slot of the outer hit."""
    inner, away, outer = place
    gap = graph.layer[graph.senders[edge]].astype(np.int64)
    return Placement(
        shape, len(flags), edge, sector, cell * shape.layers + gap, shape.row(*place),
        inner, outer, shape.step(away), owned, flags, *hits,
    )  # fmt: skip


def _edges_between(graph: HitGraph, sector: Ints, hit: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Every edge in every sector that has both its hits: sector, edge, and where in ``hit`` its
    two hits are.

    sector, hit: what is where, in order of sector and hit.
    """
    count = max(graph.nodes, 1)
    order = np.argsort(hit, kind="stable")
    first = np.searchsorted(hit[order], graph.senders, "left")
    many = np.searchsorted(hit[order], graph.senders, "right") - first
    edge = np.repeat(np.arange(graph.edges), many)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(many) - many, many)
    inner = order[first[edge] + step]
    places, sought = sector * count + hit, sector[inner] * count + graph.receivers[edge]
    outer = np.minimum(np.searchsorted(places, sought), len(places) - 1)
    found = places[outer] == sought
    return sector[inner[found]], edge[found], inner[found], outer[found]


def _ranks(group: Ints, *order: NDArray[np.generic]) -> Ints:
    """Place of each entry within its group, sorted by ``order``, the first key counting most."""
    rows = np.lexsort((*reversed(order), group))
    first = np.r_[True, np.diff(group[rows]) != 0] if len(rows) else np.zeros(0, np.bool_)
    start = np.flatnonzero(first)
    ranks = np.empty(len(rows), np.int64)
    ranks[rows] = np.arange(len(rows)) - np.repeat(start, np.diff(np.r_[start, len(rows)]))
    return ranks
