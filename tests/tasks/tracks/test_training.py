"""Recipes, lists of edges, figures and sizes of the edge classifier's training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trigger_ml.errors import ConfigError, DataError
from trigger_ml.tasks.tracks.graphs import HitGraph, build
from trigger_ml.tasks.tracks.hits import EventHits
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.sector_cuts import Azimuths, Directions
from trigger_ml.tasks.tracks.sector_images import FEATURES, edge_features
from trigger_ml.tasks.tracks.sectors import SectorShape
from trigger_ml.tasks.tracks.train_measure import (
    Answer,
    Owned,
    best_threshold,
    judge,
    owned,
    walked,
)
from trigger_ml.tasks.tracks.training_cost import bit_operations, dense_bit_operations
from trigger_ml.tasks.tracks.training_lists import EdgeLists, edge_lists
from trigger_ml.tasks.tracks.training_recipe import (
    FEATURES as WIDTH,
)
from trigger_ml.tasks.tracks.training_recipe import (
    EdgeRecipe,
    Grids,
    Sizes,
    read_edge_recipe,
)

Helices = Callable[..., EventHits]


@pytest.fixture(scope="module")
def graphs(events: list[EventHits]) -> list[HitGraph]:
    return [build(event, Cuts()) for event in events]


def refused(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_edge_recipe(path)
    return str(caught.value)


def test_a_recipe_comes_back(tmp_path: Path) -> None:
    recipe = EdgeRecipe.model_validate({"seed": 3, "network": {"iterations": 1}})
    (tmp_path / "r.yaml").write_text(recipe.to_yaml())
    assert read_edge_recipe(tmp_path / "r.yaml") == recipe
    assert len(FEATURES) == WIDTH


def test_problems_of_a_recipe_are_told_at_once(tmp_path: Path) -> None:
    told = refused(tmp_path / "r.yaml", "seed: -1\ntraining: {batch: 0}\nnetwork: {hidden: 0}")
    assert all(name in told for name in ("seed", "training.batch", "network.hidden"))
    assert "did you mean hidden?" in refused(tmp_path / "r.yaml", "network: {hiden: 3}")
    ends = "training: {pruned_from: 0.5, pruned_until: 0.5}"
    assert "pruned_from must be before pruned_until" in refused(tmp_path / "r.yaml", ends)
    assert "large.own must divide" in refused(tmp_path / "r.yaml", "large: {own: 24}")


def test_layers_follow_from_the_sizes() -> None:
    layers = Sizes(iterations=2, hidden=5, message=3, node=4).layers
    assert [(layer.name, layer.inputs, layer.outputs, layer.bias) for layer in layers] == [
        ("edge0", 7, 5, False),
        ("message0", 5, 3, False),
        ("node1", 6, 4, True),
        ("edge1", 18, 5, True),
        ("message1", 5, 3, True),
        ("node2", 6, 4, True),
        ("edge2", 18, 5, True),
        ("score", 5, 1, True),
    ]


def test_bit_operations_are_those_of_weights_that_count() -> None:
    sizes, shape = Sizes(iterations=1, hidden=2, message=1, node=1), SectorShape(2, 3, 1)
    grids = Grids(input_bits=8, weight_bits=5, activation_bits=4)
    full = {layer.name: ((layer.outputs,) * layer.inputs, layer.outputs) for layer in sizes.layers}
    edges, nodes = shape.edges, shape.nodes
    # Nine edges may end at a node: four bits more. The last seven inputs of edge1 are features.
    at_edges = 7 * 2 * 8 + 2 * 1 * 4 + (3 * 4 + 7 * 8) * 2 + 2 * 1 * 4
    assert bit_operations(sizes, grids, shape, full) == 5 * (edges * at_edges + nodes * 2 * 8)
    weights = 7 * 2 + 2 * 1 + 10 * 2 + 2 * 1
    assert dense_bit_operations(sizes, shape) == 64 * (edges * weights + nodes * 2)
    none = {name: ((0,) * len(rows), outputs) for name, (rows, outputs) in full.items()}
    one = {**none, "score": ((1, 0), 1)}
    assert bit_operations(sizes, grids, shape, one) == 5 * 4 * edges


@pytest.mark.parametrize("cut", [Directions(), Azimuths()], ids=str)
def test_lists_hold_every_placed_edge(
    graphs: list[HitGraph], cut: Directions | Azimuths, tmp_path: Path
) -> None:
    lists, lost = edge_lists(graphs, cut, Cuts())
    places = [cut.place(graph) for graph in graphs]
    assert np.array_equal(np.diff(lists.starts), [len(placed.edge) for placed in places])
    for number, (graph, placed) in enumerate(zip(graphs, places, strict=True)):
        rows = slice(lists.starts[number], lists.starts[number + 1])
        assert np.array_equal(lists.x[rows], edge_features(graph, Cuts())[placed.edge])
        assert np.array_equal(lists.true[rows], graph.truth[placed.edge])
        assert max(lists.receivers[rows], default=-1) < lists.nodes[number]
    true = sum(int(graph.truth.sum()) for graph in graphs)
    assert lost.true == true
    assert lost.true_lost == true - int((lists.true & lists.owned).sum())
    assert lost.sectors == sum(placed.sectors for placed in places)
    rows, shift = lists.rows(np.array([3, 0]))
    apart = lists.nodes[3]
    assert np.array_equal(np.unique(shift), [0, apart])
    assert (rows[shift == apart] < lists.starts[1]).all()
    lists.save(tmp_path / "lists.npz")
    assert np.array_equal(EdgeLists.load(tmp_path / "lists.npz").x, lists.x)


def test_the_best_threshold_is_the_best() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        true = rng.random(12) < 0.5
        logits = rng.integers(-4, 5, 12).astype(np.float32)
        right = [int(((logits >= cut) == true).sum()) for cut in sorted(set(logits.tolist()))]
        assert int(((logits >= best_threshold(true, logits)) == true).sum()) == max(right)
    with pytest.raises(DataError, match="none to choose"):
        best_threshold(np.zeros(0, np.bool_), np.zeros(0, np.float32))


def everything(graphs: list[HitGraph]) -> Owned:
    """Every edge of the graphs, each judged once."""
    event = np.repeat(np.arange(len(graphs)), [graph.edges for graph in graphs])
    edge = np.concatenate([np.arange(graph.edges) for graph in graphs])
    true = np.concatenate([graph.truth for graph in graphs])
    pt = np.concatenate([graph.pt[graph.senders] for graph in graphs])
    return Owned(event, edge, true, np.where(true, pt, np.nan), np.where(true, 0.0, np.nan))


def test_a_network_that_is_right_finds_all_tracks(graphs: list[HitGraph]) -> None:
    edges = everything(graphs)
    found = walked(graphs, edges, edges.true)
    assert found.efficiency.passed == found.efficiency.total == 91
    assert (found.fakes.passed, found.fakes.total) == (0, 91)
    assert sum(item.efficiency.total for item in found.pt) == 91


def test_what_makes_a_track(helices: Helices) -> None:
    """Two tracks: one cut in two, six hits and four; one that a false edge ties to the other."""
    graph = build(helices((5.0, 5.0), phi=(0.0, 0.001)), Cuts())
    edges = everything([graph])
    layer, particle = graph.layer[graph.senders], graph.particle[graph.senders]
    cut = edges.true & ~((particle == 0) & (layer == 5))
    found = walked([graph], edges, cut)
    assert (found.efficiency.passed, found.efficiency.total) == (1, 2)
    assert (found.fakes.passed, found.fakes.total) == (0, 2), "four layers are no track"
    cut = edges.true & ~((particle == 0) & (layer == 7))
    assert walked([graph], edges, cut).efficiency.passed == 2, "eight hits of ten are enough"
    false = np.flatnonzero(~edges.true)[0]
    tied = edges.true.copy()
    tied[false] = True
    found = walked([graph], edges, tied)
    assert (found.efficiency.passed, found.fakes.passed, found.fakes.total) == (0, 1, 1)


def test_a_short_piece_is_no_track(helices: Helices) -> None:
    event = helices(5.0)
    graph = build(event[event.layer < 5], Cuts())
    edges = everything([graph])
    whole = walked([graph], edges, edges.true)
    assert (whole.efficiency.passed, whole.fakes.total) == (1, 1)
    piece = walked([graph], edges, graph.layer[graph.senders] < 3)
    assert (piece.efficiency.passed, piece.fakes.total) == (0, 0), "four of five hits, in 4 layers"


def test_figures_count_what_has_no_slot(graphs: list[HitGraph]) -> None:
    lists, lost = edge_lists(graphs, Azimuths(slots=1, reach=0), Cuts())
    edges, rows = owned(graphs, lists)
    assert lost.true_lost > 0
    assert np.array_equal(edges.true, lists.true[rows])
    logits = np.where(edges.true, 2.0, -1.0).astype(np.float32)
    logits[np.flatnonzero(edges.true)[:3]] = -2.0
    figures = judge(graphs, edges, Answer(logits, -1.5), lost.true_lost)
    true = int(edges.true.sum())
    assert (figures.half.efficiency.passed, figures.half.efficiency.total) == (true - 3, true)
    assert figures.half.purity.value == 1.0
    assert figures.best.purity.total == len(logits) - 3, "all but the three at -2"
    assert figures.whole.total == lost.true
    pairs = (logits[edges.true][:, None] > logits[~edges.true]).mean()
    assert figures.auc == pytest.approx(pairs)
    assert sum(item.efficiency.total for item in figures.bins["eta"]) == true
    for graph, number in zip(graphs, range(len(graphs)), strict=True):
        here = edges.event == number
        found = graph.pt[graph.senders[edges.edge[here]]]
        assert np.array_equal(edges.pt[here][edges.true[here]], found[edges.true[here]])
