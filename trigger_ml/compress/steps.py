"""The steps of a recipe, run in order: from a float network to fixed-point prototypes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.fine_tuning import FineTuning
from trigger_ml.compress.fixed_point.layer_types import fixed_graph
from trigger_ml.compress.fixed_point.post_training import Goal, compress_after_training
from trigger_ml.compress.fixed_point.uniform import input_grid, uniform_types
from trigger_ml.compress.hgq_client import train_frontier
from trigger_ml.compress.judging import Prototype, Reference
from trigger_ml.compress.metrics.find import find_metric
from trigger_ml.compress.networks.network import FloatNetwork, read_network
from trigger_ml.compress.networks.pruning import prune_features, prune_neurons
from trigger_ml.compress.networks.resize import resized
from trigger_ml.compress.qkeras_client import fine_tune, write_model
from trigger_ml.compress.recipe import (
    CompressRecipe,
    FineTune,
    Hgq,
    PostTraining,
    PruneFeatures,
    PruneNeurons,
)
from trigger_ml.config import Config
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.graph.types import FixedType
from trigger_ml.progress import Listener, Stopwatch

__all__ = ["StepRunner", "require_steps"]


def require_steps(network: FloatNetwork, recipe: CompressRecipe) -> None:
    """Raise ConfigError, before anything runs, for a step that cannot take such a network."""
    step = recipe.steps[-1]
    if len(network.input_shape) == 1 or isinstance(step, Hgq):
        return
    raise ConfigError(
        Blocker(
            f"steps: {step.step}",
            f"writes QKeras models, which have no form for events of shape {network.input_shape}",
            "end the recipe with the step hgq",
        )
    )


@dataclass(slots=True)
class StepRunner:
    """Runs steps one after the other; each takes what the one before it left.

    network: the float network as the steps have left it. data: the events as it takes them.
    answers: logits of the source network on the training events, which candidates learn from.
    reference: its logits on the other sides, which they are held to.
    details: what the steps have to say, for the report. folder: for model files. scratch: for
    what is thrown away.
    """

    network: FloatNetwork
    data: Dataset
    answers: NDArray[np.float64]
    reference: Reference
    recipe: CompressRecipe
    config: Config
    folder: Path
    scratch: Path
    watch: Stopwatch
    listener: Listener
    details: dict[str, Any]

    def run(self) -> tuple[Prototype, ...]:
        """All steps; the prototypes of the last one."""
        found: tuple[Prototype, ...] = ()
        for step in self.recipe.steps:
            match step:
                case PruneFeatures():
                    self._prune_features(step)
                case PruneNeurons():
                    self._prune_neurons(step)
                case Hgq():
                    found = self._hgq(step)
                case FineTune():
                    found = self._fine_tune(step)
                case PostTraining():
                    found = self._post_training(step)
        return tuple(replace(item, details={**self.details, **item.details}) for item in found)

    def _prune_features(self, step: PruneFeatures) -> None:
        with self.watch.stage("prune_features", "prune input features") as stage:
            pruned = prune_features(
                self.network, self.data.x_train, self.data.y_train, keep=step.keep
            )
            self.network = pruned.network
            self.data = self.data.with_features(pruned.kept)
            self.details["features"] = [int(index) for index in pruned.kept]
            stage.note = f"{len(pruned.kept)} of {len(pruned.relevance)} kept"

    def _prune_neurons(self, step: PruneNeurons) -> None:
        with self.watch.stage("prune_neurons", "prune neurons") as stage:
            pruned = prune_neurons(self.network, self.data.x_train, keep=step.keep)
            self.network = pruned.network
            self.details["neurons"] = {name: len(kept) for name, kept in pruned.kept.items()}
            stage.note = ", ".join(f"{name} {len(kept)}" for name, kept in pruned.kept.items())

    def _hgq(self, step: Hgq) -> tuple[Prototype, ...]:
        start = resized(self.network, step.hidden, self.recipe.seed)
        return train_frontier(
            start,
            self.answers,
            self.data,
            step,
            self.config,
            metric=self.recipe.goal.metric,
            seed=self.recipe.seed,
            folder=self.folder,
            scratch=self.scratch,
            watch=self.watch,
        )

    def _fine_tune(self, step: FineTune) -> tuple[Prototype, ...]:
        network, data = self.network, self.data
        types = uniform_types(
            network,
            data.x_train,
            self._grid(step.input_bits),
            weight_bits=step.weight_bits,
            activation_bits=step.activation_bits,
            overflow=step.overflow,
        )
        settings = FineTuning(
            epochs=step.epochs,
            learning_rate=step.learning_rate,
            batch=step.batch,
            distillation=step.distillation,
            sparsity={layer.name: step.sparsity for layer in network.dense},
            seed=self.recipe.seed,
        )
        file = self.folder / "fine_tuned.h5"
        fine_tune(
            network, types, data, settings, file, answers=self.answers, listener=self.listener
        )
        trained = read_network(file)
        return (Prototype("fine_tuned", file, fixed_graph(trained, types), "fine_tune"),)

    def _post_training(self, step: PostTraining) -> tuple[Prototype, ...]:
        goal = self.recipe.goal
        found = compress_after_training(
            self.network,
            self.data,
            Goal(find_metric(goal.metric, self.data.classes), goal.tolerance, goal.confidence),
            self.config,
            self._grid(step.input_bits),
            overflow=step.overflow,
            events=step.events,
            reference=self.reference.validation,
            listener=self.listener,
        )
        file = self.folder / "post_training.h5"
        with self.watch.stage("write", "write the QKeras model"):
            write_model(found.network, found.types, file)
        details = {"ranges": {name: asdict(item) for name, item in found.ranges.items()}}
        return (Prototype("post_training", file, found.graph, "post_training", None, details),)

    def _grid(self, bits: int) -> FixedType:
        asked = self.recipe.inputs
        if asked is not None:
            return FixedType.parse(asked)
        return input_grid(self.network, self.data.x_train, bits)
