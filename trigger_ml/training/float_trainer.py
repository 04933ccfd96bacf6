"""The training process for plain float networks: Keras 3 on JAX lives here.

Started by :mod:`trigger_ml.compress.float_client` with ``python -m
trigger_ml.training.float_trainer`` in the environment of
:func:`trigger_ml.frontends.hgq_paths.worker_environment`. Verbs: ``start``, then ``epochs`` as
often as asked for, ``finish``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.float_settings import FloatSettings
from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork, load_network
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.serving import serve

PREDICT_BATCH: Final = 16384


def keras_network(network: FloatNetwork) -> tuple[Any, Any]:
    """Keras models with the network's layers and weights: one that ends in logits, which is to
    be trained, and one with the tail behind it. They share their layers."""
    import keras

    layers = keras.layers
    tensor = source = keras.Input(network.input_shape, name="features")
    for layer in network.layers:
        if not isinstance(layer, DenseLayer):
            tensor = layers.GlobalAveragePooling1D(name=layer.name)(tensor)
            continue
        tensor = layers.Dense(layer.kernel.shape[1], name=layer.name)(tensor)
        if layer.activation == "relu":
            tensor = layers.ReLU(name=f"{layer.name}_relu")(tensor)
    logits = keras.Model(source, tensor, name=network.name)
    for layer in network.dense:
        logits.get_layer(layer.name).set_weights([layer.kernel, layer.bias])
    if not network.tail:
        return logits, logits
    tail = layers.Activation(network.tail, name=network.tail)(tensor)
    return logits, keras.Model(source, tail, name=network.name)


class _Trainer:
    """Holds the events and the network between requests."""

    def __init__(self) -> None:
        self._settings = FloatSettings()
        self._data: Dataset | None = None
        self._targets: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._logits: Any = None
        self._whole: Any = None
        self._epoch = 0

    def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take the drawn network and the events."""
        import keras

        settings = self._settings = FloatSettings.model_validate(request["settings"])
        keras.utils.set_random_seed(settings.seed)
        network = load_network(Path(request["network"]))
        self._data = Dataset.load(Path(request["dataset"]))
        outputs, labels = network.outputs, self._data.y_train
        self._logits, self._whole = keras_network(network)
        losses = keras.losses
        if outputs == 1:
            self._targets = labels.reshape(-1, 1).astype(np.float32)
            loss = losses.BinaryCrossentropy(from_logits=True)
        else:
            self._targets = np.eye(outputs, dtype=np.float32)[labels]
            loss = losses.CategoricalCrossentropy(from_logits=True)
        steps = settings.epochs * math.ceil(len(labels) / settings.batch)
        schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
        self._logits.compile(keras.optimizers.Adam(schedule), loss, jit_compile=True)
        return {}

    def epochs(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Train for so many epochs."""
        data, count = self._loaded, int(request["count"])
        history = self._logits.fit(
            data.x_train,
            self._targets,
            batch_size=self._settings.batch,
            epochs=count,
            verbose=0,
        )
        self._epoch += count
        loss = float(history.history["loss"][-1])
        if not math.isfinite(loss):
            raise ConfigError(
                Blocker(
                    "learning_rate",
                    f"the network diverged: its loss is {loss} in epoch {self._epoch}",
                    "lower it",
                )
            )
        return {"loss": loss, "validation": self._accuracy(data.x_validation, data.y_validation)}

    def finish(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Write the model with its tail."""
        self._whole.save(Path(request["file"]))
        return {}

    @property
    def _loaded(self) -> Dataset:
        assert self._data is not None
        return self._data

    def _accuracy(self, events: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
        answer = np.asarray(self._logits.predict(events, batch_size=PREDICT_BATCH, verbose=0))
        chosen = answer[:, 0] > 0 if answer.shape[1] == 1 else answer.argmax(axis=1)
        return float((chosen == labels).mean())


def main() -> None:
    """Answer requests until the input ends."""
    trainer = _Trainer()
    serve({"start": trainer.start, "epochs": trainer.epochs, "finish": trainer.finish})


if __name__ == "__main__":
    main()
