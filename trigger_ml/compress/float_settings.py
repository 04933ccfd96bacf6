"""How a float network of dense layers is shaped and trained."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from trigger_ml.splits import Split

__all__ = ["FloatSettings"]

Units = Annotated[int, Field(ge=1, le=1024)]
Layers = Annotated[tuple[Units, ...], Field(max_length=8)]


class FloatSettings(BaseModel):
    """The whole file. Adam, the rate falling on a cosine from its value here to zero.

    Events of several particles make a DeepSets network (M. Zaheer et al., arXiv:1703.06114;
    P. Komiske et al., arXiv:1810.05165): layers that all particles share, a mean over the
    particles, layers for the jet. Flat events have none of the first and no mean.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    particle: Layers | None = None
    """Sizes of the layers that particles share; 32 and 16 by default, none for flat events."""
    jet: Layers = (32, 16)
    """Sizes of the hidden layers behind the mean."""
    epochs: int = Field(default=60, ge=1, le=100_000)
    learning_rate: float = Field(default=6e-3, gt=0, le=10)
    batch: int = Field(default=1024, ge=1, le=1_000_000)
    """Events a step."""
    seed: int = Field(default=1, ge=0, lt=2**31)
    """Of the first weights, the order of the events and the split."""
    split: Split = Split(test=0.4, validation=0.1)
    """For events that do not say themselves which of them train."""
