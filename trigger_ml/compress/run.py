"""Compress a network: run a recipe's steps, judge what comes out as firmware, choose, write.

The output folder appears whole or not at all. It holds

    model.h5 or model.keras    the chosen model, for ``trigger-ml compile``
    events.npz                 test events as it takes them, for ``--data``
    points/                    every model that was judged
    front.json, .md, .png, .svg    all of them: LUTs against the metric
    compress.json              what was asked, chosen, lost and measured
    recipe.yaml                the recipe with every key
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from trigger_ml import __version__
from trigger_ml.compress.dataset import Dataset, read_dataset
from trigger_ml.compress.front.files import write_front
from trigger_ml.compress.front.pareto import Point
from trigger_ml.compress.judging import Judged, Prototype, Reference, judge, to_point
from trigger_ml.compress.metrics.find import (
    Metric,
    compare_metric,
    find_metric,
    require_resolution,
)
from trigger_ml.compress.networks.network import FloatNetwork, read_network
from trigger_ml.compress.recipe import CompressRecipe
from trigger_ml.compress.selection import Selection, choose
from trigger_ml.compress.steps import StepRunner, require_steps
from trigger_ml.config import Config
from trigger_ml.files import write_text
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.workspace import open_workspace

__all__ = ["CompressOutcome", "CompressRequest", "compress_model", "require_events"]

SCHEMA: Final = 1
MARKER: Final = "compress.json"
EVENTS_KEPT: Final = 10_000
"""Test events in the output's own ``events.npz``."""
PACKAGES: Final = ("alkaid", "hls4ml", "numpy")


@dataclass(frozen=True, slots=True)
class CompressRequest:
    """What to compress. output: folder to make. command: as typed, for the record."""

    model: Path
    data: Path
    recipe: CompressRecipe
    config: Config
    output: Path
    command: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class CompressOutcome:
    """What came out, and the folder it was left in: the output, or beside it without a choice.

    points: of all prototypes, smallest first. chosen: the one in ``model``, or None; then
    shortfall says how far the nearest are.
    """

    folder: Path
    model: Path | None
    points: tuple[Point, ...]
    chosen: Point | None
    shortfall: tuple[str, ...]
    seconds: float


def compress_model(request: CompressRequest, listener: Listener | None = None) -> CompressOutcome:
    """Compress a model file as a recipe says.

    Raises ModelError, DataError or ConfigError with all blockers, BuildError where the output
    cannot be written, ToolError when a process fails. A goal that nothing meets is no error: all
    prototypes are left in ``<output>.failed``, and the outcome says how far they are.
    """
    listener = listener or Quiet()
    watch = Stopwatch(listener)
    recipe = request.recipe
    with open_workspace(request.output, MARKER, "a compressed model") as workspace:
        with watch.stage("read", "read the model and the events") as stage:
            network = read_network(request.model)
            require_steps(network, recipe)
            data = read_dataset(
                request.data, network.input_shape, network.outputs, recipe.split, recipe.seed
            )
            metric = find_metric(recipe.goal.metric, data.classes)
            reference = Reference.of(network, data)
            require_events(reference, data, metric, recipe)
            stage.note = (
                f"{len(data.x_train):,} to train, {len(data.x_validation):,} to choose, "
                f"{len(data.x_test):,} to test"
            )
        points_folder = workspace.stage / "points"
        points_folder.mkdir()
        steps = StepRunner(
            network,
            data,
            network.logits(data.x_train),
            reference,
            recipe,
            request.config,
            points_folder,
            workspace.scratch,
            watch,
            listener,
            {},
        )
        prototypes = steps.run()
        judged = _judge_all(prototypes, reference, steps.data, metric, request, watch)
        selection = choose(judged, recipe.goal, recipe.limits)
        if selection.judged is None:
            narrowest = min(judged, key=lambda item: item.validation.half_width)
            require_resolution(narrowest.validation, recipe.goal.tolerance)
        points = tuple(to_point(item, f"points/{item.prototype.file.name}") for item in judged)
        chosen = _chosen(selection, judged, points)
        with watch.stage("write", "write the results"):
            model = _write_model(workspace.stage, selection, steps.data, reference)
            write_front(workspace.stage, points, recipe.goal.metric, plots=True)
            write_text(workspace.stage / "recipe.yaml", recipe.to_yaml())
            record = _record(request, network, data, points, chosen, selection, watch.seconds)
            write_text(workspace.stage / MARKER, json.dumps(record, indent=1, allow_nan=False))
        folder = workspace.publish(chosen is not None)
    path = folder / model.name if model is not None else None
    return CompressOutcome(folder, path, points, chosen, selection.shortfall, watch.total)


