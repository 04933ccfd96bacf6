"""The recipe of a sample of chamber images. A YAML file holds any subset of the keys."""

from __future__ import annotations

import math
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trigger_ml.settings import read_settings, to_yaml
from trigger_ml.tasks.muons.chamber import EFFICIENCY
from trigger_ml.tasks.muons.images import MOST_MUONS

__all__ = ["Background", "Damage", "Muons", "SampleRecipe", "read_sample_recipe"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Muons(_Section):
    """The muons of an image."""

    shares: tuple[float, float, float, float] = (0.3, 0.5, 0.15, 0.05)
    """Shares of the images with 0, 1, 2 and 3 muons."""
    pt_min_gev: float = Field(default=5.0, ge=1, le=1000)
    pt_max_gev: float = Field(default=100.0, ge=1, le=1000)
    """The logarithm of the transverse momentum is flat: as many muons from 5 to 10 GeV, where
    the bending decides, as from 10 to 20 and from 50 to 100."""
    close: float = Field(default=0.3, ge=0, le=1)
    """Share of the second and third muons that pass within 24 strips and 0.1 in pseudorapidity
    of the first, so that their hits mix."""

    @model_validator(mode="after")
    def _sound(self) -> Muons:
        if min(self.shares) < 0 or not math.isclose(sum(self.shares), 1.0, abs_tol=1e-6):
            raise ValueError(f"shares of 0 to {MOST_MUONS} muons must not be negative and add to 1")
        if self.pt_min_gev >= self.pt_max_gev:
            raise ValueError("pt_min_gev must be below pt_max_gev")
        return self


class Background(_Section):
    """Background in multiples of the rate of the HL-LHC, drawn for each image."""

    multiples: tuple[float, ...] = Field(default=(1.0, 5.0, 10.0), min_length=1, max_length=20)
    weights: tuple[float, ...] = (1.0, 1.0, 1.0)

    @model_validator(mode="after")
    def _sound(self) -> Background:
        if len(self.weights) != len(self.multiples):
            raise ValueError(
                f"{len(self.multiples)} multiples need as many weights, found {len(self.weights)}"
            )
        if min(self.multiples) < 0 or max(self.multiples) > 100:
            raise ValueError("multiples must lie between 0 and 100")
        if min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ValueError("weights must not be negative, and one must be above 0")
        return self


class Damage(_Section):
    """What of the chamber does not work, drawn anew for each image."""

    efficiency: float = Field(default=EFFICIENCY, gt=0, le=1)
    """Of a working layer for a muon."""
    dead_strips: float = Field(default=0.01, ge=0, lt=1)
    """Share of all strips of all layers."""
    dead_layers: float = Field(default=0.02, ge=0, lt=1)
    """Probability of each layer to be dead as a whole: 11 % of the images lack one or more."""


class SampleRecipe(_Section):
    """The whole file."""

    images: int = Field(default=100_000, ge=1, le=100_000_000)
    seed: int = Field(default=1, ge=0, lt=2**31)
    muons: Muons = Muons()
    background: Background = Background()
    damage: Damage = Damage()

    def to_yaml(self) -> str:
        """YAML text with every key, as :func:`read_sample_recipe` reads it."""
        return to_yaml(self)


def read_sample_recipe(path: Path) -> SampleRecipe:
    """Read a YAML recipe. Raises ConfigError listing every wrong key and value."""
    return read_settings(SampleRecipe, path)
