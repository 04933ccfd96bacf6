"""The main process's side of a training: sends the pieces, counts the epochs, asks for logits."""

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
from trigger_ml.tasks.muons.crops import Pieces
from trigger_ml.tasks.muons.images import Words
from trigger_ml.tasks.muons.training_recipe import SegmenterRecipe
from trigger_ml.toolrun import Command, Worker

__all__ = ["NETWORKS", "Trainer", "open_trainer"]

NETWORKS: Final = ("float", "quantized")


class Trainer:
    """A training process, between :func:`open_trainer` and the end of its block."""

    def __init__(self, worker: Worker, scratch: Path) -> None:
        self._worker = worker
        self._scratch = scratch

    def train(self, recipe: SegmenterRecipe, pieces: Pieces, watch: Stopwatch) -> Mapping[str, str]:
        """Train both networks; the versions of the libraries used.

        Raises ConfigError when a training diverges, ToolFailedError when the process dies.
        """
        arrays = self._scratch / "pieces.npz"
        columns = {"hits": pieces.hits, "true": pieces.true, "weight": pieces.weight}
        np.savez(arrays, allow_pickle=False, **columns)
        started = self._ask("start", recipe=recipe.model_dump(mode="json"), pieces=str(arrays))
        for number, item in enumerate(recipe.stages):
            with watch.stage(item.name, f"train: {item.name}") as stage:
                for epoch in range(item.epochs):
                    told = self._ask("epoch", stage=number)
                    stage.moved(epoch + 1, item.epochs)
                stage.note = f"loss {told['loss']:.3f} a piece"
        self._ask("settle")
        return dict(started["versions"])

    def put_threshold(self, name: str, least: float) -> float:
        """Make the logits ``least`` and above those above zero; by how much all were lowered.

        Raises ConfigError when the last bias of the quantized network cannot hold it.
        """
        return float(self._ask("threshold", network=name, least=least)["shift"])

    def logits(self, name: str, hits: Words) -> NDArray[np.float32]:
        """Logits of whole images: (images, 8, 384), from words of the same shape."""
        given, taken = self._scratch / "hits.npy", self._scratch / "logits.npy"
        np.save(given, hits)
        self._ask("logits", network=name, hits=str(given), output=str(taken))
        return np.asarray(np.load(taken))

    def save(self, models: Path) -> dict[str, tuple[int, int]]:
        """Write ``float_baseline.h5`` and ``model.h5``; by layer of the quantized network, how
        many weights without biases, and zeros among them."""
        layers = self._ask("finish", models=str(models))["layers"]
        return {name: (int(size), int(zero)) for name, (size, zero) in layers.items()}

    def _ask(self, verb: str, **content: Any) -> dict[str, Any]:
        return ask(self._worker, do=verb, **content)


@contextmanager
def open_trainer(scratch: Path) -> Iterator[Trainer]:
    """A training process that ends with the block.

    scratch: an existing folder for what the two processes exchange.
    """
    command = Command(
        (sys.executable, "-m", "trigger_ml.tasks.muons.trainer"), scratch, "train the network"
    )
    with Worker(command) as worker:
        yield Trainer(worker, scratch)
