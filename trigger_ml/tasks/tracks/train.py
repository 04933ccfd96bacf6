"""Train an edge classifier: split, train in floating point, then pruned and quantized, measure.

TensorFlow runs in a process of its own (:mod:`trigger_ml.tasks.tracks.trainer`). The output
folder appears whole when everything has been measured, or not at all.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.splits import SIDES, sides
from trigger_ml.tasks.tracks.graphs import HitGraph, build
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.sectors import Cut
from trigger_ml.tasks.tracks.store import TrackStore
from trigger_ml.tasks.tracks.train_files import (
    EVENTS_KEPT,
    FILES,
    KindResult,
    TrainingResult,
    write_files,
    write_sectors,
)
from trigger_ml.tasks.tracks.train_measure import (
    Answer,
    NetworkFigures,
    best_threshold,
    judge,
    owned,
    walked,
)
from trigger_ml.tasks.tracks.trainer_client import NETWORKS, Trainer, open_trainer
from trigger_ml.tasks.tracks.training_lists import EdgeLists, edge_lists
from trigger_ml.tasks.tracks.training_recipe import EdgeRecipe
from trigger_ml.workspace import Workspace, open_workspace

__all__ = ["TrainingResult", "train_edges"]

Sides = Mapping[str, NDArray[np.int64]]


def train_edges(
    data: Path,
    output: Path,
    recipe: EdgeRecipe | None = None,
    listener: Listener | None = None,
) -> TrainingResult:
    """Train on a sample of track hits and write the edge classifier's folder.

    data: a file of ``trigger-ml data tracks``. output: the folder to make, or to replace when it
    holds an earlier classifier; what else lies there stays.

    Raises DataError for hits that cannot be used or are too few, ConfigError when the training
    diverges, BuildError when the output cannot be written or is being made by another process,
    ToolFailedError when the training process dies.
    """
    recipe = recipe or EdgeRecipe()
    watch = Stopwatch(listener or Quiet())
    cuts: dict[str, Cut] = {"small": recipe.small.cut, "large": recipe.large.cut}
    with open_workspace(output, "metrics.json", "a trained edge classifier") as workspace:
        store = TrackStore.open(data)
        with watch.stage("read", "build the hit graphs") as stage:
            events = _split(store, recipe)
            graphs = {name: _graphs(store, rows) for name, rows in events.items()}
            _require_edges(data, graphs)
            stage.note = f"{len(events['train']):,} to train, {len(events['test']):,} to test"
        with open_trainer(workspace.scratch) as trainer:
            made = {n: edge_lists(graphs["train"], cut, store.cuts)[0] for n, cut in cuts.items()}
            versions = trainer.train(recipe, made, watch)
            del made
            with watch.stage("measure", "measure both networks") as stage:
                kinds = {
                    name: _measured(trainer, name, cut, graphs, events["test"], store.cuts,
                                    workspace.stage)
                    for name, cut in cuts.items()
                }  # fmt: skip
                layers = trainer.save(workspace.stage)
                stage.note = _note(kinds["small"].networks["quantized"])
        sizes = {name: len(rows) for name, rows in events.items()}
        result = TrainingResult(output, kinds, sizes, layers, dict(watch.seconds), versions)
        write_files(workspace.stage, result, recipe, store)
        _publish(workspace)
    return result


def _split(store: TrackStore, recipe: EdgeRecipe) -> Sides:
    side = sides(np.arange(len(store)), recipe.split, recipe.seed)
    rows = {name: np.flatnonzero(side == number) for number, name in enumerate(SIDES)}
    rows["test"] = rows["test"][: recipe.training.test_events]
    return rows


def _graphs(store: TrackStore, rows: NDArray[np.int64]) -> list[HitGraph]:
    chosen = set(rows.tolist())
    events = enumerate(store.events())
    return [build(event, store.cuts) for number, event in events if number in chosen]


def _require_edges(data: Path, graphs: Mapping[str, Sequence[HitGraph]]) -> None:
    """Raises DataError when a side has no true edges, or no others."""
    blockers = []
    for name, found in graphs.items():
        true = sum(int(graph.truth.sum()) for graph in found)
        edges = sum(graph.edges for graph in found)
        if not 0 < true < edges:
            what = f"the {name} side ({len(found)} events) has {true} true edges of {edges}"
            blockers.append(Blocker(str(data), what, "give more events"))
    if blockers:
        raise DataError(blockers)


def _measured(
    trainer: Trainer,
    name: str,
    cut: Cut,
    graphs: Mapping[str, Sequence[HitGraph]],
    numbers: NDArray[np.int64],
    cuts: Cuts,
    folder: Path,
) -> KindResult:
    """Measure on one kind of sectors, and write some of those."""
    validation, _ = edge_lists(graphs["validation"], cut, cuts)
    test, lost = edge_lists(graphs["test"], cut, cuts)
    thresholds = {network: _threshold(trainer, network, validation) for network in NETWORKS}
    edges, rows = owned(graphs["test"], test)
    found: dict[str, NetworkFigures] = {}
    for network in NETWORKS:
        logits = trainer.logits(network, test)
        answer = Answer(logits[rows], thresholds[network])
        found[network] = judge(graphs["test"], edges, answer, lost.true_lost)
        if network == "float":
            path = folder / ("events.npz" if name == "small" else f"events_{name}.npz")
            kept = slice(EVENTS_KEPT)
            write_sectors(
                path, graphs["test"][kept], numbers[kept].tolist(), (cut, cuts), (test, logits)
            )
    return KindResult(lost, found, walked(graphs["test"], edges, edges.true))


def _threshold(trainer: Trainer, network: str, lists: EdgeLists) -> float:
    rows = np.flatnonzero(lists.owned)
    return best_threshold(lists.true[rows], trainer.logits(network, lists)[rows])


def _note(figures: NetworkFigures) -> str:
    half = figures.half
    return f"purity {half.purity.value:.2%}, efficiency {half.efficiency.value:.2%}"


def _publish(workspace: Workspace) -> None:
    """Put the classifier in its place, with what others have laid beside the old one."""
    old = workspace.destination
    for path in old.iterdir() if old.exists() else ():
        if path.name not in FILES:
            copy = shutil.copytree if path.is_dir() else shutil.copy2
            copy(path, workspace.stage / path.name)
    workspace.publish(passed=True)
