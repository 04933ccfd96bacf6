"""The training process: TensorFlow, QKeras and its pruning live here and nowhere else.

Started by :mod:`trigger_ml.tasks.jets.train` with ``python -m trigger_ml.tasks.jets.trainer``.
It reads one JSON request a line and writes one JSON answer a line (see
:class:`trigger_ml.toolrun.Worker`): ``start``, then ``epoch`` as often as asked for, ``finish``.
QKeras 0.9 needs Keras 2 under the name ``keras``, so that name is bound to tf_keras first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.graph.types import FixedType
from trigger_ml.keras2 import bind_keras
from trigger_ml.serving import serve
from trigger_ml.tasks.jets.recipe import Recipe
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


def float_network(inputs: int, classes: int, recipe: Recipe) -> Any:
    """Keras model of plain Dense and ReLU layers, ending in softmax."""
    import tf_keras as keras

    tensor = source = keras.Input((inputs,), name="features")
    for number, units in enumerate(recipe.network.hidden, 1):
        tensor = keras.layers.Dense(units, name=f"fc{number}")(tensor)
        tensor = keras.layers.Activation("relu", name=f"relu{number}")(tensor)
    tensor = keras.layers.Dense(classes, name="logits")(tensor)
    tensor = keras.layers.Activation("softmax", name="softmax")(tensor)
    return keras.Model(source, tensor, name="jet_tagger_float")


def quantized_network(
    inputs: int, classes: int, recipe: Recipe, wrap: Callable[[Any, int], Any] | None = None
) -> Any:
    """QKeras model with a quantizer on its inputs, ending in softmax.

    wrap: what to put around every layer with weights (and its position among those), for
    pruning.
    """
    widths = recipe.network
    weight = FixedType(widths.weight_bits, widths.weight_integer + 1)
    bias = FixedType(widths.bias_bits, widths.bias_integer + 1)
    relu = FixedType(widths.activation_bits, widths.activation_integer, signed=False)
    layers = [
        QuantizedLayer(f"fc{number}", units, weight, bias, relu, f"relu{number}")
        for number, units in enumerate(widths.hidden, 1)
    ]
    layers.append(QuantizedLayer("logits", classes, weight, bias, None))
    grid = FixedType(recipe.inputs.bits, recipe.inputs.integer + 1)
    return quantized_chain("jet_tagger", inputs, grid, layers, "softmax", wrap)


class _Trainer:
    """Holds the jets and the two networks between requests."""

    def __init__(self) -> None:
        self._recipe = Recipe()
        self._jets: dict[str, NDArray[Any]] = {}
        self._targets: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._networks: dict[str, Any] = {}
        self._students: dict[str, Any] = {}
        self._epochs = {"float": 0, "quantized": 0}

    def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take the jets: arrays x_*, y_* for train, validation and test."""
        import tf_keras as keras

        self._recipe = Recipe.model_validate(request["recipe"])
        keras.utils.set_random_seed(self._recipe.seed)
        with np.load(request["arrays"]) as arrays:
            self._jets = dict(arrays)
        labels = self._jets["y_train"]
        self._targets = np.eye(request["classes"], dtype=np.float32)[labels]
        return {"versions": {name: version(name) for name in PACKAGES}}

    def epoch(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Train one network ("float" or "quantized") for one epoch."""
        name = request["network"]
        if name not in self._students:
            self._students[name] = self._prepare(name)
        student, done = self._students[name], self._epochs[name]
        history = student.fit(
            self._jets["x_train"],
            self._targets,
            batch_size=self._recipe.training.batch,
            initial_epoch=done,
            epochs=done + 1,
            callbacks=pruning_callbacks() if name == "quantized" else [],
            verbose=0,
        )
        self._epochs[name] = done + 1
        loss = float(history.history["loss"][-1])
        if not math.isfinite(loss):
            raise ConfigError(
                Blocker(
                    f"training.{name}_learning_rate",
                    f"the {name} network diverged: its loss is {loss} in epoch {done + 1}",
                    "lower it",
                )
            )
        chosen = self._predict(student, "x_validation").argmax(axis=1)
        return {"loss": loss, "validation": float((chosen == self._jets["y_validation"]).mean())}

    def finish(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Write both models and their logits on the test jets."""
        models, scratch = Path(request["models"]), Path(request["scratch"])
        shape = self._jets["x_train"].shape[1], self._targets.shape[1]
        network = quantized_network(*shape, self._recipe)
        for layer in network.layers:
            if layer.get_weights():
                trained = unwrapped(self._students["quantized"], layer.name).get_weights()
                layer.set_weights(on_grid(layer, trained))
        self._networks["quantized"] = network
        network.save(models / "model.h5", include_optimizer=False)
        self._networks["float"].save(models / "float_baseline.h5", include_optimizer=False)
        for name, model in self._networks.items():
            logits = self._predict(without_tail(model), "x_test")
            np.save(scratch / f"{name}_logits.npy", logits.astype(np.float64))
        return {"layers": weight_counts(network)}

    def _predict(self, model: Any, jets: str) -> NDArray[Any]:
        answer = model.predict(self._jets[jets], batch_size=PREDICT_BATCH, verbose=0)
        return np.asarray(answer)

    def _prepare(self, name: str) -> Any:
        """A compiled model that answers logits."""
        training = self._recipe.training
        shape = self._jets["x_train"].shape[1], self._targets.shape[1]
        if name == "float":
            network = self._networks["float"] = float_network(*shape, self._recipe)
            return compiled(
                network, training.float_learning_rate, self._steps(training.float_epochs)
            )
        steps = self._steps(training.quantized_epochs)
        pruning = self._recipe.pruning
        wrap = pruner(self._recipe.layer_sparsity, pruning.begin, pruning.end, steps)
        network = quantized_network(*shape, self._recipe, wrap)
        for layer in self._networks["float"].layers:
            if layer.get_weights():
                unwrapped(network, layer.name).set_weights(layer.get_weights())
        answers = self._predict(self._networks["float"], "x_train")
        share = training.distillation
        mixed = (1 - share) * self._targets + share * answers
        self._targets = mixed.astype(np.float32)
        return compiled(network, training.quantized_learning_rate, steps)

    def _steps(self, epochs: int) -> int:
        return epochs * math.ceil(len(self._targets) / self._recipe.training.batch)


def main() -> None:
    """Answer requests until the input ends."""
    bind_keras()
    trainer = _Trainer()
    serve({"start": trainer.start, "epoch": trainer.epoch, "finish": trainer.finish})


if __name__ == "__main__":
    main()
