"""Sectors: shapes, connections and places, against going through them one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from trigger_ml.errors import ConfigError
from trigger_ml.tasks.tracks.graphs import HitGraph, build
from trigger_ml.tasks.tracks.hits import EventHits, wrapped
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.sector_cuts import Azimuths, Directions
from trigger_ml.tasks.tracks.sector_images import FEATURES, SectorImages, edge_features, pack
from trigger_ml.tasks.tracks.sectors import (
    EDGES_TRUNCATED,
    NODES_TRUNCATED,
    Cut,
    Placement,
    SectorShape,
)

Helices = Callable[..., EventHits]
CUTS: tuple[Cut, ...] = (
    Directions(),
    Directions(slots=1, phi_cells=16, eta_cells=2),
    Azimuths(),
    Azimuths(slots=2, reach=2, phi_cells=32, own=8),
    Azimuths(slots=1, reach=0, phi_cells=64, own=64, margin_mm=0.0),
)

ROOMY: tuple[Cut, ...] = (
    Directions(slots=16), Azimuths(slots=12, reach=3, margin_mm=2000.0)
)  # fmt: skip


@pytest.fixture(scope="module")
def graphs(events: list[EventHits], helices: Helices) -> list[HitGraph]:
    jet = helices(
        np.linspace(1, 20, 12), phi=np.linspace(3.1, 3.2, 12), eta=np.linspace(0, 0.3, 12)
    )
    return [build(event, Cuts()) for event in (*events, jet)]


def test_counts_of_both_sectors() -> None:
    small, large = SectorShape(1, 3, 0), SectorShape(16, 3, 1)
    assert (small.nodes, small.edges) == (30, 81)
    assert (large.nodes, large.edges) == (480, 3888)


def test_rows_are_the_order_of_the_edge_slots() -> None:
    shape = SectorShape(2, 3, 1, layers=4)
    slots = shape.edge_slots()
    assert np.array_equal(shape.row(*slots), np.arange(shape.edge_rows))
    assert [int(part[7]) for part in slots] == [0, 1, 1], "row 7: slot 0 to slot 1, next cell"
    assert shape.step(np.array([-1, 0, 1])).tolist() == [-3, 1, 5]


@pytest.mark.parametrize("shape", [SectorShape(1, 2, 0, 3), SectorShape(5, 2, 2, 4)], ids=str)
def test_mixes_move_features_as_the_slots_say(shape: SectorShape) -> None:
    rng = np.random.default_rng(1)
    cells, layers = shape.cells, shape.layers
    nodes = rng.integers(1, 99, (cells, layers, shape.node_rows))
    edges = rng.integers(1, 99, (cells, layers, shape.edge_rows))
    edges[:, -1] = 0
    sender, receiver = np.zeros_like(edges), np.zeros_like(edges)
    entering, leaving = np.zeros_like(nodes), np.zeros_like(nodes)
    for row, (a, away, b) in enumerate(zip(*shape.edge_slots(), strict=True)):
        for cell, gap in np.ndindex(cells, layers - 1):
            sender[cell, gap, row] = nodes[cell, gap, a]
            leaving[cell, gap, a] += edges[cell, gap, row]
            if 0 <= cell + away < cells:
                receiver[cell, gap, row] = nodes[cell + away, gap + 1, b]
                entering[cell + away, gap + 1, b] += edges[cell, gap, row]
    mixes = shape.mixes()
    for found, wanted in (
        (along(nodes, mixes.sender), sender),
        (along(edges, mixes.entering), entering),
        (along(edges, mixes.leaving), leaving),
    ):
        inside = slice(layers - 1) if found.shape == edges.shape else slice(layers)
        assert np.array_equal(found[:, inside], wanted[:, inside])
    # An edge that leaves the sector has no slot filled; what it would gather does not matter.
    within = np.zeros(edges.shape, bool)
    for row, away in enumerate(shape.edge_slots()[1]):
        within[max(0, -away) : cells - max(0, away), :-1, row] = True
    assert np.array_equal(along(nodes, mixes.receiver)[within], receiver[within])


def along(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A convolution along the layers of all cells that keeps their number."""
    cells, layers, rows = values.shape
    values = values.reshape(cells * layers, rows)
    wide = kernel.shape[1]
    padded = np.pad(values, ((wide // 2, wide // 2), (0, 0)))
    made = sum(padded[k : k + len(values)] @ kernel[0, k] for k in range(wide))
    return np.asarray(made).reshape(cells, layers, -1)


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_places_are_sound(graphs: list[HitGraph], cut: Cut) -> None:
    for graph in graphs:
        placed = cut.place(graph)
        shape = cut.shape
        place = list(zip(placed.sector, placed.column, placed.row, strict=True))
        assert len(set(place)) == len(place), "one edge for each slot"
        own = placed.edge[placed.owned]
        assert len(np.unique(own)) == len(own), "one judge for each edge"
        assert np.all((placed.column >= 0) & (placed.column < shape.columns))
        a, away, b = (part[placed.row] for part in shape.edge_slots())
        inner = graph.layer[graph.senders[placed.edge]]
        assert np.array_equal(placed.column % shape.layers, inner)
        assert np.array_equal(shape.step(away), placed.step)
        assert_nodes_are_hits(graph, placed, (a, b))
        assert len(placed.flags) == placed.sectors


def assert_nodes_are_hits(
    graph: HitGraph, placed: Placement, rows: tuple[np.ndarray, np.ndarray]
) -> None:
    """A place of a sector is one hit, and a hit has one place there; ``nodes`` numbers them."""
    hits = np.concatenate([graph.senders[placed.edge], graph.receivers[placed.edge]])
    sector = np.tile(placed.sector, 2)
    column = np.concatenate([placed.column, placed.column + placed.step])
    assert np.all((column >= 0) & (column < placed.shape.columns))
    hit = np.concatenate([graph.senders[placed.edge], graph.receivers[placed.edge]])
    assert np.array_equal(column % placed.shape.layers, graph.layer[hit])
    row = np.concatenate(rows)
    found = set(zip(sector, column, row, hits, strict=True))
    assert len({item[:3] for item in found}) == len(found)
    assert len({(item[0], item[3]) for item in found}) == len(found)
    senders, receivers, count = placed.nodes
    numbers = set(zip(sector, hits, np.concatenate([senders, receivers]), strict=True))
    assert count == len(found) == len(numbers) == len({item[2] for item in numbers})


@pytest.mark.parametrize("cut", ROOMY, ids=str)
def test_nothing_is_lost_where_there_is_room(graphs: list[HitGraph], cut: Cut) -> None:
    for graph in graphs:
        placed = cut.place(graph)
        assert np.array_equal(np.sort(placed.edge[placed.owned]), np.arange(graph.edges))
        assert not placed.flags.any() and placed.hits_dropped == 0


def turned(event: EventHits, angle: float) -> EventHits:
    return replace(event, phi=wrapped(event.phi + angle).astype(np.float32))


@pytest.mark.parametrize(("cut", "cells"), [(Directions(), 256), (Azimuths(), 8)], ids=str)
def test_the_turn_begins_nowhere(events: list[EventHits], cut: Cut, cells: int) -> None:
    """Turned by whole sectors, the same edges are kept, in sectors that look the same."""
    event = events[3]
    before, after = (
        build(item, Cuts()) for item in (event, turned(event, 2 * np.pi * (cells // 8 + 1) / cells))
    )
    looks = [
        sorted(
            sorted(zip(placed.column[here], placed.row[here], strict=True))
            for here in (placed.sector == number for number in range(placed.sectors))
        )
        for placed in map(cut.place, (before, after))
    ]
    assert looks[0] == looks[1]


def crowd(helices: Helices, count: int, width: float) -> HitGraph:
    """Straight tracks side by side in the middle of a cell, ahead of the middle plane."""
    middle = np.pi / 128
    phi = middle + np.linspace(-width, width, count)
    return build(helices(np.full(count, 500.0), phi=phi, eta=2.0), Cuts())


def test_a_full_cell_gives_hits_to_its_neighbours(helices: Helices) -> None:
    graph = crowd(helices, 7, 0.01)
    placed = Azimuths().place(graph)
    assert placed.hits_dropped == 0, "three here, two below, two above"
    assert not placed.flags[:8].any() and (placed.flags == NODES_TRUNCATED).sum() == 0
    kept = placed.edge[placed.owned]
    own = graph.particle[graph.senders] == graph.particle[graph.receivers]
    assert own[kept].sum() == own.sum() == 63


def test_too_many_hits_are_dropped_and_flagged(helices: Helices) -> None:
    graph = crowd(helices, 12, 0.01)
    placed = Azimuths().place(graph)
    assert (placed.hits, placed.hits_dropped) == (120, 30), "nine hits of twelve have a slot"
    assert (placed.flags & NODES_TRUNCATED).sum() == 1
    placed = Directions().place(graph)
    assert placed.hits_dropped > 0 and (placed.flags & NODES_TRUNCATED).any()
    assert len(placed.edge) < graph.edges


def test_edges_beyond_the_reach_are_flagged(helices: Helices) -> None:
    graph = build(helices(1.0, phi=0.6, eta=0.2), Cuts())
    placed = Azimuths(reach=0).place(graph)
    assert 0 < len(placed.edge) < 9 and placed.hits_dropped == 0
    assert (placed.flags == EDGES_TRUNCATED).any() and not (placed.flags & NODES_TRUNCATED).any()


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_images_hold_the_placed_edges(graphs: list[HitGraph], cut: Cut) -> None:
    for number, graph in enumerate(graphs):
        placed = cut.place(graph)
        found = pack(graph, placed, Cuts(), number)
        shape = cut.shape
        assert found.x.shape == (placed.sectors, shape.edge_rows, shape.columns, len(FEATURES))
        assert (found.x[..., 0] == 1).sum() == len(placed.edge)
        assert not found.x[found.x[..., 0] == 0].any(), "padding is zero"
        assert np.abs(found.x).max(initial=0) <= 1
        assert found.candidates.sum() == placed.owned.sum()
        assert np.array_equal(found.inner >= 0, found.x[..., 0] == 1)
        assert not (found.y.astype(bool) & ~found.candidates).any()
        place = np.nonzero(found.candidates)
        inner, outer = found.inner[place], found.outer[place]
        same = graph.particle[inner] == graph.particle[outer]
        assert np.array_equal(found.y[place] == 1, same)
        assert np.array_equal(np.isnan(found.pt[place]), ~same)
        assert np.array_equal(found.eta[place][same], graph.eta[inner][same])
        assert (found.event == number).all()


def test_features_say_how_many_share_a_hit(graphs: list[HitGraph]) -> None:
    graph = graphs[0]
    found = edge_features(graph, Cuts())
    for row in range(0, graph.edges, 7):
        leaving = int((graph.senders == graph.senders[row]).sum())
        entering = int((graph.receivers == graph.receivers[row]).sum())
        assert found[row, 5] == min(leaving, 4) / 4 and found[row, 6] == min(entering, 4) / 4


def test_images_are_joined_and_chosen(graphs: list[HitGraph]) -> None:
    parts = [
        pack(graph, Directions().place(graph), Cuts(), n) for n, graph in enumerate(graphs[:2])
    ]
    joined = SectorImages.joined(parts)
    assert len(joined) == len(parts[0]) + len(parts[1])
    assert np.array_equal(joined[len(parts[0]) :].x, parts[1].x)


def test_what_a_sector_may_not_be() -> None:
    with pytest.raises(ConfigError) as caught:
        SectorShape(0, 0, -1)
    assert all(f"sector.{name}" in str(caught.value) for name in ("cells", "slots", "reach"))
    with pytest.raises(ConfigError, match="edge slots, more than"):
        SectorShape(1, 64, 0)
    with pytest.raises(ConfigError, match="do not divide a turn of 128"):
        Azimuths(own=24)
