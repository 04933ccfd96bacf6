"""The process that writes QKeras models of given types, and trains them.

Started by :mod:`trigger_ml.compress.qkeras_client` with
``python -m trigger_ml.training.qkeras_trainer``; it answers the requests of
:func:`trigger_ml.serving.serve`: ``write``, or ``start``, ``epoch`` as often as asked for, and
``finish``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.fine_tuning import FineTuning
from trigger_ml.compress.fixed_point.layer_types import LayerTypes, activation_name
from trigger_ml.compress.networks.network import FloatNetwork, load_network
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.keras2 import bind_keras
from trigger_ml.serving import serve
from trigger_ml.training.distillation import is_binary, targets
from trigger_ml.training.qkeras_networks import (
    PACKAGES,
    QuantizedLayer,
    compiled,
    on_grid,
    pruner,
    pruning_callbacks,
    quantized_chain,
    unwrapped,
    weight_counts,
    without_tail,
)

PREDICT_BATCH: Final = 16384
Masks = Mapping[str, NDArray[Any]]


class _Trainer:
    """Holds the events and the network between requests."""

    def __init__(self) -> None:
        self._network: FloatNetwork
        self._types: LayerTypes
        self._settings = FineTuning()
        self._masks: Masks = {}
        self._data: Dataset
        self._targets: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._student: Any = None
        self._epochs = 0

    def write(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Save a model without training it."""
        network = load_network(Path(request["network"]))
        model = _model(network, LayerTypes.from_json(request["types"]))
        for layer in network.dense:
            kept = model.get_layer(layer.name)
            kept.set_weights(on_grid(kept, [layer.kernel, layer.bias]))
        _save(model, Path(request["output"]))
        return {"layers": weight_counts(model)}

    def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take network, types, events and masks, and make a model that is ready to train."""
        import tf_keras as keras

        self._settings = settings = FineTuning.model_validate(request["settings"])
        keras.utils.set_random_seed(settings.seed)
        self._network = network = load_network(Path(request["network"]))
        self._types = LayerTypes.from_json(request["types"])
        self._data = Dataset.load(Path(request["dataset"]))
        with np.load(request["masks"], allow_pickle=False) as file:
            self._masks = dict(file)
        logits = np.load(request["answers"], allow_pickle=False)
        share = settings.distillation
        self._targets = targets(logits, self._data.y_train, share)
        steps = settings.epochs * math.ceil(len(self._targets) / settings.batch)
        wrap = None
        if settings.sparsity:
            sparsity = [settings.sparsity.get(layer.name, 0.0) for layer in network.dense]
            wrap = pruner(sparsity, settings.prune_begin, settings.prune_end, steps)
        model = _model(network, self._types, self._masks, wrap)
        for layer in network.dense:
            kernel_mask, bias_mask = _masks_of(layer.name, self._masks) or (1.0, 1.0)
            weights = [layer.kernel * kernel_mask, layer.bias * bias_mask]
            unwrapped(model, layer.name).set_weights(weights)
        binary = is_binary(network.outputs, self._data.y_train)
        self._student = compiled(model, settings.learning_rate, steps, binary=binary)
        return {"versions": {name: version(name) for name in PACKAGES}}

    def epoch(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        """Train for one epoch."""
        done, settings = self._epochs, self._settings
        history = self._student.fit(
            self._data.x_train,
            self._targets,
            batch_size=settings.batch,
            initial_epoch=done,
            epochs=done + 1,
            callbacks=pruning_callbacks() if settings.sparsity else [],
            verbose=0,
        )
        self._epochs = done + 1
        loss = float(history.history["loss"][-1])
        if not math.isfinite(loss):
            what = f"the fine-tuning diverged: its loss is {loss} in epoch {done + 1}"
            raise ConfigError(Blocker("learning_rate", what, "lower it"))
        logits = _predict(self._student, self._data.x_validation)
        return {"loss": loss, "validation": _right(logits, self._data.y_validation)}

    def finish(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Save the model with its weights on their grids, and its logits."""
        model = _model(self._network, self._types)
        for layer in self._network.dense:
            kept = model.get_layer(layer.name)
            trained = unwrapped(self._student, layer.name).get_weights()
            kept.set_weights(on_grid(kept, trained))
        _save(model, Path(request["output"]))
        answers = without_tail(model)
        sides = {"validation": self._data.x_validation, "test": self._data.x_test}
        logits = {side: _predict(answers, values) for side, values in sides.items()}
        np.savez(request["logits"], allow_pickle=False, **logits)
        return {"layers": weight_counts(model)}


def _right(logits: NDArray[np.float64], labels: NDArray[Any]) -> float:
    """Share of right decisions."""
    if logits.shape[1] == 1 or labels.ndim == 2:
        return float(((logits > 0) == labels.reshape(logits.shape)).mean())
    return float((logits.argmax(axis=1) == labels).mean())


def _model(
    network: FloatNetwork, types: LayerTypes, masks: Masks | None = None, wrap: Any = None
) -> Any:
    layers = []
    for layer in network.dense:
        own = types.layers[layer.name]
        layers.append(
            QuantizedLayer(
                layer.name,
                layer.kernel.shape[1],
                own.weight,
                own.bias,
                own.activation,
                activation_name(layer.name),
                _masks_of(layer.name, masks or {}),
            )
        )
    size = network.input_shape[0]
    return quantized_chain(network.name, size, types.input, layers, network.tail, wrap)


def _masks_of(layer: str, masks: Masks) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Masks of a layer's kernel and bias; biases are free where only the kernel has one."""
    if layer not in masks:
        return None
    kernel = masks[layer]
    return kernel, masks.get(f"{layer}.bias", np.ones(kernel.shape[1]))


def _predict(model: Any, values: NDArray[Any]) -> NDArray[np.float64]:
    answer = np.asarray(model.predict(values, batch_size=PREDICT_BATCH, verbose=0))
    return answer.reshape(len(values), -1).astype(np.float64)


def _save(model: Any, path: Path) -> None:
    """Keras picks the format by the suffix, so the name has to end in .h5."""
    model.save(path, include_optimizer=False, save_format="h5")


def main() -> None:
    """Answer requests until the input ends."""
    bind_keras()
    trainer = _Trainer()
    serve(
        {
            "write": trainer.write,
            "start": trainer.start,
            "epoch": trainer.epoch,
            "finish": trainer.finish,
        }
    )


if __name__ == "__main__":
    main()
