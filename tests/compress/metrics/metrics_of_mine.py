"""A user's metrics, as find_metric finds them."""

from __future__ import annotations

from typing import Any

import numpy as np

NUMBER = 3


class Nested:
    @staticmethod
    def mean_label(scores: Any, labels: Any) -> float:
        return float(np.mean(labels))


def share_right(scores: Any, labels: Any) -> float:
    scores -= 1000
    return float((scores.argmax(axis=1) == labels).mean())


def nothing(scores: Any, labels: Any) -> None:
    return None


def not_a_number(scores: Any, labels: Any) -> float:
    return float("nan")
