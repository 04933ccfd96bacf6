"""The recipe of a muon segmenter: everything that decides what comes out of a training.

A YAML file holds any subset of the keys; the rest keeps its default.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from trigger_ml.graph.types import FixedType
from trigger_ml.settings import read_settings, to_yaml
from trigger_ml.splits import Split
from trigger_ml.tasks.muons.chamber import LAYERS, PARTITIONS, STRIPS

__all__ = [
    "Convolution",
    "Crops",
    "Pruning",
    "SegmenterRecipe",
    "Stage",
    "Training",
    "WorkingPoint",
    "read_segmenter_recipe",
]

MOST_LAYERS: Final = 8
Share = Annotated[float, Field(ge=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Convolution(_Section):
    """A convolution with ``padding="same"`` and stride 1, and the ReLU behind it.

    Integer bits are without the sign, as QKeras counts them.
    """

    kernel: tuple[int, int]
    """Partitions and strips that it sees, both odd."""
    filters: int = Field(ge=1, le=256)
    weight_bits: int = Field(default=2, ge=2, le=16)
    weight_integer: int = Field(default=1, ge=0, le=8)
    bias_bits: int = Field(default=5, ge=2, le=16)
    bias_integer: int = Field(default=3, ge=0, le=8)
    activation_bits: int = Field(default=2, ge=1, le=16)
    activation_integer: int = Field(default=2, ge=0, le=8)
    """Of the ReLU; the last layer has none."""
    sparsity: Share = 0.5
    """Share of the weights that ends at zero, where they train."""

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: tuple[int, int]) -> tuple[int, int]:
        height, width = kernel
        if not (1 <= height < 2 * PARTITIONS and 1 <= width <= STRIPS // 4):
            raise ValueError(
                f"must be 1 to {2 * PARTITIONS - 1} partitions by 1 to {STRIPS // 4} strips"
            )
        if height % 2 == 0 or width % 2 == 0:
            raise ValueError("must be odd, so that a cell lies in the middle of what it sees")
        return kernel

    @property
    def saturation(self) -> float:
        """Largest value of the ReLU."""
        return 2.0**self.activation_integer - 2.0 ** (
            self.activation_integer - self.activation_bits
        )


def _layers() -> tuple[Convolution, ...]:
    """Windows, slopes and back; about 3,800 LUT a column of strips by yosys.

    The first layer's biases are whole, as its weights are: a window with a bias of -0.5 would
    round a single hit down to nothing.
    """
    return (
        Convolution(
            kernel=(3, 3),
            filters=9,
            bias_bits=3,
            bias_integer=2,
            activation_bits=1,
            activation_integer=1,
        ),
        Convolution(
            kernel=(1, 7),
            filters=4,
            weight_bits=5,
            weight_integer=1,
            bias_bits=7,
            activation_bits=3,
            sparsity=0.66,
        ),
        Convolution(
            kernel=(3, 5),
            filters=1,
            weight_bits=5,
            weight_integer=3,
            bias_bits=8,
            bias_integer=5,
            sparsity=0.4,
        ),
    )


class Crops(_Section):
    """What the network trains on: pieces of images, since it does the same at every strip."""

    width: int = Field(default=36, ge=16, le=STRIPS)
    """Strips of a piece, all partitions high."""
    margin: int = Field(default=6, ge=0, le=64)
    """Strips at both its sides that do not count: the network does not see what is beyond."""
    per_image: int = Field(default=1, ge=1, le=16)
    anywhere: float = Field(default=0.15, ge=0, le=1)
    """Share that is cut at random; the rest holds a muon where the image has one, and where it
    has none the place that looks most like one: what is rare among random pieces decides how
    often an empty chamber fires."""


class Pruning(_Section):
    """Magnitude pruning on a cubic schedule (M. Zhu, S. Gupta, arXiv:1710.01878)."""

    begin: float = Field(default=0.0, ge=0, le=1)
    """When pruning begins, as a share of the pruned epochs."""
    end: float = Field(default=0.6, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Pruning:
        if self.begin >= self.end:
            raise ValueError(f"begin must be before end ({self.begin} and {self.end})")
        return self


class Training(_Section):
    """Epochs and steps: Adam, the rate falling on a cosine to zero in every stage."""

    float_epochs: int = Field(default=4, ge=1, le=10_000)
    float_learning_rate: float = Field(default=8e-3, gt=0, le=10)
    pruned_epochs: int = Field(default=6, ge=1, le=10_000)
    """Still in floating point, while weights are pruned."""
    pruned_learning_rate: float = Field(default=5e-3, gt=0, le=10)
    frozen_epochs: int = Field(default=3, ge=1, le=10_000)
    """Of each stage in which the first layers keep their weights, which lie on their grids (see
    ``SegmenterRecipe.stages``)."""
    frozen_learning_rate: float = Field(default=3e-3, gt=0, le=10)
    batch: int = Field(default=128, ge=1, le=1_000_000)
    """Pieces a step."""
    true_weight: float = Field(default=5.0, gt=0, le=1000)
    """What a true cell that a match needs counts in the cross-entropy, against 1 for a cell that
    is not true."""
    rest_weight: float = Field(default=0.05, ge=0, le=1)
    """What a true cell beyond those counts, against 1 for one of those: a network that is to
    find the last hit of every cluster marks more hits that no muon made."""
    empty_weight: float = Field(default=80.0, ge=0, le=1000)
    """What the highest cell of a piece without a true cell counts beside the sum."""
    soft_weight: float = Field(default=0.8, gt=0, le=1000)
    """What a piece counts of an image with a muon below the working point's transverse momentum,
    against 1 for any other."""
    logit_scale: float = Field(default=0.7, gt=0, le=100)
    """What logits are multiplied with in the loss: the smaller, the larger are the weights of the
    last layer, and the coarser their grid may be."""
    test_images: int = Field(default=20_000, ge=1)
    """Most images of the test side that are measured."""


class WorkingPoint(_Section):
    """How the threshold on a cell is chosen, on the validation images."""

    efficiency: float = Field(default=0.988, gt=0.5, lt=1)
    """Share of the images with muons that are to be matched."""
    background: float = Field(default=5.0, ge=0, le=100)
    """Multiple of the nominal background of the images that count."""
    pt_min_gev: float = Field(default=10.0, ge=0, le=1000)
    """Every muon of an image that counts has at least this transverse momentum."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stretch of a training.

    name: for people. epochs, rate: how long, and the learning rate at its start.
    sparsity: no pruning, pruning on the schedule, or what is zero stays so. activations: they are
    on their grids. frozen: so many layers, from the input on, have their weights on their grids
    and keep them. last_on_grid: the last layer's weights are on their grid while they train.
    """

    name: str
    epochs: int
    rate: float
    sparsity: Literal["", "rising", "held"] = ""
    activations: bool = False
    frozen: int = 0
    last_on_grid: bool = False


class SegmenterRecipe(_Section):
    """The whole file."""

    seed: int = Field(default=1, ge=0, lt=2**31)
    """Of the split, the first weights, the pieces and their order."""
    layers: tuple[Convolution, ...] = Field(default_factory=_layers)
    start: Literal["patterns", "random"] = "patterns"
    """First weights: of a pattern finder in three convolutions (windows of each layer, layers
    along slopes, back to the strips), or random ones."""
    steepest: float = Field(default=3.5, ge=0, le=32)
    """Strips from the first layer to the last of the steepest slope that the patterns begin
    with; half of the muons of 5 GeV bend by 3."""
    keep_windows: bool = True
    """Whether the first layer keeps the patterns that it begins with, rounded to its grids;
    otherwise it trains too. With one bit behind a filter, a rounded weight changes what it sees,
    and a trained first layer lost more when it was rounded than it had gained."""
    crops: Crops = Crops()
    pruning: Pruning = Pruning()
    training: Training = Training()
    working_point: WorkingPoint = WorkingPoint()
    split: Split = Split(test=0.4, validation=0.1)

    @field_validator("layers")
    @classmethod
    def _some_layers(cls, layers: tuple[Convolution, ...]) -> tuple[Convolution, ...]:
        if not 1 <= len(layers) <= MOST_LAYERS:
            raise ValueError(f"must be 1 to {MOST_LAYERS} layers")
        if layers[-1].filters != 1:
            raise ValueError("the last layer has one filter: a cell is marked or it is not")
        return layers

    @model_validator(mode="after")
    def _fits(self) -> SegmenterRecipe:
        if 2 * self.crops.margin >= self.crops.width:
            raise ValueError("crops.width must be more than twice crops.margin")
        if self.start == "patterns" and not (
            len(self.layers) == 3
            and self.layers[0].filters > LAYERS
            and self.layers[1].filters > 1
            and min(layer.kernel[1] for layer in self.layers) > 1
        ):
            raise ValueError(
                f"start: patterns needs three layers, more than {LAYERS} filters in the first, "
                "more than one in the second, and kernels of 3 strips or more"
            )
        return self

    @property
    def first_layer_kept(self) -> bool:
        """Whether the first layer is that of the patterns."""
        return self.keep_windows and self.start == "patterns"

    @property
    def logit_step(self) -> float:
        """What every logit of the quantized network is a multiple of."""
        *before, last = self.layers
        read = 2.0 ** (before[-1].activation_integer - before[-1].activation_bits) if before else 1
        weight = FixedType(last.weight_bits, last.weight_integer + 1)
        return min(weight.step * read, FixedType(last.bias_bits, last.bias_integer + 1).step)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What is trained, one after the other.

        Weights go to their grids layer by layer, from the input on, and what follows learns to
        live with that: with all of them on their grids at once, straight-through gradients made
        the loss oscillate, and it ended 20 % higher after as many epochs. The first layer goes
        together with the activations: when it was rounded a stage later, the loss doubled and
        stayed there.
        """
        training, layers = self.training, len(self.layers)
        kept = int(self.first_layer_kept)
        begun = training.float_epochs, training.float_learning_rate
        pruned = training.pruned_epochs, training.pruned_learning_rate
        held = training.frozen_epochs, training.frozen_learning_rate
        return (
            Stage("float", *begun, frozen=kept),
            Stage("pruned", *pruned, "rising", frozen=kept),
            *(
                Stage(f"{count} of {layers} layers frozen", *held, "held", True, count)
                for count in range(min(1, layers - 1), layers)
            ),
            Stage("last layer on its grid", *held, "held", True, layers - 1, True),
        )

    def to_yaml(self) -> str:
        """YAML text with every key, as :func:`read_segmenter_recipe` reads it."""
        return to_yaml(self)


def read_segmenter_recipe(path: Path) -> SegmenterRecipe:
    """Read a YAML recipe. Raises ConfigError listing every wrong key and value."""
    return read_settings(SegmenterRecipe, path)
