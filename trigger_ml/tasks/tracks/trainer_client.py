"""The main process's side of a training: sends the edges, counts the epochs, asks for logits."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.progress import Stopwatch
from trigger_ml.serving import ask
from trigger_ml.tasks.tracks.training_lists import EdgeLists
from trigger_ml.tasks.tracks.training_recipe import EdgeRecipe
from trigger_ml.toolrun import Command, Worker

__all__ = ["NETWORKS", "LayerCounts", "Trainer", "open_trainer"]

NETWORKS: Final = ("float", "quantized")

LayerCounts = dict[str, tuple[tuple[int, ...], int]]
"""By layer: how many weights of each input are not zero, and how many outputs there are."""


class Trainer:
    """A training process, between :func:`open_trainer` and the end of its block."""

    def __init__(self, worker: Worker, scratch: Path) -> None:
        self._worker = worker
        self._scratch = scratch

    def train(
        self, recipe: EdgeRecipe, lists: Mapping[str, EdgeLists], watch: Stopwatch
    ) -> Mapping[str, str]:
        """Train both networks; the versions of the libraries used. lists: by kind of sector.

        Raises ConfigError when a training diverges, ToolFailedError when the process dies.
        """
        paths = {name: self._scratch / f"train_{name}.npz" for name in lists}
        for name, path in paths.items():
            lists[name].save(path)
        given = {name: str(path) for name, path in paths.items()}
        started = self._ask("start", recipe=recipe.model_dump(mode="json"), lists=given)
        for number, item in enumerate(recipe.stages):
            with watch.stage(item.name, f"train: {item.name}") as stage:
                for epoch in range(item.epochs):
                    told = self._ask("epoch", stage=number)
                    stage.moved(epoch + 1, item.epochs)
                stage.note = f"loss {told['loss']:.4f}"
        self._ask("settle")
        return dict(started["versions"])

    def logits(self, name: str, lists: EdgeLists) -> NDArray[np.float32]:
        """Logits of every placed edge, (edges,)."""
        given, taken = self._scratch / "asked.npz", self._scratch / "logits.npy"
        lists.save(given)
        self._ask("logits", network=name, lists=str(given), output=str(taken))
        return np.asarray(np.load(taken))

    def save(self, models: Path) -> LayerCounts:
        """Write ``model.h5``, ``model_large.h5`` and ``float_baseline.h5``; what is not zero in
        the quantized network."""
        layers = self._ask("finish", models=str(models))["layers"]
        return {
            name: (tuple(int(row) for row in rows), int(outputs))
            for name, (rows, outputs) in layers.items()
        }

    def _ask(self, verb: str, **content: Any) -> dict[str, Any]:
        return ask(self._worker, do=verb, **content)


@contextmanager
def open_trainer(scratch: Path) -> Iterator[Trainer]:
    """A training process that ends with the block.

    scratch: an existing folder for what the two processes exchange.
    """
    command = Command(
        (sys.executable, "-m", "trigger_ml.tasks.tracks.trainer"), scratch, "train the network"
    )
    with Worker(command) as worker:
        yield Trainer(worker, scratch)
