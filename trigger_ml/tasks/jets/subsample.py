"""A small balanced draw from a sample, to keep in a repository."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from trigger_ml.errors import Blocker, ConfigError, DataError
from trigger_ml.tasks.chunks import Arrays
from trigger_ml.tasks.jets.card import DataCard
from trigger_ml.tasks.jets.loaders import load_jets
from trigger_ml.tasks.jets.names import CLASSES
from trigger_ml.tasks.jets.sample import JetSample
from trigger_ml.tasks.jets.store import write_sample

__all__ = ["subsample"]


def subsample(
    path: Path, output: Path, per_class: int, seed: int, *, constituents: bool = False
) -> DataCard:
    """Draw ``per_class`` jets of each class from any readable sample into a small HDF5 file.

    Written are labels and features (2,000 jets: about 120 kB), and the constituents when asked
    for; the card says what was drawn from what. The same arguments give the same jets.

    Raises DataError when a class has too few jets, ConfigError for per_class or seed below their
    range, BuildError when ``output`` cannot be written.
    """
    if per_class < 1 or seed < 0:
        what = f"must be 1 or more and 0 or more, found {per_class} and {seed}"
        raise ConfigError(Blocker("per_class, seed", what))
    if Path(path).resolve() == Path(output).resolve():
        raise ConfigError(Blocker("output", "must not be the sample that is drawn from"))
    sample = load_jets(path, constituents=constituents)
    short = [(kind, count) for kind, count in sample.counts().items() if count < per_class]
    if short:
        raise DataError(
            [
                Blocker(
                    f"{path}, class {kind}",
                    f"has {count} jets, {per_class} are needed",
                    "ask for fewer",
                )
                for kind, count in short
            ]
        )
    random = np.random.default_rng(seed)
    drawn = [
        random.choice(np.flatnonzero(sample.labels == label), per_class, replace=False)
        for label in range(len(CLASSES))
    ]
    rows = random.permutation(np.concatenate(drawn))
    return write_sample(output, _chosen(sample, rows), _card(sample, per_class, seed))


def _chosen(
    sample: JetSample, rows: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> Iterator[Arrays]:
    chosen: dict[str, np.ndarray] = {
        "features": sample.features[rows],
        "labels": sample.labels[rows],
    }
    if sample.constituents is not None:
        chosen["constituents"] = sample.constituents[rows]
    yield chosen


def _card(sample: JetSample, per_class: int, seed: int) -> DataCard:
    counts = dict.fromkeys(CLASSES, per_class)
    origin = sample.card.digest if sample.card else sample.source
    source = f"{per_class} of each class, drawn with seed {seed} from {origin}"
    if sample.card:
        return replace(sample.card, counts=counts, digests={}, source=source)
    return DataCard(sample.source, {}, {}, seed, 0, counts, {}, source)
