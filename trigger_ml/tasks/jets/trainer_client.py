"""The main process's side of a training: sends the jets, counts the epochs, collects the models."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.progress import Stopwatch
from trigger_ml.serving import ask
from trigger_ml.tasks.jets.names import CLASSES
from trigger_ml.tasks.jets.recipe import Recipe
from trigger_ml.toolrun import Command, Worker

__all__ = ["Networks", "train_networks"]

TITLES: Final = {"float": "train the float network", "quantized": "train the quantized network"}


@dataclass(frozen=True, slots=True)
class Networks:
    """Both trained networks.

    logits: of the test jets, shape (jets, classes), by network ("float", "quantized").
    weights: by layer of the quantized network: how many without biases, and zeros among them.
    """

    logits: Mapping[str, NDArray[np.float64]]
    weights: Mapping[str, tuple[int, int]]
    versions: Mapping[str, str]


def train_networks(
    recipe: Recipe,
    inputs: Mapping[str, NDArray[np.float64]],
    labels: Mapping[str, NDArray[np.int64]],
    *,
    models: Path,
    scratch: Path,
    watch: Stopwatch,
) -> Networks:
    """Train both networks and write ``float_baseline.h5`` and ``model.h5`` into ``models``.

    inputs, labels: by side of the split; shapes (jets, features) and (jets,).
    scratch: an existing folder for what the two processes exchange.
    Raises ConfigError when a training diverges, ToolFailedError when the process dies.
    """
    arrays = scratch / "jets.npz"
    jets: dict[str, Any] = {f"x_{side}": x.astype(np.float32) for side, x in inputs.items()}
    jets |= {f"y_{side}": y for side, y in labels.items()}
    np.savez(arrays, **jets)
    command = Command(
        (sys.executable, "-m", "trigger_ml.tasks.jets.trainer"), scratch, "train the network"
    )
    with Worker(command) as worker:
        start = {"arrays": str(arrays), "classes": len(CLASSES)}
        started = ask(worker, do="start", recipe=recipe.model_dump(mode="json"), **start)
        for name, epochs in _epochs(recipe).items():
            with watch.stage(name, TITLES[name]) as stage:
                for number in range(epochs):
                    told = ask(worker, do="epoch", network=name)
                    stage.moved(number + 1, epochs)
                stage.note = f"loss {told['loss']:.4f}, validation {told['validation']:.2%}"
        done = ask(worker, do="finish", models=str(models), scratch=str(scratch))
    return Networks(
        {name: np.load(scratch / f"{name}_logits.npy") for name in TITLES},
        {name: (int(size), int(zero)) for name, (size, zero) in done["layers"].items()},
        started["versions"],
    )


def _epochs(recipe: Recipe) -> dict[str, int]:
    training = recipe.training
    return {"float": training.float_epochs, "quantized": training.quantized_epochs}
