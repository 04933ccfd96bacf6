"""The training process: TensorFlow, QKeras and its pruning live here and nowhere else.

Started by :mod:`trigger_ml.tasks.jets.train` with ``python -m trigger_ml.tasks.jets.trainer``.
It reads one JSON request a line and writes one JSON answer a line (see
:class:`trigger_ml.toolrun.Worker`): ``start``, then ``epoch`` as often as asked for, ``finish``.
QKeras 0.9 needs Keras 2 under the name ``keras``, so that name is bound to tf_keras first.
"""

from __future__ import annotations

import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import BlockedError, Blocker, ConfigError
from trigger_ml.tasks.jets.recipe import Recipe

PACKAGES: Final = (
    "tensorflow",
    "tf_keras",
    "QKeras",
    "tensorflow-model-optimization",
    "numpy",
)
PREDICT_BATCH: Final = 16384
MASK_EVERY: Final = 20
"""Steps between two looks at which weights are the smallest."""


def _bind_keras() -> None:
    """Make ``keras`` mean Keras 2, quietly and on the CPU."""
    os.environ.update(CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3", TF_USE_LEGACY_KERAS="1")
    warnings.filterwarnings("ignore")
    import tf_keras

    sys.modules["keras"] = tf_keras


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
    import tf_keras as keras
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu

    widths = recipe.network

    def dense(units: int, name: str, position: int) -> Any:
        layer = QDense(
            units,
            kernel_quantizer=quantized_bits(widths.weight_bits, widths.weight_integer, alpha=1),
            bias_quantizer=quantized_bits(widths.bias_bits, widths.bias_integer, alpha=1),
            name=name,
        )
        return wrap(layer, position) if wrap else layer

    tensor = source = keras.Input((inputs,), name="features")
    grid = quantized_bits(recipe.inputs.bits, recipe.inputs.integer, alpha=1)
    tensor = QActivation(grid, name="input_grid")(tensor)
    for number, units in enumerate(widths.hidden, 1):
        tensor = dense(units, f"fc{number}", number - 1)(tensor)
        relu = quantized_relu(widths.activation_bits, widths.activation_integer)
        tensor = QActivation(relu, name=f"relu{number}")(tensor)
    tensor = dense(classes, "logits", len(widths.hidden))(tensor)
    tensor = keras.layers.Activation("softmax", name="softmax")(tensor)
    return keras.Model(source, tensor, name="jet_tagger")


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
            callbacks=_pruning_callbacks(name),
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
                trained = _unwrapped(self._students["quantized"], layer.name).get_weights()
                layer.set_weights(_on_grid(layer, trained))
        self._networks["quantized"] = network
        network.save(models / "model.h5", include_optimizer=False)
        self._networks["float"].save(models / "float_baseline.h5", include_optimizer=False)
        for name, model in self._networks.items():
            logits = self._predict(_without_softmax(model), "x_test")
            np.save(scratch / f"{name}_logits.npy", logits.astype(np.float64))
        return {"layers": _weight_counts(network)}

    def _predict(self, model: Any, jets: str) -> NDArray[Any]:
        answer = model.predict(self._jets[jets], batch_size=PREDICT_BATCH, verbose=0)
        return np.asarray(answer)

    def _prepare(self, name: str) -> Any:
        """A compiled model that answers logits."""
        training = self._recipe.training
        shape = self._jets["x_train"].shape[1], self._targets.shape[1]
        if name == "float":
            network = self._networks["float"] = float_network(*shape, self._recipe)
            return _compiled(
                network, training.float_learning_rate, self._steps(training.float_epochs)
            )
        steps = self._steps(training.quantized_epochs)
        network = quantized_network(*shape, self._recipe, _pruner(self._recipe, steps))
        for layer in self._networks["float"].layers:
            if layer.get_weights():
                _unwrapped(network, layer.name).set_weights(layer.get_weights())
        answers = self._predict(self._networks["float"], "x_train")
        share = training.distillation
        mixed = (1 - share) * self._targets + share * answers
        self._targets = mixed.astype(np.float32)
        return _compiled(network, training.quantized_learning_rate, steps)

    def _steps(self, epochs: int) -> int:
        return epochs * math.ceil(len(self._targets) / self._recipe.training.batch)


def _without_softmax(network: Any) -> Any:
    import tf_keras as keras

    return keras.Model(network.input, network.layers[-2].output)


def _compiled(network: Any, rate: float, steps: int) -> Any:
    import tf_keras as keras

    model = _without_softmax(network)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        keras.optimizers.Adam(schedule),
        keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    return model


def _pruner(recipe: Recipe, steps: int) -> Callable[[Any, int], Any]:
    """What wraps a layer for pruning on the recipe's schedule, over so many steps in all."""
    from tensorflow_model_optimization.sparsity import keras as sparsity

    begin = int(recipe.pruning.begin * steps)
    span = max(int((recipe.pruning.end - recipe.pruning.begin) * steps), 1)
    frequency = max(1, min(MASK_EVERY, span // 10))
    end = begin + frequency * math.ceil(span / frequency)  # so that the last look is at the end

    def wrap(layer: Any, position: int) -> Any:
        schedule = sparsity.PolynomialDecay(
            initial_sparsity=0.0,
            final_sparsity=recipe.layer_sparsity[position],
            begin_step=begin,
            end_step=end,
            frequency=frequency,
        )
        return sparsity.prune_low_magnitude(layer, schedule, name=f"pruned_{layer.name}")

    return wrap


def _pruning_callbacks(name: str) -> list[Any]:
    if name == "float":
        return []
    from tensorflow_model_optimization.sparsity import keras as sparsity

    return [sparsity.UpdatePruningStep()]


def _unwrapped(model: Any, name: str) -> Any:
    """The layer of that name, whether it is wrapped for pruning or not."""
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)
        if inner.name == name:
            return inner
    raise KeyError(name)


def _on_grid(layer: Any, weights: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Weights as the layer's own quantizers round them, so that the file holds what is used."""
    quantizers = (layer.kernel_quantizer_internal, layer.bias_quantizer_internal)
    return [
        np.asarray(quantizer(values)) for quantizer, values in zip(quantizers, weights, strict=True)
    ]


def _weight_counts(network: Any) -> dict[str, list[int]]:
    """Weights (without biases) and zeros among them, by layer."""
    kernels = {
        layer.name: layer.get_weights()[0] for layer in network.layers if layer.get_weights()
    }
    return {name: [kernel.size, int((kernel == 0).sum())] for name, kernel in kernels.items()}


def main() -> None:
    """Answer requests until the input ends."""
    _bind_keras()
    trainer = _Trainer()
    verbs: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
        "start": trainer.start,
        "epoch": trainer.epoch,
        "finish": trainer.finish,
    }
    with os.fdopen(int(os.environ["TRIGGER_ML_ANSWERS"]), "w", encoding="utf-8") as answers:
        for line in sys.stdin:
            request = json.loads(line)
            answer: dict[str, Any]
            try:
                answer = {"answer": verbs[request["do"]](request)}
            except BlockedError as error:
                answer = {"blocked": [[b.where, b.what, b.fix] for b in error.blockers]}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
