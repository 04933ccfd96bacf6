"""Train a jet tagger: scale, split by event, train in floating point, then quantized and pruned.

TensorFlow runs in a process of its own (:mod:`trigger_ml.tasks.jets.trainer`). The output
folder appears whole when everything has been measured, or not at all.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.check.physics import PhysicsComparison, compare
from trigger_ml.errors import Blocker, DataError
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.tasks.jets.loaders import load_jets
from trigger_ml.tasks.jets.names import CLASSES, FEATURES
from trigger_ml.tasks.jets.recipe import Recipe, read_recipe
from trigger_ml.tasks.jets.sample import JetSample
from trigger_ml.tasks.jets.scaling import Scaling, fit_scaling, read_scaling
from trigger_ml.tasks.jets.trainer_client import train_networks
from trigger_ml.tasks.jets.trainer_files import (
    FILES,
    TrainingResult,
    card_of,
    write_events,
    write_files,
)
from trigger_ml.tasks.jets.trainer_split import split_by_event
from trigger_ml.workspace import Workspace, open_workspace

__all__ = ["TrainingResult", "held_out_jets", "train_tagger", "write_events"]

EVENTS_KEPT: Final = 10_000
"""Test jets in the tagger's own ``events.npz``."""


def train_tagger(
    data: Path, output: Path, recipe: Recipe | None = None, listener: Listener | None = None
) -> TrainingResult:
    """Train on a jet sample and write the tagger's folder.

    data: a file or folder that :func:`trigger_ml.tasks.jets.loaders.load_jets` reads.
    output: the folder to make, or to replace when it holds an earlier tagger; what else lies
    there stays.

    Raises DataError for jets that cannot be used or are too few, ConfigError when the training
    diverges, BuildError when the output cannot be written or is being made by another process,
    ToolFailedError when the training process dies.
    """
    recipe = recipe or Recipe()
    watch = Stopwatch(listener or Quiet())
    with open_workspace(output, "metrics.json", "a trained tagger") as workspace:
        with watch.stage("read", "read the jets") as stage:
            sample = load_jets(data, constituents=False)
            rows = split_by_event(sample, recipe.split, recipe.seed)
            scaling = _fit(sample, rows["train"], recipe)
            stage.note = f"{len(rows['train'])} to train, {len(rows['test'])} to test"
        inputs = {side: scaling.apply(sample.features[chosen]) for side, chosen in rows.items()}
        labels = {side: sample.labels[chosen].astype(np.int64) for side, chosen in rows.items()}
        networks = train_networks(
            recipe,
            inputs,
            labels,
            models=workspace.stage,
            scratch=workspace.scratch,
            watch=watch,
        )
        with watch.stage("measure", "measure both networks") as stage:
            comparison = _measure(networks.logits, labels["test"], recipe.seed)
            stage.note = _accuracies(comparison)
        card = card_of(sample)
        result = TrainingResult(
            output,
            comparison,
            {side: len(chosen) for side, chosen in rows.items()},
            networks.weights,
            dict(watch.seconds),
            networks.versions,
            card.digest,
        )
        write_files(workspace.stage, result, recipe, scaling, card)
        events = workspace.stage / "events.npz"
        write_events(events, inputs["test"], labels["test"], EVENTS_KEPT, networks.logits["float"])
        _publish(workspace)
    return result


def held_out_jets(data: Path, tagger: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The jets of a sample that a tagger was not trained on: scaled inputs, and labels.

    data: the sample it was trained on, or the same one grown larger; of any other sample, the
    same share. tagger: a folder that :func:`train_tagger` wrote.
    Shapes (jets, features) and (jets,). Raises DataError and ConfigError as the readers do.
    """
    recipe, scaling = read_recipe(tagger / "recipe.yaml"), read_scaling(tagger / "scaling.json")
    sample = load_jets(data, constituents=False)
    rows = split_by_event(sample, recipe.split, recipe.seed)["test"]
    return scaling.apply(sample.features[rows]), sample.labels[rows].astype(np.int64)


def _fit(sample: JetSample, rows: NDArray[np.int64], recipe: Recipe) -> Scaling:
    grid = recipe.inputs
    return fit_scaling(sample.features[rows], FEATURES, grid.bits, grid.integer, grid.coverage)


def _measure(
    logits: Mapping[str, NDArray[np.float64]], labels: NDArray[np.int64], seed: int
) -> PhysicsComparison:
    """Compare both networks on the test jets. There is no firmware yet."""
    for name, values in logits.items():
        if not np.isfinite(values).all():
            raise DataError(Blocker(f"{name} network", "its logits are not finite"))
    quantized = logits["quantized"]
    found = compare(logits["float"], quantized, quantized, labels, CLASSES, seed=seed)
    return replace(
        found,
        witnesses=tuple(item for item in found.witnesses if item.witness != "firmware"),
        flips=tuple(item for item in found.flips if item.right != "firmware"),
        changes=tuple(item for item in found.changes if item.right != "firmware"),
        curves=tuple(item for item in found.curves if item.witness != "firmware"),
    )


def _accuracies(comparison: PhysicsComparison) -> str:
    return ", ".join(
        f"{witness.witness} {witness.accuracy.value:.2%}" for witness in comparison.witnesses
    )


def _publish(workspace: Workspace) -> None:
    """Put the tagger in its place, with what others have laid beside the old one."""
    old = workspace.destination
    for path in old.iterdir() if old.exists() else ():
        if path.name not in FILES:
            copy = shutil.copytree if path.is_dir() else shutil.copy2
            copy(path, workspace.stage / path.name)
    workspace.publish(passed=True)
