"""The training process: TensorFlow and QKeras live here and nowhere else.

Started by :mod:`trigger_ml.tasks.tracks.trainer_client` with
``python -m trigger_ml.tasks.tracks.trainer``; it answers the requests of
:func:`trigger_ml.serving.serve`: ``start``, then ``epoch`` as often as the stages of the recipe
ask for, ``settle``, ``logits`` and ``finish``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.keras2 import bind_keras
from trigger_ml.serving import serve
from trigger_ml.tasks.tracks.network import (
    Weights,
    first_weights,
    on_grids,
    sector_network,
    sparse_logits,
)
from trigger_ml.tasks.tracks.training_lists import EdgeLists
from trigger_ml.tasks.tracks.training_recipe import FEATURES, EdgeRecipe, Stage

PACKAGES: Final = ("tensorflow", "tf_keras", "QKeras", "numpy")
PREDICT_EVENTS: Final = 50
CLIP: Final = 5.0
"""Longest gradient of all weights together."""
LOOK_EVERY: Final = 20
"""Steps between two looks at which weights are the smallest."""

Batch = tuple[Any, ...]


class _Trainer:
    """Holds the edges and the weights between requests."""

    def __init__(self) -> None:
        self._recipe = EdgeRecipe()
        self._lists: dict[str, EdgeLists] = {}
        self._rng = np.random.default_rng()
        self._running: _Running | None = None
        self._stage = -1
        self._weights: dict[str, Weights] = {}
        self._taught: dict[str, NDArray[np.float32]] = {}

    def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take the edges of the training events: a file for each kind of sector."""
        import tensorflow as tf

        self._recipe = EdgeRecipe.model_validate(request["recipe"])
        tf.config.experimental.enable_op_determinism()
        tf.keras.utils.set_random_seed(self._recipe.seed)
        self._rng = np.random.default_rng(self._recipe.seed)
        self._lists = {name: EdgeLists.load(Path(path)) for name, path in request["lists"].items()}
        for name in ("float", "quantized"):
            self._weights[name] = first_weights(self._recipe.sizes(name), self._recipe.seed)
        return {"versions": {name: version(name) for name in PACKAGES}}

    def epoch(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Train one stage of the recipe, given by its number, for one epoch."""
        stage = self._recipe.stages[request["stage"]]
        events = len(next(iter(self._lists.values())))
        if request["stage"] != self._stage:
            self._keep()
            self._stage = request["stage"]
            if stage.network == "quantized" and not self._taught:
                self._taught = {
                    name: self._answers("float", lists) for name, lists in self._lists.items()
                }
                if self._recipe.network == self._recipe.float_network:
                    self._weights["quantized"] = self._weights["float"]
            steps = stage.epochs * math.ceil(events / self._recipe.training.batch)
            weights = self._weights[stage.network]
            self._running = _Running(self._recipe, stage, weights, steps)
        assert self._running is not None
        losses = [self._running.step(batch) for batch in self._batches(events)]
        loss = float(np.mean(losses))
        if not math.isfinite(loss):
            what = f'the network diverged: its loss is {loss} in stage "{stage.name}"'
            raise ConfigError(Blocker("training", what, "lower its rate"))
        return {"loss": loss}

    def settle(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        """Round the weights of the quantized network to their grids, for good."""
        self._keep()
        self._weights["quantized"] = on_grids(self._weights["quantized"], self._recipe.grids)
        return {}

    def logits(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Write one network's logits of a file of edges, float32 (edges,)."""
        lists = EdgeLists.load(Path(request["lists"]))
        np.save(request["output"], self._answers(request["network"], lists))
        return {}

    def finish(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Write the models of both sectors, the float one of the small one, and all weights."""
        folder, shapes = Path(request["models"]), self._recipe.shapes
        for name, network, kind in (
            ("model.h5", "quantized", "small"),
            ("model_large.h5", "quantized", "large"),
            ("float_baseline.h5", "float", "small"),
        ):
            model = sector_network(
                self._recipe, shapes[kind], self._weights[network], quantized=network != "float"
            )
            model.save(folder / name, include_optimizer=False)
            _compress(folder / name)
        kernels = {name: pair[0] for name, pair in self._weights["quantized"].items()}
        counts = {
            name: [[int(np.count_nonzero(row)) for row in kernel], kernel.shape[1]]
            for name, kernel in kernels.items()
        }
        return {"layers": counts}

    def _keep(self) -> None:
        """Take the weights of the stage that has ended."""
        if self._running is not None:
            self._weights[self._recipe.stages[self._stage].network] = self._running.weights()

    def _batches(self, events: int) -> Iterator[Batch]:
        """Features, senders, receivers, nodes, owned, true, taught: events in a new order, each
        cut one way or the other."""
        order = self._rng.permutation(events)
        small = self._rng.random(events) < self._recipe.training.small_share
        for first in range(0, events, self._recipe.training.batch):
            chosen = order[first : first + self._recipe.training.batch]
            parts = [
                self._part(name, chosen[small[chosen] == (name == "small")])
                for name in self._lists
                if (small[chosen] == (name == "small")).any()
            ]
            yield _merged(parts)

    def _part(self, name: str, events: NDArray[np.int64]) -> Batch:
        lists = self._lists[name]
        rows, shift = lists.rows(events)
        taught = self._taught[name][rows] if self._taught else np.zeros(len(rows), np.float32)
        return (
            lists.x[rows], lists.senders[rows] + shift, lists.receivers[rows] + shift,
            np.asarray(lists.nodes[events].sum()), lists.owned[rows].astype(np.float32),
            lists.true[rows].astype(np.float32), taught,
        )  # fmt: skip

    def _answers(self, network: str, lists: EdgeLists) -> NDArray[np.float32]:
        import tensorflow as tf

        recipe, sizes = self._recipe, self._recipe.sizes(network)
        weights, rounded = self._weights[network], network == "quantized"

        @tf.function(input_signature=_signature(4))  # type: ignore[untyped-decorator]
        def answer(*graph: Any) -> Any:
            return sparse_logits(weights, sizes, graph, recipe.grids, rounded=rounded)

        found = []
        for first in range(0, len(lists), PREDICT_EVENTS):
            events = np.arange(first, min(first + PREDICT_EVENTS, len(lists)))
            rows, shift = lists.rows(events)
            nodes = np.int32(lists.nodes[events].sum())
            senders, receivers = (
                (ends[rows] + shift).astype(np.int32) for ends in (lists.senders, lists.receivers)
            )
            found.append(np.asarray(answer(lists.x[rows], senders, receivers, nodes)))
        return np.concatenate(found)


class _Running:
    """Variables and optimizer of one stage."""

    def __init__(self, recipe: EdgeRecipe, stage: Stage, weights: Weights, steps: int) -> None:
        import tensorflow as tf

        self._recipe, self._stage, self._steps, self._done = recipe, stage, steps, 0
        self._variables = {
            name: [tf.Variable(values) for values in pair] for name, pair in weights.items()
        }
        self._masks = {name: tf.Variable(pair[0] != 0) for name, pair in weights.items()}
        if stage.sparsity != "held":
            for mask in self._masks.values():
                mask.assign(tf.ones_like(mask))
        self._step = self._compiled()

    def step(self, batch: Batch) -> float:
        """One step; its loss."""
        if self._stage.sparsity == "rising" and self._done % LOOK_EVERY == 0:
            training = self._recipe.training
            begin, end = training.pruned_from, training.pruned_until
            passed = (self._done / self._steps - begin) / (end - begin)
            self._prune(float(np.clip(passed, 0.0, 1.0)))
        self._done += 1
        return float(self._step(*batch))

    def weights(self) -> dict[str, list[NDArray[np.float32]]]:
        """As they are now."""
        return {
            name: [np.asarray(values) for values in pair] for name, pair in self._variables.items()
        }

    def _prune(self, passed: float) -> None:
        """Magnitude pruning on a cubic schedule (M. Zhu, S. Gupta, arXiv:1710.01878)."""
        grids = self._recipe.grids
        for layer in self._recipe.network.layers:
            name, final = layer.name, grids.zeros(layer)
            values = np.abs(np.asarray(self._variables[name][0]))
            count = int(final * (1 - (1 - passed) ** 3) * values.size)
            mask = np.ones(values.size, np.bool_)
            mask[np.argsort(values, axis=None, kind="stable")[:count]] = False
            self._masks[name].assign(mask.reshape(values.shape))

    def _compiled(self) -> Any:
        import tensorflow as tf

        recipe, stage = self._recipe, self._stage
        sizes, grids = recipe.sizes(stage.network), recipe.grids
        student = stage.network == "quantized"
        share = recipe.training.distillation if student else 0.0
        schedule = tf.keras.optimizers.schedules.CosineDecay(stage.rate, self._steps)
        optimizer = tf.keras.optimizers.Adam(schedule, global_clipnorm=CLIP)
        flat = [values for pair in self._variables.values() for values in pair]
        optimizer.build(flat)

        @tf.function(input_signature=_signature(7))  # type: ignore[untyped-decorator]
        def step(
            x: Any, senders: Any, receivers: Any, nodes: Any, owned: Any, true: Any, taught: Any
        ) -> Any:
            with tf.GradientTape() as tape:
                graph = (x, senders, receivers, nodes)
                logits = sparse_logits(self._variables, sizes, graph, grids, rounded=stage.grids)
                aim = (1.0 - share) * true + share * tf.sigmoid(taught)
                each = tf.nn.sigmoid_cross_entropy_with_logits(aim, logits)
                loss = tf.reduce_sum(owned * each) / tf.reduce_sum(owned)
            optimizer.apply_gradients(zip(tape.gradient(loss, flat), flat, strict=True))
            for name, pair in self._variables.items() if student else ():
                for values, kind in zip(pair, (grids.weight, grids.bias), strict=False):
                    low, high = kind.min_code * kind.step, kind.max_code * kind.step
                    values.assign(tf.clip_by_value(values, low, high))
                pair[0].assign(pair[0] * tf.cast(self._masks[name], tf.float32))
            return loss

        return step


def _signature(count: int) -> list[Any]:
    """Of the arrays of a batch."""
    import tensorflow as tf

    numbers = [tf.TensorSpec((None,), tf.int32)] * 2
    edges = [tf.TensorSpec((None,), tf.float32)] * 3
    whole = [tf.TensorSpec((None, FEATURES)), *numbers, tf.TensorSpec((), tf.int32), *edges]
    return whole[:count]


def _merged(parts: list[Batch]) -> Batch:
    """One batch of several whose nodes are not the same."""
    shifts = np.cumsum([0, *(int(part[3]) for part in parts)])
    columns = [np.concatenate([part[index] for part in parts]) for index in (0, 4, 5, 6)]
    ends = [
        np.concatenate([part[index] + shift for part, shift in zip(parts, shifts, strict=False)])
        for index in (1, 2)
    ]
    x, owned, true, taught = columns
    senders, receivers = (end.astype(np.int32) for end in ends)
    return x, senders, receivers, np.int32(shifts[-1]), owned, true, taught


def _compress(path: Path) -> None:
    """Write an HDF5 file again with its arrays compressed: they are mostly zeros."""
    small = path.with_suffix(".small")

    def copied(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            packed = {"compression": "gzip", "compression_opts": 9} if item.size > 1 else {}
            made = target.create_dataset(name, data=item[()], **packed)
        else:
            made = target.require_group(name)
        made.attrs.update(item.attrs)

    with h5py.File(path, "r") as source, h5py.File(small, "w") as target:
        target.attrs.update(source.attrs)
        source.visititems(copied)
    small.replace(path)


def main() -> None:
    """Answer requests until the input ends."""
    bind_keras()
    trainer = _Trainer()
    verbs = ("start", "epoch", "settle", "logits", "finish")
    serve({verb: getattr(trainer, verb) for verb in verbs})


if __name__ == "__main__":
    main()
