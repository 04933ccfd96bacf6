"""What a build keeps of the edges of a whole event, sector by sector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from trigger_ml.errors import Blocker, DataError
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.records import load_build
from trigger_ml.simulate.vectors import encode_inputs
from trigger_ml.tasks.tracks.graphs import HitGraph
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.sector_images import FEATURES, pack
from trigger_ml.tasks.tracks.sectors import Cut
from trigger_ml.tasks.tracks.training_recipe import EdgeRecipe

__all__ = ["firmware_scores"]


def firmware_scores(
    graph: HitGraph, cuts: Cuts, build: Path, recipe: EdgeRecipe | None = None
) -> NDArray[np.float64]:
    """Score of every edge, (edges,), from 0 to 1; 0 for those that no sector has a slot for.

    cuts: those of the graph. build: an edge classifier, compiled; its fixed-point graph is
    evaluated in integers, which is what its firmware computes. recipe: says how events are cut
    into sectors, as in the training. Raises DataError where the build takes other sectors, and
    BuildError where there is none.
    """
    network = load_build(build).network
    cut = _cut(network.input_nodes[0].shape, build, recipe or EdgeRecipe())
    placed = cut.place(graph)
    images = pack(graph, placed, cuts)
    codes = encode_inputs(network, images.x.reshape(len(images), -1))
    kind = network.output_nodes[0].type
    logits = kind.decode(evaluate(network, codes)).reshape(images.y.shape)
    scores = np.zeros(graph.edges)
    own = placed.owned
    place = placed.sector[own], placed.row[own], placed.column[own]
    scores[placed.edge[own]] = expit(logits[place])
    return scores


def _cut(shape: tuple[int, ...], build: Path, recipe: EdgeRecipe) -> Cut:
    """The way to cut events into sectors of this shape."""
    known: dict[tuple[int, ...], Cut] = {
        (cut.shape.edge_rows, cut.shape.columns, len(FEATURES)): cut
        for cut in (recipe.small.cut, recipe.large.cut)
    }
    if shape not in known:
        shapes = " or ".join(map(str, known))
        what = f"takes images of {shape}, and sectors are {shapes}"
        raise DataError(Blocker(str(build), what, "give a build of an edge classifier"))
    return known[shape]
