"""The recipe of a sample of track hits. A YAML file holds any subset of the keys."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trigger_ml.settings import read_settings, to_yaml

__all__ = ["Cuts", "TracksRecipe", "read_tracks_recipe"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Cuts(_Section):
    """Which pairs of hits in adjacent layers are segments of a hit graph.

    The defaults are those of the "medium" graphs of HEP.TrkX (arXiv:1810.06111; file
    ``configs/prep_med.yaml`` of its repository).
    """

    phi_slope_max: float = Field(default=0.0006, gt=0, le=1)
    """rad per mm. A particle of 1 GeV from the beam line bends by 0.0003 in 2 T."""
    z0_max_mm: float = Field(default=150.0, gt=0, le=100_000)
    """Where the straight line through both hits crosses the beam: three standard deviations of
    the vertices."""


class TracksRecipe(_Section):
    """The whole file."""

    events: int = Field(default=1000, ge=1, le=10_000_000)
    seed: int = Field(default=1, ge=0, lt=2**31)
    process: Literal["ttbar"] = "ttbar"
    """The hard collision, at 14 TeV."""
    pileup: int = Field(default=10, ge=0, le=300)
    """Inelastic non-diffractive collisions beside it, in every event as many."""
    vertex_spread_mm: float = Field(default=50.0, ge=0, le=500)
    """Standard deviation of the vertices along the beam."""
    pt_min_gev: float = Field(default=1.0, ge=0.1, le=100)
    """Hits of particles below it are dropped, as in HEP.TrkX: a hit graph of all is 20 times as
    large."""
    simulate_pt_min_gev: float = Field(default=0.8, ge=0.1, le=100)
    """Particles below it are not simulated; those a little below ``pt_min_gev`` are, since
    what they knock loose may be above."""
    field_tesla: float = Field(default=2.0, ge=0, le=10)
    """Homogeneous, along the beam."""
    resolution: Literal["measured", "truth"] = "measured"
    """``measured``: positions are spread by the cells' size. ``truth``: where a particle was."""
    cuts: Cuts = Cuts()
    """Not used to simulate: what graphs of these hits are meant to be made with."""

    @model_validator(mode="after")
    def _sound(self) -> TracksRecipe:
        if self.simulate_pt_min_gev > self.pt_min_gev:
            raise ValueError("simulate_pt_min_gev must not be above pt_min_gev")
        return self

    def to_yaml(self) -> str:
        """YAML text with every key, as :func:`read_tracks_recipe` reads it."""
        return to_yaml(self)


def read_tracks_recipe(path: Path) -> TracksRecipe:
    """Read a YAML recipe. Raises ConfigError listing every wrong key and value."""
    return read_settings(TracksRecipe, path)
