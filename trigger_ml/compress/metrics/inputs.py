"""Scores and labels as the metrics take them, or a DataError that says what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.check.roc import FloatArray, discriminants, two_dimensional
from trigger_ml.errors import Blocker, ConfigError, DataError

__all__ = [
    "Labels",
    "checked",
    "class_scores",
    "known_class",
    "one_label",
    "signal_of",
    "yes_or_no",
]

Labels = NDArray[Any]


def checked(name: str, scores: FloatArray, labels: Labels) -> tuple[FloatArray, Labels]:
    """Scores as floats, with as many rows as labels; both finite. name: of the metric."""
    where = f"metric {name}"
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if scores.ndim == 0 or labels.ndim == 0 or len(scores) == 0 or len(scores) != len(labels):
        what = f"scores of shape {scores.shape} for labels of shape {labels.shape}"
        raise DataError(Blocker(where, what, "give one row of each an event"))
    if not np.isfinite(scores).all():
        rows = int((~np.isfinite(scores)).reshape(len(scores), -1).any(axis=1).sum())
        what = f"{rows} of {len(scores)} events have scores that are NaN or infinite"
        raise DataError(Blocker(where, what))
    if labels.dtype.kind not in "biuf" or not np.array_equal(labels, np.round(labels)):
        raise DataError(Blocker(where, f"labels of type {labels.dtype} that are not whole numbers"))
    return scores, labels


def one_label(name: str, scores: FloatArray, labels: Labels) -> tuple[FloatArray, Labels]:
    """Scores as (events, outputs) and a class number for every event."""
    scores, labels = checked(name, scores, labels)
    scores = two_dimensional(scores)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if scores.ndim != 2 or labels.ndim != 1:
        what = f"scores of shape {scores.shape} and labels of shape {labels.shape}"
        fix = "it takes one class number an event; for yes-or-no answers use an edge or muon metric"
        raise DataError(Blocker(f"metric {name}", what, fix))
    classes = max(scores.shape[1], 2)
    if not 0 <= labels.min() <= labels.max() < classes:
        what = f"class numbers {labels.min()}..{labels.max()}, expected 0..{classes - 1}"
        raise DataError(Blocker(f"metric {name}", what))
    return scores, labels


def yes_or_no(
    name: str, scores: FloatArray, labels: Labels
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Scores and answers, both of shape (events, answers)."""
    scores, labels = checked(name, scores, labels)
    scores, labels = scores.reshape(len(scores), -1), labels.reshape(len(labels), -1)
    if scores.shape != labels.shape or not np.isin(labels, (0, 1)).all():
        what = f"scores of shape {scores.shape} and labels of shape {labels.shape}"
        fix = "it takes a label for every score, 0 or 1"
        raise DataError(Blocker(f"metric {name}", what, fix))
    return scores, labels.astype(np.bool_)


def known_class(name: str, index: int, count: int) -> int:
    """The same class number, if the scores have it. Raises ConfigError."""
    if not 0 <= index < count:
        what = f"class {index} is asked for, the scores have classes 0..{count - 1}"
        raise ConfigError(Blocker(f"metric {name}", what))
    return index


def class_scores(scores: FloatArray) -> FloatArray:
    """Score of every class against the rest, shape (events, classes); a logit alone makes two."""
    found = discriminants(scores)
    return np.hstack([-found, found]) if found.shape[1] == 1 else found


def signal_of(name: str, labels: Labels, index: int) -> NDArray[np.bool_]:
    """Which events are of a class. Raises DataError where all are, or none."""
    signal = np.asarray(labels == index)
    if signal.all() or not signal.any():
        what = f"{int(signal.sum())} of {signal.size} events are of class {index}"
        raise DataError(Blocker(f"metric {name}", what, "it needs events of the class and others"))
    return signal
