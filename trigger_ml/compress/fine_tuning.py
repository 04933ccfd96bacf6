"""Settings of a fine-tuning with QKeras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["FineTuning"]

Share = Annotated[float, Field(ge=0, lt=1)]


class FineTuning(BaseModel):
    """How a network is trained on its types.

    Adam, the rate falling on a cosine from its value here to zero; magnitude pruning on a cubic
    schedule (M. Zhu, S. Gupta, arXiv:1710.01878).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: int = Field(default=20, ge=1, le=10_000)
    learning_rate: float = Field(default=4e-3, gt=0, le=10)
    batch: int = Field(default=1024, ge=1, le=1_000_000)
    """Events a step."""
    distillation: float = Field(default=0.5, ge=0, le=1)
    """Share of the target that is the float network's answer, the rest being the true label
    (G. Hinton et al., arXiv:1503.02531, temperature 1)."""
    sparsity: Mapping[str, Share] = {}
    """Share of a layer's weights that ends at zero, by layer; layers that are not named keep
    theirs."""
    prune_begin: float = Field(default=0.0, ge=0, le=1)
    """When pruning begins, as a share of the training."""
    prune_end: float = Field(default=0.5, ge=0, le=1)
    """When the final sparsity is reached, likewise."""
    seed: int = Field(default=1, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _ordered(self) -> FineTuning:
        if self.prune_begin >= self.prune_end:
            raise ValueError("prune_begin must be before prune_end")
        return self
