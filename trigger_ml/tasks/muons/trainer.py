"""The training process: TensorFlow, QKeras and its pruning live here and nowhere else.

Started by :mod:`trigger_ml.tasks.muons.trainer_client` with
``python -m trigger_ml.tasks.muons.trainer``; it answers the requests of
:func:`trigger_ml.serving.serve`: ``start``, then ``epoch`` as often as the stages of the recipe
ask for, ``settle``, ``threshold``, ``logits`` and ``finish``.
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
from trigger_ml.tasks.muons.chamber import LAYERS
from trigger_ml.tasks.muons.images import unpack
from trigger_ml.tasks.muons.trainer_loss import piece_loss
from trigger_ml.tasks.muons.trainer_networks import network, on_grids
from trigger_ml.tasks.muons.training_recipe import SegmenterRecipe, Stage
from trigger_ml.tasks.muons.training_start import first_weights
from trigger_ml.training.qkeras_networks import (
    PACKAGES,
    pruner,
    pruning_callbacks,
    unwrapped,
    weight_counts,
)

PREDICT_BATCH: Final = 64
FLOAT_STEP: Final = 2.0**-12
"""Step on which the threshold of the float network lies."""
CLIP: Final = 5.0
"""Longest gradient of one weight array: a saturating network is steep in places."""
LOOK_EVERY: Final = 20
"""Steps between two looks at which weights are the smallest, where their number is held."""

Weights = list[list[NDArray[Any]]]
"""Kernel and bias of every convolution."""


class _Trainer:
    """Holds the pieces and the weights between requests."""

    def __init__(self) -> None:
        self._recipe = SegmenterRecipe()
        self._pieces: dict[str, NDArray[Any]] = {}
        self._batches: Any = None
        self._student: Any = None
        self._stage = -1
        self._epochs = 0
        self._weights: Weights = []
        self._float: Weights = []
        self._networks: dict[str, Any] = {}

    @property
    def _names(self) -> list[str]:
        """Of the layers in the recipe."""
        return [f"conv{number + 1}" for number in range(len(self._recipe.layers))]

    def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take the pieces: arrays hits, true and weight of
        :class:`trigger_ml.tasks.muons.crops.Pieces`."""
        import tensorflow as tf
        import tf_keras as keras

        self._recipe = SegmenterRecipe.model_validate(request["recipe"])
        keras.utils.set_random_seed(self._recipe.seed)
        tf.config.experimental.enable_op_determinism()
        with np.load(request["pieces"], allow_pickle=False) as arrays:
            self._pieces = dict(arrays)
        self._batches = self._shuffled()
        if self._recipe.start == "patterns":
            self._weights = [list(pair) for pair in first_weights(self._recipe)]
        return {"versions": {name: version(name) for name in PACKAGES}}

    def epoch(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Train one stage of the recipe, given by its number, for one epoch."""
        stage = self._recipe.stages[request["stage"]]
        if request["stage"] != self._stage:
            self._keep()
            self._stage, self._epochs = request["stage"], 0
            self._student = self._prepare(stage)
        history = self._student.fit(
            self._batches,
            initial_epoch=self._epochs,
            epochs=self._epochs + 1,
            callbacks=pruning_callbacks() if stage.sparsity else [],
            verbose=0,
        )
        self._epochs += 1
        loss = float(history.history["loss"][-1])
        if not math.isfinite(loss):
            what = f"the network diverged: its loss is {loss} in epoch {self._epochs} of stage "
            raise ConfigError(Blocker("training", what + f'"{stage.name}"', "lower its rate"))
        return {"loss": loss}

    def settle(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        """Make the networks that will be saved: for whole images, weights on their grids."""
        self._keep()
        for name, weights in (("float", self._float), ("quantized", self._weights)):
            self._networks[name] = kept = network(self._recipe, quantized=name == "quantized")
            if name == "quantized":
                weights = on_grids(self._recipe, weights, len(weights))
            _put(kept, weights)
        return {}

    def threshold(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Lower the last bias so that the cells at ``least`` and above are those above zero."""
        name, item = request["network"], self._recipe.layers[-1]
        layer = self._networks[name].get_layer(self._names[-1])
        kind = FixedType(item.bias_bits, item.bias_integer + 1)
        step = kind.step if name == "quantized" else FLOAT_STEP
        shift = (math.ceil(request["least"] / step) - 1) * step
        kernel, bias = layer.get_weights()
        lowered = bias - np.float32(shift)
        code = float(lowered[0]) / kind.step
        if name == "quantized" and not kind.min_code <= code <= kind.max_code:
            what = f"the threshold needs a bias of {float(lowered[0]):g}, which {kind} cannot hold"
            raise ConfigError(Blocker("layers: the last bias_integer", what, "raise it"))
        layer.set_weights([kernel, lowered])
        return {"shift": shift}

    def logits(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Write one network's logits of whole images, float32 (images, 8, 384).

        Minus infinity where a cell has no hit: no threshold marks it.
        """
        hits = np.load(request["hits"], mmap_mode="r")
        answers = np.lib.format.open_memmap(request["output"], "w+", np.float32, hits.shape)
        model = self._networks[request["network"]]
        for first in range(0, len(hits), PREDICT_BATCH):
            part = slice(first, first + PREDICT_BATCH)
            words = np.asarray(hits[part])
            images = unpack(words).astype(np.float32)
            found = np.asarray(model(images, training=False))[..., 0]
            answers[part] = np.where(words != 0, found, -np.inf)
        answers.flush()
        return {}

    def finish(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Write both models."""
        models = Path(request["models"])
        self._networks["quantized"].save(models / "model.h5", include_optimizer=False)
        self._networks["float"].save(models / "float_baseline.h5", include_optimizer=False)
        counts = weight_counts(self._networks["quantized"])
        return {"layers": {name: counts[name] for name in self._names}}

    def _keep(self) -> None:
        """Take the weights of the stage that has ended."""
        if self._student is None:
            return
        # A layer wrapped for pruning lists its masks behind its weights.
        self._weights = [unwrapped(self._student, name).get_weights()[:2] for name in self._names]
        if self._stage == 0:
            self._float = self._weights

    def _prepare(self, stage: Stage) -> Any:
        """A compiled model of pieces."""
        import tf_keras as keras

        steps = stage.epochs * math.ceil(len(self._pieces["hits"]) / self._recipe.training.batch)
        wrap = self._wrap(stage, steps)
        width = self._recipe.crops.width
        model = network(self._recipe, strips=width, stage=stage, wrap=wrap)
        if self._weights:
            _put(model, on_grids(self._recipe, self._weights, stage.frozen))
        schedule = keras.optimizers.schedules.CosineDecay(stage.rate, steps)
        adam = keras.optimizers.Adam(schedule, clipnorm=CLIP)
        model.compile(adam, piece_loss(self._recipe), jit_compile=True)
        return model

    def _wrap(self, stage: Stage, steps: int) -> Callable[[Any, int], Any] | None:
        from tensorflow_model_optimization.sparsity import keras as sparsity_keras

        sparsity = [layer.sparsity for layer in self._recipe.layers]
        if stage.sparsity == "rising":
            return pruner(sparsity, self._recipe.pruning.begin, self._recipe.pruning.end, steps)
        if not stage.sparsity:
            return None

        def held(layer: Any, position: int) -> Any:
            schedule = sparsity_keras.ConstantSparsity(sparsity[position], 0, frequency=LOOK_EVERY)
            return sparsity_keras.prune_low_magnitude(layer, schedule, name=f"pruned_{layer.name}")

        return held

    def _shuffled(self) -> Any:
        """The pieces in batches, in a new order every epoch."""
        import tensorflow as tf

        bits = tf.constant(np.arange(LAYERS, dtype=np.uint8))

        def arrays(hits: Any, true: Any, weight: Any) -> tuple[Any, Any, Any]:
            channels = tf.bitwise.bitwise_and(tf.bitwise.right_shift(hits[..., None], bits), 1)
            return tf.cast(channels, tf.float32), tf.cast(true[..., None], tf.float32), weight

        columns = tuple(self._pieces[name] for name in ("hits", "true", "weight"))
        pieces = tf.data.Dataset.from_tensor_slices(columns)
        shuffled = pieces.shuffle(len(self._pieces["hits"]), seed=self._recipe.seed)
        return shuffled.batch(self._recipe.training.batch).map(arrays).prefetch(2)


def _put(model: Any, weights: Weights) -> None:
    """Give the convolutions of a model, wrapped for pruning or not, their weights."""
    for number, pair in enumerate(weights, 1):
        layer = unwrapped(model, f"conv{number}")
        layer.set_weights([*pair, *layer.get_weights()[2:]])


def main() -> None:
    """Answer requests until the input ends."""
    bind_keras()
    trainer = _Trainer()
    verbs = ("start", "epoch", "settle", "threshold", "logits", "finish")
    serve({verb: getattr(trainer, verb) for verb in verbs})


if __name__ == "__main__":
    main()
