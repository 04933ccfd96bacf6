"""Ranking events by score: ROC corners, areas and efficiencies, with weighted events.

A corner is a place where the ROC curve may bend. Corners depend on the order of the scores
alone, so one ranking serves every bootstrap resample of the events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FloatArray",
    "Labels",
    "Ranking",
    "area",
    "background_at",
    "corners",
    "decisions",
    "discriminants",
    "rank",
    "resample",
    "two_dimensional",
]

FloatArray = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Events of one class and of the others by falling score, and where equal scores end.

    signal, background: event numbers. true_at, false_at: how many of each have been taken at
    every corner of the ROC curve, beginning with none.
    """

    signal: Labels
    background: Labels
    true_at: Labels
    false_at: Labels


def resample(events: int, resamples: int, seed: int) -> Iterator[NDArray[np.int32]]:
    """How often each event occurs: in the sample itself (all ones), then in every resample."""
    generator = np.random.default_rng(seed)
    yield np.ones(events, dtype=np.int32)
    for _ in range(resamples):
        drawn = generator.integers(events, size=events)
        yield np.bincount(drawn, minlength=events).astype(np.int32)


def two_dimensional(logits: FloatArray) -> FloatArray:
    """Shape (events,) as (events, 1)."""
    return logits[:, None] if logits.ndim == 1 else logits


def decisions(logits: FloatArray) -> Labels:
    """Class that each event is given: the largest logit, the first one on a tie.

    logits: shape (events, classes); or (events, 1) or (events,), then class 1 above zero.
    """
    logits = two_dimensional(logits)
    if logits.shape[1] == 1:
        return np.asarray(logits[:, 0] > 0, dtype=np.int64)
    return np.asarray(np.argmax(logits, axis=1), dtype=np.int64)


def discriminants(logits: FloatArray) -> FloatArray:
    """Score of each class against the rest, shape as ``logits``.

    It is the logarithm of p / (1 - p), p being the class's softmax: it ranks as softmax does,
    and keeps apart what softmax rounds to 1. A single logit is its own score.
    """
    logits = two_dimensional(logits)
    if logits.shape[1] == 1:
        return logits
    columns = []
    for index in range(logits.shape[1]):
        # Sorted, so that equal logits in another order give the same float and stay a tie.
        others = np.sort(np.delete(logits, index, axis=1), axis=1)
        top = others[:, -1]
        columns.append(logits[:, index] - top - np.log(np.exp(others - top[:, None]).sum(axis=1)))
    return np.stack(columns, axis=1)


def rank(score: FloatArray, signal: NDArray[np.bool_]) -> Ranking:
    """Order events by falling score. score, signal: shape (events,)."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    taken = signal[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) + 1
    true_at = np.append(0, np.append(0, np.cumsum(taken))[ends])
    false_at = np.append(0, ends) - true_at
    # A run of signal alone or of background alone stays straight whatever its events weigh.
    rises, runs = np.diff(true_at) > 0, np.diff(false_at) > 0
    straight = (rises[1:] == rises[:-1]) & (runs[1:] == runs[:-1]) & (rises[1:] != runs[1:])
    corner = np.concatenate([[True], ~straight, [True]])
    return Ranking(order[taken], order[~taken], true_at[corner], false_at[corner])


def corners(ranking: Ranking, weights: NDArray[np.int32]) -> tuple[FloatArray, FloatArray]:
    """Weighted signal and background taken at every corner of the ROC curve.

    weights: of each event, shape (events,), summing to less than 2**31.
    """
    return (
        _running_sum(weights, ranking.signal).take(ranking.true_at).astype(np.float64),
        _running_sum(weights, ranking.background).take(ranking.false_at).astype(np.float64),
    )


def _running_sum(weights: NDArray[np.int32], events: Labels) -> NDArray[np.int32]:
    """Sum the weights of the first 0, 1, 2, ... of the events."""
    sums = np.zeros(events.size + 1, dtype=np.int32)
    np.cumsum(weights.take(events), out=sums[1:])
    return sums


def area(true: FloatArray, false: FloatArray) -> float:
    """Area under the ROC curve through these corners; equal scores count one half."""
    taken = (np.diff(false) * (true[1:] + true[:-1])).sum() / 2
    return float(taken / (true[-1] * false[-1]))


def background_at(true: FloatArray, false: FloatArray, efficiency: FloatArray) -> FloatArray:
    """Background efficiency where the ROC curve first reaches each signal efficiency.

    Between two corners it is taken on the straight line that joins them.
    """
    needed = efficiency * true[-1]
    right = np.clip(np.searchsorted(true, needed, side="left"), 1, true.size - 1)
    rise = true[right] - true[right - 1]
    part = np.divide(needed - true[right - 1], rise, out=np.zeros_like(needed), where=rise > 0)
    taken = false[right - 1] + part * (false[right] - false[right - 1])
    return np.asarray(taken / false[-1])
