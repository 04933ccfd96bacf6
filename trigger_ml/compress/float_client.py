"""Train a float network from nothing: what a compression starts from.

Keras runs in a process of its own (:mod:`trigger_ml.training.float_trainer`). The model file
appears whole, or not at all.
"""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np

from trigger_ml.check.roc import decisions
from trigger_ml.compress.dataset import Dataset, read_dataset
from trigger_ml.compress.float_settings import FloatSettings
from trigger_ml.compress.networks.network import (
    DenseLayer,
    FloatNetwork,
    GlobalAverage,
    Layer,
    read_network,
    save_network,
)
from trigger_ml.compress.networks.resize import resized
from trigger_ml.errors import Blocker, ConfigError, DataError
from trigger_ml.events import LABEL_KEYS, class_names, pick, read_arrays, require_inputs
from trigger_ml.files import appearing
from trigger_ml.frontends.hgq_paths import worker_environment
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.serving import ask
from trigger_ml.toolrun import Command, Worker

__all__ = ["TrainedFloat", "drawn_network", "train_float", "train_float_file"]

REPORTS: Final = 50
"""How often a training tells how far it is."""
PARTICLE_LAYERS: Final = (32, 16)


@dataclass(frozen=True, slots=True, eq=False)
class TrainedFloat:
    """A trained network, as its file holds it, and its accuracy on the test events."""

    network: FloatNetwork
    accuracy: float


def train_float_file(
    events: Path, output: Path, settings: FloatSettings, listener: Listener | None = None
) -> TrainedFloat:
    """Train a network for the events of a file and write it as ``.keras``.

    events: what :func:`trigger_ml.compress.dataset.read_dataset` reads, with one class an event.

    Raises DataError for events that cannot be used, ConfigError for settings that do not fit
    them or a training that diverges, BuildError where the output cannot be written,
    ToolMissingError without HGQ2's environment.
    """
    if output.suffix.lower() != ".keras":
        raise ConfigError(Blocker("--output", f"must be a .keras file, found {output.name}"))
    watch = Stopwatch(listener or Quiet())
    with watch.stage("read", "read the events") as stage:
        shape, classes = _shape_and_classes(events)
        network = drawn_network(_name(output), shape, classes, settings)
        data = read_dataset(events, shape, classes, settings.split, settings.seed)
        stage.note = f"{len(data.x_train):,} of shape {shape} to train, {classes} classes"
    trained = train_float(network, data, settings, output, listener)
    right = decisions(trained.logits(data.x_test)) == data.y_test
    return TrainedFloat(trained, float(right.mean()))


def drawn_network(
    name: str, input_shape: tuple[int, ...], outputs: int, settings: FloatSettings
) -> FloatNetwork:
    """The network that the settings describe, its weights drawn from the seed, biases zero.

    input_shape: of one event, (features,) or (particles, columns). outputs: 2 or more make a
    softmax, 1 a sigmoid. Raises ConfigError for layers that do not fit the events.
    """
    if len(input_shape) not in (1, 2):
        what = f"events of shape {input_shape}; they have one axis, or particles and columns"
        raise ConfigError(Blocker("events", what))
    particle = settings.particle
    if len(input_shape) == 1 and particle:
        what = f"{list(particle)} for flat events, which have no particles"
        raise ConfigError(Blocker("particle", what, "leave it out"))
    layers: list[Layer] = []
    sizes: list[int] = []
    if len(input_shape) == 2:
        sizes += PARTICLE_LAYERS if particle is None else particle
        layers += [_empty(f"particle_{number}") for number, _ in enumerate(sizes, 1)]
        layers.append(GlobalAverage("mean"))
    sizes += settings.jet
    layers += [_empty(f"jet_{number}") for number, _ in enumerate(settings.jet, 1)]
    last = DenseLayer("logits", np.zeros((1, outputs)), np.zeros(outputs), "linear")
    tail = "softmax" if outputs > 1 else "sigmoid"
    empty = FloatNetwork(name, input_shape, (*layers, last), tail, None)
    return resized(empty, sizes, settings.seed)


def train_float(
    network: FloatNetwork,
    data: Dataset,
    settings: FloatSettings,
    output: Path,
    listener: Listener | None = None,
) -> FloatNetwork:
    """Train a network on the events' training side and write it to ``output``, a ``.keras`` file.

    network: where the weights start; its tail is written too. Returns what the file holds: the
    same for the same arguments on the same machine.

    Raises ConfigError when the training diverges, BuildError where the file cannot be written,
    ToolMissingError without Keras' environment, ToolFailedError when the process dies.
    """
    watch = Stopwatch(listener or Quiet())
    with tempfile.TemporaryDirectory(prefix="trigger_ml_float_") as folder:
        scratch = Path(folder)
        start, events, file = (scratch / name for name in ("start.npz", "events.npz", "out.keras"))
        save_network(network, start)
        data.save(events)
        command = Command(
            (sys.executable, "-m", "trigger_ml.training.float_trainer"),
            scratch,
            "train the float network",
            worker_environment(),
        )
        given = {"network": str(start), "dataset": str(events)}
        with (
            Worker(command) as worker,
            watch.stage("float", "train the float network") as stage,
        ):
            ask(worker, do="start", settings=settings.model_dump(mode="json"), **given)
            done = 0
            while done < settings.epochs:
                count = min(ceil(settings.epochs / REPORTS), settings.epochs - done)
                told = ask(worker, do="epochs", count=count)
                done += count
                stage.moved(done, settings.epochs)
                stage.note = f"loss {told['loss']:.4f}, validation {told['validation']:.2%}"
            ask(worker, do="finish", file=str(file))
        trained = read_network(file)
        with appearing(output) as part:
            part.write_bytes(file.read_bytes())
    return trained


def _empty(name: str) -> DenseLayer:
    """A place for a layer; its weights are drawn."""
    return DenseLayer(name, np.zeros((1, 1)), np.zeros(1), "relu")


def _name(output: Path) -> str:
    return re.sub(r"\W+", "_", output.stem) or "network"


def _shape_and_classes(path: Path) -> tuple[tuple[int, ...], int]:
    """Shape of one event, and how many classes there are."""
    arrays = read_arrays(path)
    inputs, labels = require_inputs(path, arrays), pick(arrays, LABEL_KEYS)
    if labels is None or labels.dtype.kind not in "fiub" or labels.size == 0:
        what = f"there are no labels to learn (found {', '.join(arrays)})"
        raise DataError(Blocker(str(path), what, f"name them one of {', '.join(LABEL_KEYS)}"))
    names = len(class_names(arrays))
    if labels.ndim == 2:
        return inputs.shape[1:], int(labels.shape[1])
    return inputs.shape[1:], names or max(int(labels.max()) + 1, 2)
