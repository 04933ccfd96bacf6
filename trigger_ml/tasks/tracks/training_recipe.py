"""The recipe of an edge classifier: everything that decides what comes out of a training.

A YAML file holds any subset of the keys; the rest keeps its default.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trigger_ml.graph.types import FixedType
from trigger_ml.settings import read_settings, to_yaml
from trigger_ml.splits import Split
from trigger_ml.tasks.tracks.sector_cuts import Azimuths, Directions
from trigger_ml.tasks.tracks.sectors import SectorShape

__all__ = [
    "EdgeLayer",
    "EdgeRecipe",
    "Grids",
    "LargeSector",
    "Sizes",
    "SmallSector",
    "Stage",
    "Training",
    "read_edge_recipe",
]

FEATURES: Final = 7
"""Of an edge: see :data:`trigger_ml.tasks.tracks.sector_images.FEATURES`, whose length a test
compares."""
Share = Annotated[float, Field(ge=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class EdgeLayer:
    """A dense layer, the same for every edge or every node.

    At ``nodes`` or at edges. joined: widths of what its inputs are put together from.
    """

    name: str
    nodes: bool
    joined: tuple[int, ...]
    outputs: int
    bias: bool

    @property
    def inputs(self) -> int:
        """Number of them."""
        return sum(self.joined)


class Sizes(_Section):
    """An interaction network: edges tell nodes, nodes tell edges, as often as asked."""

    iterations: int = Field(default=2, ge=1, le=8)
    hidden: int = Field(default=24, ge=1, le=512)
    """Units of the hidden layer at an edge."""
    message: int = Field(default=12, ge=1, le=512)
    """What an edge tells its nodes."""
    node: int = Field(default=24, ge=1, le=512)
    """What a node tells its edges."""

    @property
    def layers(self) -> tuple[EdgeLayer, ...]:
        """In the order in which they are computed. The first two have no bias: the feature that
        is 1 for every edge stands for it, and an empty slot gives zero."""
        found = [
            EdgeLayer("edge0", False, (FEATURES,), self.hidden, False),
            EdgeLayer("message0", False, (self.hidden,), self.message, False),
        ]
        around = (self.node, self.node, self.message, FEATURES)
        for number in range(1, self.iterations + 1):
            last = number == self.iterations
            found += [
                EdgeLayer(f"node{number}", True, (self.message, self.message), self.node, True),
                EdgeLayer(f"edge{number}", False, around, self.hidden, True),
                EdgeLayer("score", False, (self.hidden,), 1, True)
                if last
                else EdgeLayer(f"message{number}", False, (self.hidden,), self.message, True),
            ]
        return tuple(found)


class Grids(_Section):
    """What values and weights are rounded to. Integer bits are without the sign, as QKeras
    counts them."""

    input_bits: int = Field(default=9, ge=2, le=16)
    """With one integer bit and a sign: features reach from -1 to 1."""
    weight_bits: int = Field(default=5, ge=2, le=16)
    weight_integer: int = Field(default=1, ge=0, le=8)
    bias_bits: int = Field(default=8, ge=2, le=16)
    bias_integer: int = Field(default=2, ge=0, le=8)
    activation_bits: int = Field(default=4, ge=1, le=16)
    activation_integer: int = Field(default=2, ge=0, le=8)
    """Of every ReLU."""
    sparsity: Share = 0.77
    """Share of the weights that ends at zero, of the layers at edges."""
    node_sparsity: Share = 0.7
    """Of the layers at nodes: there are fewer of those."""
    end_sparsity: Share = 0.4
    """Of the first layer and the last: they have few weights, and everything passes them."""

    def zeros(self, layer: EdgeLayer) -> float:
        """Share of the weights of a layer that ends at zero."""
        if layer.nodes:
            return self.node_sparsity
        return self.end_sparsity if layer.name in ("edge0", "score") else self.sparsity

    @property
    def saturation(self) -> float:
        """Largest value of a ReLU."""
        return self.activation.max_code * self.activation.step

    @property
    def input(self) -> FixedType:
        """Of the features."""
        return FixedType(self.input_bits, 2)

    @property
    def weight(self) -> FixedType:
        """Of every weight."""
        return FixedType(self.weight_bits, self.weight_integer + 1)

    @property
    def bias(self) -> FixedType:
        """Of every bias."""
        return FixedType(self.bias_bits, self.bias_integer + 1)

    @property
    def activation(self) -> FixedType:
        """Behind every layer but the last."""
        return FixedType(self.activation_bits, self.activation_integer, signed=False)


class SmallSector(_Section):
    """One cell for each direction: see :class:`trigger_ml.tasks.tracks.sector_cuts.Directions`."""

    slots: int = Field(default=3, ge=1, le=16)
    phi_cells: int = Field(default=256, ge=4, le=4096)
    eta_cells: int = Field(default=24, ge=1, le=512)
    eta_max: float = Field(default=3.0, gt=0, le=6)
    radius_mm: float = Field(default=150.0, ge=0, le=1100)

    @property
    def cut(self) -> Directions:
        """What cuts events so."""
        return Directions(**self.model_dump())


class LargeSector(_Section):
    """A strip of cells: see :class:`trigger_ml.tasks.tracks.sector_cuts.Azimuths`."""

    slots: int = Field(default=3, ge=1, le=16)
    reach: int = Field(default=1, ge=0, le=8)
    phi_cells: int = Field(default=128, ge=4, le=4096)
    own: int = Field(default=16, ge=1, le=4096)
    margin_mm: float = Field(default=60.0, ge=0, le=2000)

    @property
    def cut(self) -> Azimuths:
        """What cuts events so. Raises ConfigError where ``own`` does not divide the turn."""
        return Azimuths(**self.model_dump())


class Training(_Section):
    """Epochs and steps: Adam, the rate falling on a cosine to zero in every stage."""

    float_epochs: int = Field(default=22, ge=1, le=10_000)
    float_learning_rate: float = Field(default=4e-3, gt=0, le=10)
    pruned_epochs: int = Field(default=34, ge=1, le=10_000)
    """Of the small network, still in floating point, while weights are pruned."""
    pruned_from: float = Field(default=0.2, ge=0, le=1)
    """When pruning begins, as a share of those epochs."""
    pruned_until: float = Field(default=0.75, ge=0, le=1)
    pruned_learning_rate: float = Field(default=6e-3, gt=0, le=10)
    quantized_epochs: int = Field(default=22, ge=1, le=10_000)
    """On its grids, the zeros kept."""
    quantized_learning_rate: float = Field(default=3e-3, gt=0, le=10)
    batch: int = Field(default=3, ge=1, le=10_000)
    """Events a step."""
    small_share: float = Field(default=0.5, ge=0, le=1)
    """Share of the events that are cut into small sectors; the others into large ones."""
    distillation: float = Field(default=0.8, ge=0, le=1)
    """Share of the loss that compares with the float network's answers instead of the truth."""
    test_events: int = Field(default=500, ge=1)
    """Most events of the test side that are measured."""

    @model_validator(mode="after")
    def _ordered(self) -> Training:
        if self.pruned_from >= self.pruned_until:
            ends = f"({self.pruned_from} and {self.pruned_until})"
            raise ValueError(f"pruned_from must be before pruned_until {ends}")
        return self


