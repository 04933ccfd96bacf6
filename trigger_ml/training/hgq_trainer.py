"""The training process for HGQ2 networks: JAX, Keras 3, HGQ2 and hls4ml live here.

Started by :mod:`trigger_ml.compress.hgq_client` with ``python -m trigger_ml.training.hgq_trainer``
in the environment of :func:`trigger_ml.frontends.hgq_paths.worker_environment`. Verbs: ``start``,
then ``epochs`` as often as asked for, ``frontier``, and ``point`` for each point to keep.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.hgq_settings import HgqSettings
from trigger_ml.compress.metrics.find import Metric, find_metric
from trigger_ml.compress.networks.network import load_network
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.frontends.hgq_convert import hgq_model_graph
from trigger_ml.graph.from_hls4ml import read_graph
from trigger_ml.serving import serve
from trigger_ml.training.distillation import is_binary, targets
from trigger_ml.training.hgq_networks import (
    PACKAGES,
    hgq_network,
    quiet,
    set_price,
    settle_ranges,
)

PREDICT_BATCH: Final = 16384
LAST_RATE: Final = 0.05
"""Share of the learning rate that is left at the end of the sweep: the price still rises."""


@dataclass(frozen=True, slots=True, eq=False)
class _Snapshot:
    """The network after one epoch."""

    epoch: int
    price: float
    ebops: float
    metric: float
    weights: list[NDArray[Any]]


class _Trainer:
    """Holds the events, the network and the snapshots between requests."""

    def __init__(self) -> None:
        self._settings = HgqSettings()
        self._data: Dataset | None = None
        self._metric: Metric = find_metric("accuracy", ())
        self._model: Any = None
        self._targets: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._kept: list[_Snapshot] = []
        self._epoch = 0
        self._polishes = False

    def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take the float network and the events, and build the network to train."""
        import keras

        quiet()
        keras.utils.set_random_seed(request["seed"])
        settings = self._settings = HgqSettings.model_validate(request["settings"])
        network = load_network(Path(request["network"]))
        self._data = Dataset.load(Path(request["dataset"]))
        self._metric = find_metric(request["metric"], self._data.classes)
        answers = np.load(request["answers"], allow_pickle=False)
        self._targets = targets(answers, self._data.y_train, settings.distillation)
        self._model = hgq_network(
            network, settings.beta[0], shared_widths=settings.permutation_invariant
        )
        self._compile(settings.learning_rate, settings.epochs, LAST_RATE)
        return {"versions": {name: version(name) for name in PACKAGES}}

    def epochs(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Train for so many epochs, the price rising, and keep what is best at its size."""
        loss = 0.0
        for _ in range(int(request["count"])):
            price = self._settings.price(self._epoch)
            set_price(self._model, price)
            loss = self._fit(1)
            self._epoch += 1
            self._keep(price)
        last = self._kept[-1] if self._kept else None
        return {
            "loss": loss,
            "metric": last.metric if last else math.nan,
            "ebops": last.ebops if last else math.nan,
        }

    def frontier(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Choose the points to keep: evenly spread in log(EBOPs) along the frontier."""
        self._kept = _spread(self._kept, int(request["points"]))
        return {"points": len(self._kept)}

    def point(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Polish a point at its own price, settle its ranges, convert it and write it."""
        snapshot, data = self._kept[int(request["index"])], self._loaded
        self._polish(snapshot)
        events = np.concatenate([data.x_train, data.x_validation])
        ebops = settle_ranges(self._model, events)
        self._model.save(Path(request["file"]))
        project = hgq_model_graph(self._model, request)
        graph = read_graph(project, str(request["top"]))
        return {
            "graph": graph.to_json(),
            "ebops": ebops,
            "price": snapshot.price,
            "epoch": snapshot.epoch,
        }

    def _polish(self, snapshot: _Snapshot) -> None:
        """Leave the model as the best epoch of a training whose step falls to zero.

        Not the last one: a width that falls to zero can take a point far down in one step.
        """
        settings, data = self._settings, self._loaded
        if not self._polishes:
            self._compile(settings.polish_learning_rate, max(settings.polish_epochs, 1), 0.0)
            self._polishes = True
        self._model.set_weights(snapshot.weights)
        set_price(self._model, snapshot.price)
        for variable in self._model.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        best, weights = snapshot.metric, snapshot.weights
        for _ in range(settings.polish_epochs):
            self._fit(1)
            metric = self._metric(self._predict(data.x_validation), data.y_validation)
            if metric >= best:
                best = metric
                weights = [np.asarray(weight) for weight in self._model.get_weights()]
        self._model.set_weights(weights)

    @property
    def _loaded(self) -> Dataset:
        assert self._data is not None
        return self._data

    def _compile(self, rate: float, epochs: int, last: float) -> None:
        import keras

        steps = epochs * math.ceil(len(self._targets) / self._settings.batch)
        loss = (
            keras.losses.BinaryCrossentropy(from_logits=True)
            if is_binary(self._targets.shape[1], self._loaded.y_train)
            else keras.losses.CategoricalCrossentropy(from_logits=True)
        )
        schedule = keras.optimizers.schedules.CosineDecay(rate, steps, alpha=last)
        self._model.compile(keras.optimizers.Adam(schedule), loss, jit_compile=True)

    def _fit(self, epochs: int) -> float:
        history = self._model.fit(
            self._loaded.x_train,
            self._targets,
            batch_size=self._settings.batch,
            epochs=epochs,
            verbose=0,
        )
        loss = float(history.history["loss"][-1])
        if not math.isfinite(loss):
            raise ConfigError(
                Blocker(
                    "hgq.learning_rate",
                    f"the training diverged: the loss is {loss} in epoch {self._epoch + 1}",
                    "lower it, or begin with a lower beta",
                )
            )
        return loss

    def _keep(self, price: float) -> None:
        """Remember this epoch unless an earlier one was smaller and as good."""
        ebops = sum(float(layer.ebops) for layer in self._model.layers if hasattr(layer, "ebops"))
        metric = self._metric(self._predict(self._loaded.x_validation), self._loaded.y_validation)
        if any(old.ebops <= ebops and old.metric >= metric for old in self._kept):
            return
        weights = [np.asarray(weight) for weight in self._model.get_weights()]
        snapshot = _Snapshot(self._epoch, price, ebops, metric, weights)
        self._kept = _front([*self._kept, snapshot])

    def _predict(self, events: NDArray[np.float32]) -> NDArray[np.float64]:
        answer = self._model.predict(events, batch_size=PREDICT_BATCH, verbose=0)
        return np.asarray(answer, dtype=np.float64).reshape(len(events), -1)


def _front(snapshots: list[_Snapshot]) -> list[_Snapshot]:
    """Those that none smaller or equal matches, from small to large."""
    front: list[_Snapshot] = []
    for snapshot in sorted(snapshots, key=lambda item: (item.ebops, -item.metric)):
        if snapshot.ebops > 0 and (not front or snapshot.metric > front[-1].metric):
            front.append(snapshot)
    return front


def _spread(front: list[_Snapshot], count: int) -> list[_Snapshot]:
    """At most ``count`` of a frontier: for even steps of log(EBOPs), the best up to there."""
    if len(front) <= count:
        return front
    sizes = np.log([snapshot.ebops for snapshot in front])
    marks = np.linspace(sizes[0], sizes[-1], count)
    chosen = {int(np.searchsorted(sizes, mark + 1e-9, side="right")) - 1 for mark in marks}
    return [front[index] for index in sorted(chosen)]


def main() -> None:
    """Answer requests until the input ends."""
    trainer = _Trainer()
    serve(
        {
            "start": trainer.start,
            "epochs": trainer.epochs,
            "frontier": trainer.frontier,
            "point": trainer.point,
        }
    )


if __name__ == "__main__":
    main()
