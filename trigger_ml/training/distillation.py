"""What a network is trained towards: the true labels, mixed with another network's answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

__all__ = ["is_binary", "targets"]


def is_binary(outputs: int, labels: NDArray[Any]) -> bool:
    """Whether every output answers a question of its own, with a sigmoid.

    labels: class numbers, shape (events,), or 0 and 1, shape (events, outputs).
    """
    return outputs == 1 or labels.ndim == 2


def targets(logits: NDArray[np.float64], labels: NDArray[Any], share: float) -> NDArray[np.float32]:
    """What to train towards, shape (events, outputs).

    logits: of the network that teaches, shape (events, outputs). labels: as in
    :func:`is_binary`. share: of its answers, the rest being the labels.
    """
    if is_binary(logits.shape[1], labels):
        answer, truth = expit(logits), labels.reshape(len(labels), -1).astype(np.float64)
    else:
        answer, truth = softmax(logits, axis=1), np.eye(logits.shape[1])[labels]
    return np.asarray((1 - share) * truth + share * answer, dtype=np.float32)
