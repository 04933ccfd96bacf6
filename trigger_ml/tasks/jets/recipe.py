"""The recipe of a jet tagger: everything that decides what comes out of a training.

A YAML file holds any subset of the keys; the rest keeps its default. Unknown keys are errors
that name the nearest known one, and all problems are reported at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from trigger_ml.settings import read_settings, to_yaml
from trigger_ml.splits import Split

__all__ = ["Inputs", "Network", "Pruning", "Recipe", "Split", "Training", "read_recipe"]

Units = Annotated[int, Field(ge=1, le=1024)]
MOST_LAYERS: Final = 8
Share = Annotated[float, Field(ge=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Inputs(_Section):
    """The grid of the network's inputs: ``quantized_bits(bits, integer, alpha=1)``."""

    bits: int = Field(default=8, ge=2, le=16)
    """Width with the sign."""
    integer: int = Field(default=1, ge=-4, le=4)
    """Integer bits without the sign."""
    coverage: float = Field(default=0.9, gt=0.5, lt=1)
    """Share of the training jets, counted from the middle, that the grid holds unsaturated."""


class Network(_Section):
    """Layers and widths. Integer bits are without the sign, as QKeras counts them.

    The defaults are the smallest whose accuracy stayed within 0.2 points of a float network's,
    on 36,000 of the first 90,000 jets of the reference sample (split with another seed); 4-bit
    weights or activations lost 0.25 points more, 6-bit ones gained less than 0.1.
    """

    hidden: tuple[Units, ...] = (64, 32, 32)
    weight_bits: int = Field(default=5, ge=2, le=16)
    weight_integer: int = Field(default=1, ge=-4, le=4)
    bias_bits: int = Field(default=5, ge=2, le=16)
    bias_integer: int = Field(default=1, ge=-4, le=4)
    activation_bits: int = Field(default=5, ge=2, le=16)
    activation_integer: int = Field(default=1, ge=-4, le=8)

    @field_validator("hidden")
    @classmethod
    def _some_layers(cls, hidden: tuple[int, ...]) -> tuple[int, ...]:
        if not 1 <= len(hidden) <= MOST_LAYERS:
            raise ValueError(f"must be 1 to {MOST_LAYERS} layers")
        return hidden


class Pruning(_Section):
    """Magnitude pruning on a cubic schedule (M. Zhu, S. Gupta, arXiv:1710.01878)."""

    sparsity: tuple[Share, ...] = (0.8, 0.92, 0.92, 0.6)
    """Share of a layer's weights that ends at zero: one number for every layer with weights,
    or one for all. The first layer and the last bear less: they see every feature and class."""
    begin: float = Field(default=0.0, ge=0, le=1)
    """When pruning begins, as a share of the quantized training."""
    end: float = Field(default=0.5, ge=0, le=1)
    """When the final sparsity is reached, likewise."""

    @field_validator("sparsity", mode="before")
    @classmethod
    def _one_for_all(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int | float) else value

    @model_validator(mode="after")
    def _ordered(self) -> Pruning:
        if self.begin >= self.end:
            raise ValueError(f"begin must be before end ({self.begin} and {self.end})")
        return self


class Training(_Section):
    """Epochs and steps: Adam, the rate falling on a cosine from its value here to zero."""

    float_epochs: int = Field(default=30, ge=1, le=10_000)
    float_learning_rate: float = Field(default=4e-3, gt=0, le=10)
    quantized_epochs: int = Field(default=80, ge=1, le=10_000)
    quantized_learning_rate: float = Field(default=8e-3, gt=0, le=10)
    batch: int = Field(default=1024, ge=1, le=1_000_000)
    """Jets a step."""
    distillation: float = Field(default=0.5, ge=0, le=1)
    """Share of the quantized network's target that is the float network's answer, the rest
    being the true class (G. Hinton et al., arXiv:1503.02531, temperature 1)."""


class Recipe(_Section):
    """The whole file."""

    seed: int = Field(default=1, ge=0, lt=2**31)
    """Of the split, the first weights and the order of the jets."""
    inputs: Inputs = Inputs()
    network: Network = Network()
    pruning: Pruning = Pruning()
    training: Training = Training()
    split: Split = Split()

    @model_validator(mode="after")
    def _sparsity_fits(self) -> Recipe:
        layers, given = len(self.network.hidden) + 1, len(self.pruning.sparsity)
        if given not in (1, layers):
            raise ValueError(
                f"pruning.sparsity has {given} numbers, there are {layers} layers with weights"
            )
        return self

    @property
    def layer_sparsity(self) -> tuple[float, ...]:
        """Target of every layer with weights, from the input to the output."""
        given = self.pruning.sparsity
        return given * (len(self.network.hidden) + 1) if len(given) == 1 else given

    def to_yaml(self) -> str:
        """YAML text with every key, as :func:`read_recipe` reads it."""
        return to_yaml(self)


def read_recipe(path: Path) -> Recipe:
    """Read a YAML recipe. Raises ConfigError listing every wrong key and value."""
    return read_settings(Recipe, path)
