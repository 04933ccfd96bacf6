"""What a build says of the edges of a whole event: put together from its sectors."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import logit

from trigger_ml.errors import ConfigError, DataError
from trigger_ml.graph.model import Conv2D, FixedGraph, Input, Node, frozen_codes
from trigger_ml.graph.types import FixedType
from trigger_ml.graph.verify import verify
from trigger_ml.tasks.tracks import firmware_scores as module
from trigger_ml.tasks.tracks.graphs import build, phi_slope
from trigger_ml.tasks.tracks.hits import EventHits
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.sector_images import FEATURES
from trigger_ml.tasks.tracks.shown import show_tracks
from trigger_ml.tasks.tracks.training_recipe import EdgeRecipe

INPUT, LOGIT = FixedType(9, 2), FixedType(12, 5)


def network(rows: int, columns: int) -> FixedGraph:
    """The logit of an edge is its slope in azimuth, as a share of the cut."""
    weight = np.zeros((1, 1, len(FEATURES), 1))
    weight[0, 0, FEATURES.index("phi_slope")] = 1
    one = FixedType(2, 2)
    layer = Conv2D(
        frozen_codes(weight), one, frozen_codes(np.zeros(1)), one, LOGIT, (1, 1), (0, 0, 0, 0)
    )
    nodes = (
        Node("edges", Input(), (), (rows, columns, len(FEATURES)), INPUT),
        Node("score", layer, ("edges",), (rows, columns, 1), LOGIT),
    )
    return verify(FixedGraph("slope", nodes, ("score",)))


@pytest.mark.parametrize("kind", ["small", "large"])
def test_every_edge_gets_the_score_of_its_own_slot(
    events: list[EventHits], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = EdgeRecipe().shapes[kind]
    stored = SimpleNamespace(network=network(shape.edge_rows, shape.columns))
    monkeypatch.setattr(module, "load_build", lambda _: stored)
    cuts = Cuts()
    graph = build(events[3], cuts)
    scores = module.firmware_scores(graph, cuts, Path("build"))
    placed = getattr(EdgeRecipe(), kind).cut.place(graph)
    known = scores > 0
    assert np.array_equal(np.flatnonzero(known), np.sort(placed.edge[placed.owned]))
    assert known.sum() > 20
    slope = phi_slope(graph)[known] / cuts.phi_slope_max
    assert np.abs(logit(scores[known]) - slope).max() < INPUT.step


def test_a_build_of_something_else(
    events: list[EventHits], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "load_build", lambda _: SimpleNamespace(network=network(4, 4)))
    graph = build(events[3], Cuts())
    with pytest.raises(
        DataError, match=r"takes images of \(4, 4, 7\), and sectors are \(9, 10, 7\)"
    ):
        module.firmware_scores(graph, Cuts(), Path("build"))
    with pytest.raises(ConfigError, match="from a file or from a build"):
        show_tracks(tmp_path / "x.npz", 0, tmp_path / "e.png", Path("s.npz"), Path("build"))
