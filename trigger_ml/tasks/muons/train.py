"""Train a muon segmenter: split, train in floating point, then quantized and pruned, and measure
it against the pattern finder.

TensorFlow runs in a process of its own (:mod:`trigger_ml.tasks.muons.trainer`). The output folder
appears whole when everything has been measured, or not at all.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.splits import SIDES, sides
from trigger_ml.tasks.muons.baseline import FINDERS
from trigger_ml.tasks.muons.crops import cut
from trigger_ml.tasks.muons.images import Images
from trigger_ml.tasks.muons.store import read_muons
from trigger_ml.tasks.muons.train_files import FILES, TrainingResult, write_events, write_files
from trigger_ml.tasks.muons.train_measure import (
    Judge,
    at_working_point,
    least_at,
    matching_logits,
)
from trigger_ml.tasks.muons.trainer_client import NETWORKS, Trainer, open_trainer
from trigger_ml.tasks.muons.training_recipe import SegmenterRecipe
from trigger_ml.workspace import Workspace, open_workspace

__all__ = ["TrainingResult", "held_out_images", "piece_weights", "train_segmenter"]


def train_segmenter(
    data: Path,
    output: Path,
    recipe: SegmenterRecipe | None = None,
    listener: Listener | None = None,
) -> TrainingResult:
    """Train on a sample of chamber images and write the segmenter's folder.

    data: a file of ``trigger-ml data muons``. output: the folder to make, or to replace when it
    holds an earlier segmenter; what else lies there stays.

    Raises DataError for images that cannot be used or are too few, ConfigError when the training
    diverges or the threshold does not fit the last bias, BuildError when the output cannot be
    written or is being made by another process, ToolFailedError when the training process dies.
    """
    recipe = recipe or SegmenterRecipe()
    watch = Stopwatch(listener or Quiet())
    with open_workspace(output, "metrics.json", "a trained segmenter") as workspace:
        with watch.stage("read", "read the images") as stage:
            images = read_muons(data)
            rows = _split(data, images, recipe)
            stage.note = f"{len(rows['train']):,} to train, {len(rows['test']):,} to test"
        train, test = images[rows["train"]], images[rows["test"]]
        rng = np.random.default_rng(recipe.seed)
        pieces = cut(train.hits, train.truth, recipe.crops, rng, piece_weights(train, recipe))
        judge = Judge(test, recipe.working_point)
        with watch.stage("baseline", "run the pattern finder") as stage:
            for number, finder in enumerate(FINDERS, 1):
                judge.add_finder(finder)
                stage.moved(number, len(FINDERS))
        with open_trainer(workspace.scratch) as trainer:
            versions = trainer.train(recipe, pieces, watch)
            with watch.stage("measure", "measure both networks") as stage:
                _set_thresholds(trainer, images[rows["validation"]], recipe)
                logits = {name: trainer.logits(name, test.hits) for name in NETWORKS}
                for name in NETWORKS:
                    judge.add_network(name, logits[name])
                weights = trainer.save(workspace.stage)
                stage.note = judge.note("quantized")
        result = TrainingResult(
            output,
            judge.results(),
            {side: len(chosen) for side, chosen in rows.items()},
            weights,
            dict(watch.seconds),
            versions,
        )
        write_files(workspace.stage, result, recipe, data)
        write_events(workspace.stage / "events.npz", test, float_logits=logits["float"])
        _publish(workspace)
    return result


def held_out_images(data: Path, recipe: SegmenterRecipe) -> Images:
    """The images of a sample that a segmenter of this recipe was not trained on, all of them.

    Raises DataError as :func:`trigger_ml.tasks.muons.store.read_muons`.
    """
    images = read_muons(data)
    return images[sides(np.arange(len(images)), recipe.split, recipe.seed) == SIDES.index("test")]


def _split(data: Path, images: Images, recipe: SegmenterRecipe) -> Mapping[str, NDArray[np.int64]]:
    """Rows of each side, those of the test side up to the recipe's limit.

    Raises DataError when a side lacks what it is needed for.
    """
    side = sides(np.arange(len(images)), recipe.split, recipe.seed)
    rows = {name: np.flatnonzero(side == number) for number, name in enumerate(SIDES)}
    rows["test"] = rows["test"][: recipe.training.test_images]
    blockers = []
    point = recipe.working_point
    for name, chosen in rows.items():
        have = images[chosen]
        if not at_working_point(have, point).any():
            what = (
                f"the {name} side ({len(chosen)} of {len(images)} images) has no muons above "
                f"{point.pt_min_gev:g} GeV at {point.background:g} times the background"
            )
            blockers.append(Blocker(str(data), what, "give more images, or another working_point"))
        elif name == "test" and not (have.muons == 0).any():
            what = f"the test side ({len(chosen)} images) has no image without a muon"
            blockers.append(Blocker(str(data), what, "raise the share of 0 muons in the sample"))
    if blockers:
        raise DataError(blockers)
    return rows


def piece_weights(images: Images, recipe: SegmenterRecipe) -> NDArray[np.float32]:
    """What the pieces of each image count, shape (images,)."""
    softest = np.nan_to_num(images.pt, nan=np.inf).min(axis=1)
    soft = softest < recipe.working_point.pt_min_gev
    return np.where(soft, recipe.training.soft_weight, 1.0).astype(np.float32)


def _set_thresholds(trainer: Trainer, images: Images, recipe: SegmenterRecipe) -> None:
    """Shift each network's last bias, so that a cell is marked where the logit is above zero."""
    chosen = images[at_working_point(images, recipe.working_point)]
    for name in NETWORKS:
        found = matching_logits(trainer.logits(name, chosen.hits), chosen.truth)
        trainer.put_threshold(name, least_at(found, recipe.working_point.efficiency))


def _publish(workspace: Workspace) -> None:
    """Put the segmenter in its place, with what others have laid beside the old one."""
    old = workspace.destination
    for path in old.iterdir() if old.exists() else ():
        if path.name not in FILES:
            copy = shutil.copytree if path.is_dir() else shutil.copy2
            copy(path, workspace.stage / path.name)
    workspace.publish(passed=True)
