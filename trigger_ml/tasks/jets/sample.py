"""A jet sample in memory, and the checks every source of jets has to pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.tasks.jets.card import DataCard
from trigger_ml.tasks.jets.names import CLASSES, CONSTITUENT_COLUMNS, CONSTITUENTS, FEATURES

__all__ = ["JetSample", "checked", "joined"]


@dataclass(frozen=True, slots=True)
class JetSample:
    """Labelled jets.

    features: (n, 16) float32, columns as in ``names.FEATURES``.
    labels: (n,) int8, positions in ``names.CLASSES``.
    constituents: (n, 64, 3) float32, hardest first and padded with zeros, columns as in
        ``names.CONSTITUENT_COLUMNS``; None where the file has none or they were not asked for.
    source: where the jets come from, for reports.
    event: (n,) int64, jets of one simulated event share a number and belong on the same side
        of a train/test split; None where unknown.
    card: the data card of a sample made here.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int8]
    constituents: NDArray[np.float32] | None
    source: str
    event: NDArray[np.int64] | None = None
    card: DataCard | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> dict[str, int]:
        """Jets of each class."""
        found = np.bincount(self.labels, minlength=len(CLASSES))
        return {kind: int(count) for kind, count in zip(CLASSES, found, strict=True)}


def checked(sample: JetSample, where: str) -> JetSample:
    """The sample itself, when it can be used.

    Raises DataError with every reason why not: no jets, wrong widths, labels outside the five
    classes, numbers that are not finite.
    """
    jets = len(sample.labels)
    blockers = _shape_blockers(sample, where, jets)
    if jets == 0:
        blockers.append(Blocker(where, "holds no jets", "give a file with at least one jet"))
    outside = (sample.labels < 0) | (sample.labels >= len(CLASSES))
    if outside.any():
        blockers.append(
            Blocker(where, f"{outside.sum()} of {jets} jets belong to none of {CLASSES}")
        )
    if not blockers:
        blockers = _finite_blockers(sample, where, jets)
    if blockers:
        raise DataError(blockers)
    return sample


def _shape_blockers(sample: JetSample, where: str, jets: int) -> list[Blocker]:
    wanted: list[tuple[str, NDArray[Any] | None, tuple[int, ...]]] = [
        ("features", sample.features, (jets, len(FEATURES))),
        ("constituents", sample.constituents, (jets, CONSTITUENTS, len(CONSTITUENT_COLUMNS))),
        ("event", sample.event, (jets,)),
    ]
    return [
        Blocker(where, f"{name} must have the shape {shape}, found {rows.shape}")
        for name, rows, shape in wanted
        if rows is not None and rows.shape != shape
    ]


def _finite_blockers(sample: JetSample, where: str, jets: int) -> list[Blocker]:
    fix = "remove those jets, or make the file again"
    bad = (~np.isfinite(sample.features)).sum(axis=0)
    blockers = [
        Blocker(f"{where}, column {name}", f"{count} of {jets} values are not finite", fix)
        for name, count in zip(FEATURES, bad, strict=True)
        if count
    ]
    if sample.constituents is not None:
        ok = np.isfinite(sample.constituents).all(axis=(1, 2))
        if not ok.all():
            what = f"{(~ok).sum()} of {jets} jets hold values that are not finite"
            blockers.append(Blocker(f"{where}, constituents", what, fix))
    return blockers


def joined(samples: Sequence[JetSample], source: str) -> JetSample:
    """Samples one after the other; constituents and events survive when all have them."""

    def together(name: str) -> Any:
        parts = [getattr(sample, name) for sample in samples]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    return JetSample(together("features"), together("labels"), together("constituents"), source)