@dataclass(frozen=True, slots=True)
class Stage:
    """One stretch of a training. network, epochs, rate; how zeros behave; values on grids."""

    name: str
    network: Literal["float", "quantized"]
    epochs: int
    rate: float
    sparsity: Literal["", "rising", "held"] = ""
    grids: bool = False


class EdgeRecipe(_Section):
    """The whole file."""

    seed: int = Field(default=1, ge=0, lt=2**31)
    """Of the split, the first weights and the order of the events."""
    float_network: Sizes = Sizes(iterations=3, hidden=32, message=16, node=32)
    """The network that the quantized one learns from and is measured against. Its ReLUs saturate
    where those do."""
    network: Sizes = Sizes()
    """What becomes firmware. Where the sizes are those of the float network, its weights are the
    start."""
    grids: Grids = Grids()
    small: SmallSector = SmallSector()
    large: LargeSector = LargeSector()
    training: Training = Training()
    split: Split = Split(test=0.2, validation=0.1)

    @model_validator(mode="after")
    def _turns_divide(self) -> EdgeRecipe:
        large = self.large
        if large.phi_cells % large.own or large.own + 2 * large.reach > large.phi_cells:
            raise ValueError("large.own must divide large.phi_cells and leave room beside")
        return self

    @property
    def shapes(self) -> dict[str, SectorShape]:
        """Of both kinds of sectors."""
        return {"small": self.small.cut.shape, "large": self.large.cut.shape}

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What is trained, one after the other."""
        part = self.training
        return (
            Stage("float", "float", part.float_epochs, part.float_learning_rate),
            Stage(
                "pruned", "quantized", part.pruned_epochs, part.pruned_learning_rate, "rising"
            ),
            Stage(
                "quantized", "quantized", part.quantized_epochs, part.quantized_learning_rate,
                "held", True,
            ),
        )  # fmt: skip

    def sizes(self, network: str) -> Sizes:
        """Of the float network, or of the quantized one."""
        return self.float_network if network == "float" else self.network

    def to_yaml(self) -> str:
        """YAML text with every key, as :func:`read_edge_recipe` reads it."""
        return to_yaml(self)


def read_edge_recipe(path: Path) -> EdgeRecipe:
    """Read a YAML recipe. Raises ConfigError listing every wrong key and value."""
    return read_settings(EdgeRecipe, path)