def require_events(
    reference: Reference, data: Dataset, metric: Metric, recipe: CompressRecipe
) -> None:
    """Raise DataError where there are too few events to see a loss of the goal's tolerance.

    Looked at before anything is trained, on a stand-in for a candidate: the reference's own
    scores, rounded to a quarter of their spread.
    """
    goal = recipe.goal
    for scores, labels in (
        (reference.validation, data.y_validation),
        (reference.test, data.y_test),
    ):
        step = float(scores.std()) / 4 or 1.0
        rounded = np.rint(scores / step) * step
        change = compare_metric(
            metric, scores, rounded, labels, confidence=goal.confidence, seed=recipe.seed
        )
        require_resolution(change, goal.tolerance)


def _judge_all(
    prototypes: tuple[Prototype, ...],
    reference: Reference,
    data: Dataset,
    metric: Metric,
    request: CompressRequest,
    watch: Stopwatch,
) -> list[Judged]:
    """Every prototype, from few LUTs to many."""
    recipe, judged = request.recipe, []
    with watch.stage("judge", "trace and judge the candidates") as stage:
        for number, prototype in enumerate(prototypes):
            judged.append(
                judge(
                    prototype,
                    reference,
                    data,
                    metric,
                    request.config,
                    confidence=recipe.goal.confidence,
                    seed=recipe.seed,
                )
            )
            stage.moved(number + 1, len(prototypes))
    return sorted(judged, key=lambda item: (item.cost.lut, item.prototype.name))


def _chosen(selection: Selection, judged: list[Judged], points: tuple[Point, ...]) -> Point | None:
    if selection.judged is None:
        return None
    return points[judged.index(selection.judged)]


def _write_model(
    folder: Path, selection: Selection, data: Dataset, reference: Reference
) -> Path | None:
    """Copy the chosen model and write the events that go with it."""
    if selection.judged is None:
        return None
    source = selection.judged.prototype.file
    target = folder / f"model{source.suffix}"
    target.write_bytes(source.read_bytes())
    kept = slice(0, EVENTS_KEPT)
    np.savez_compressed(
        folder / "events.npz",
        allow_pickle=False,
        x=data.x_test[kept],
        y=data.y_test[kept],
        float_scores=reference.test[kept].astype(np.float32),
        classes=np.array(data.classes, dtype=np.str_),
    )
    return target


def _record(
    request: CompressRequest,
    network: FloatNetwork,
    data: Dataset,
    points: tuple[Point, ...],
    chosen: Point | None,
    selection: Selection,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    recipe, judged = request.recipe, selection.judged
    return {
        "schema": SCHEMA,
        "source": {
            "file": request.model.name,
            "sha256": hashlib.sha256(request.model.read_bytes()).hexdigest(),
            "parameters": network.parameters,
            "nonzero": network.nonzero,
        },
        "data": {
            "file": data.source,
            "digest": data.digest,
            "train": len(data.x_train),
            "validation": len(data.x_validation),
            "test": len(data.x_test),
        },
        "goal": recipe.goal.model_dump(mode="json"),
        "limits": recipe.limits.model_dump(mode="json"),
        "target": request.config.target.model_dump(mode="json"),
        "chosen": None if chosen is None else chosen.to_json(),
        "test": None if judged is None else judged.test.to_json(),
        "validation": None if judged is None else judged.validation.to_json(),
        "shortfall": list(selection.shortfall),
        "points": [point.to_json() for point in points],
        "timing_s": dict(seconds),
        "versions": {"trigger_ml": __version__, **{name: version(name) for name in PACKAGES}},
        "command": request.command,
    }
