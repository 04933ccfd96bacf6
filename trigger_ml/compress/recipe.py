"""The recipe of a compression: its steps in order, what may be lost, and what must be met.

A YAML file holds any subset of the keys; ``steps`` lists the steps in the order in which they
run. Three recipes come with the package: ``fast``, ``balanced`` and ``best``. Unknown keys are
errors that name the nearest known one, and all problems are reported at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trigger_ml.compress.hgq_settings import HgqSettings
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.settings import (
    FixedTypeText,
    check_settings,
    read_yaml,
    to_yaml,
    with_overrides,
)
from trigger_ml.splits import Split

__all__ = [
    "PRESETS",
    "CompressRecipe",
    "FineTune",
    "Goal",
    "Hgq",
    "Limits",
    "PostTraining",
    "PruneFeatures",
    "PruneNeurons",
    "Step",
    "load_recipe",
]

PRESETS: Final = ("fast", "balanced", "best")

Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, le=10)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Goal(_Section):
    """What may be lost."""

    metric: str = "accuracy"
    """Name of a metric, or ``package.module:function``: :mod:`trigger_ml.compress.metrics.find`."""
    tolerance: float = Field(default=0.01, ge=0)
    """How much worse than the source model the metric may be, in the metric's own unit."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Confidence of that statement: the one-sided bound of the paired difference."""


class Limits(_Section):
    """What the firmware must keep to. None means no limit."""

    lut: float | None = Field(default=None, gt=0)
    """Most LUTs, by the cost model."""
    latency_ns: float | None = Field(default=None, gt=0)
    """Longest latency, in ns."""


class PruneFeatures(_Section):
    """Remove the input features that matter least, by first-order sensitivity on data."""

    step: Literal["prune_features"] = "prune_features"
    keep: int = Field(ge=1)
    """Features to keep."""


class PruneNeurons(_Section):
    """Remove whole neurons of the hidden layers, those that matter least on data."""

    step: Literal["prune_neurons"] = "prune_neurons"
    keep: float = Field(default=0.5, gt=0, le=1)
    """Share of each hidden layer's neurons to keep."""


class PostTraining(_Section):
    """Choose fixed-point types and zero weights from data, without training."""

    step: Literal["post_training"] = "post_training"
    overflow: float = Field(default=1e-4, gt=0, lt=0.1)
    """Largest probability, for one element of one event, that a value does not fit."""
    input_bits: int = Field(default=8, ge=2, le=16)
    """Width of the inputs where the model does not quantize them itself."""
    events: int = Field(default=20_000, ge=100)
    """Validation events, at most, on which candidates are compared."""


class FineTune(_Section):
    """Quantization-aware training with QKeras, pruning by magnitude on a polynomial schedule."""

    step: Literal["fine_tune"] = "fine_tune"
    weight_bits: int = Field(default=6, ge=2, le=16)
    activation_bits: int = Field(default=6, ge=2, le=16)
    input_bits: int = Field(default=8, ge=2, le=16)
    overflow: float = Field(default=1e-4, gt=0, lt=0.1)
    """Largest probability, for one element of one event, that a value does not fit."""
    sparsity: Share = 0.75
    """Share of the weights of every layer that ends at zero."""
    epochs: Epochs = 60
    learning_rate: Rate = 5e-3
    batch: int = Field(default=1024, ge=1)
    distillation: float = Field(default=0.5, ge=0, le=1)
    """Share of the target that is the source model's answer instead of the true class."""


class Hgq(HgqSettings):
    """HGQ2: a trainable width for every weight and activation, with a price on each bit."""

    step: Literal["hgq"] = "hgq"


Step = Annotated[
    PruneFeatures | PruneNeurons | PostTraining | FineTune | Hgq, Field(discriminator="step")
]

LAST: Final = (PostTraining, FineTune, Hgq)
"""Steps that end in fixed point."""


class CompressRecipe(_Section):
    """The whole file."""

    seed: int = Field(default=1, ge=0, lt=2**31)
    """Of the split, of training and of the bootstrap."""
    goal: Goal = Goal()
    limits: Limits = Limits()
    split: Split = Split(test=0.4, validation=0.1)
    """For data that does not say itself which events train."""
    inputs: FixedTypeText | None = None
    """Fixed-point type of the inputs, where the model does not quantize them itself."""
    steps: tuple[Step, ...] = (Hgq(),)

    @model_validator(mode="after")
    def _ends_in_fixed_point(self) -> CompressRecipe:
        if not self.steps:
            raise ValueError("steps is empty; name at least one")
        if not isinstance(self.steps[-1], LAST):
            raise ValueError("the last step must be one of post_training, fine_tune, hgq")
        early = [step.step for step in self.steps[:-1] if isinstance(step, LAST)]
        if early:
            raise ValueError(f"{early[0]} ends in fixed point, so it must be the last step")
        return self

    def to_yaml(self) -> str:
        """YAML text with every key, as :func:`load_recipe` reads it."""
        return to_yaml(self)


def load_recipe(choice: str, overrides: Mapping[str, Any] | None = None) -> CompressRecipe:
    """A recipe of the package by name, or a YAML file by path, with overrides on top.

    overrides: keyed "section.key"; None is ignored.
    Raises ConfigError listing every wrong key and value.
    """
    path = Path(choice)
    if choice in PRESETS:
        path = Path(str(files("trigger_ml.compress") / "presets" / f"{choice}.yaml"))
    elif not path.suffix and not path.exists():
        raise ConfigError(
            Blocker(
                f"--recipe {choice}",
                "is neither a file nor a recipe of the package",
                f"name a YAML file, or one of {', '.join(PRESETS)}",
            )
        )
    data = with_overrides(read_yaml(CompressRecipe, path), overrides or {})
    return check_settings(CompressRecipe, data, str(path))
