"""How an HGQ2 network is trained."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["HgqSettings"]


class HgqSettings(BaseModel):
    """A trainable width for every weight and activation, with a price on each bit.

    The price ``beta`` rises from its first value to its last, evenly in its logarithm, so that
    one training passes through the whole frontier; every epoch that is best at its size is a
    point of it (C. Sun et al., arXiv:2405.00645).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: int = Field(default=600, ge=1, le=100_000)
    warm_epochs: int = Field(default=10, ge=0)
    """Epochs at the first price."""
    beta: tuple[float, float] = (3e-6, 1e-3)
    """First and last price, in units of loss for each effective bit operation."""
    learning_rate: float = Field(default=1e-2, gt=0, le=10)
    """Adam's first step; it falls on a cosine to a twentieth. Widths move with it too: the jet
    tagger's frontier was better with 1e-2 than with 4e-3."""
    batch: int = Field(default=1024, ge=1)
    distillation: float = Field(default=0.5, ge=0, le=1)
    """Share of the target that is the source model's answer instead of the true class."""
    polish_epochs: int = Field(default=40, ge=0)
    """Epochs at its own price, the step falling to zero, for each point that is kept."""
    polish_learning_rate: float = Field(default=1e-3, gt=0, le=10)
    points: int = Field(default=12, ge=1, le=200)
    """Points of the frontier to keep, spread evenly over its sizes."""
    hidden: tuple[Annotated[int, Field(ge=1, le=1024)], ...] | None = None
    """Sizes of the hidden dense layers, to train another network than the source model's."""
    permutation_invariant: bool = False
    """Particles share the widths of what flows through them, so their order cannot matter."""

    @field_validator("beta")
    @classmethod
    def _rising(cls, beta: tuple[float, float]) -> tuple[float, float]:
        if not 0 < beta[0] <= beta[1]:
            raise ValueError(f"the price must rise from above 0 ({beta[0]:g} to {beta[1]:g})")
        return beta

    def price(self, epoch: int) -> float:
        """Price in an epoch, counted from 0."""
        first, last = self.beta
        rising = max(self.epochs - self.warm_epochs - 1, 1)
        share = min(max(epoch - self.warm_epochs, 0) / rising, 1.0)
        return float(first * (last / first) ** share)
