"""What a trained tagger's folder holds besides its models: figures, cards, events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.check.physics import PhysicsComparison
from trigger_ml.tasks.jets.card import ContentDigest, DataCard
from trigger_ml.tasks.jets.names import CLASSES
from trigger_ml.tasks.jets.recipe import Recipe
from trigger_ml.tasks.jets.sample import JetSample
from trigger_ml.tasks.jets.scaling import Scaling
from trigger_ml.tasks.jets.trainer_card import model_card

__all__ = ["FILES", "TrainingResult", "card_of", "metrics_json", "write_events", "write_files"]

SCHEMA: Final = 1
FILES: Final = (
    "README.md",
    "data_card.json",
    "events.npz",
    "float_baseline.h5",
    "metrics.json",
    "model.h5",
    "recipe.yaml",
    "scaling.json",
)
"""Everything in a tagger's folder."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A trained tagger.

    directory: where its files are. comparison: the networks ("float", "quantized") on the test
    jets. jets: in each side of the split. weights: by layer of the quantized network, how many
    without biases and how many of those are zero. seconds: of every stage. versions: of the
    libraries. data_digest: of the sample.
    """

    directory: Path
    comparison: PhysicsComparison
    jets: Mapping[str, int]
    weights: Mapping[str, tuple[int, int]]
    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    data_digest: str

    @property
    def sparsity(self) -> float:
        """Share of the quantized weights that are zero."""
        total, zero = np.sum(list(self.weights.values()), axis=0)
        return float(zero / total)


def card_of(sample: JetSample) -> DataCard:
    """The sample's own data card, or one that says what is known of a foreign file."""
    if sample.card is not None:
        return sample.card
    digest = ContentDigest()
    digest.update("features", sample.features)
    digest.update("labels", sample.labels)
    return DataCard(sample.source, {}, {}, 0, 0, sample.counts(), digest.digests())


def write_files(
    folder: Path, result: TrainingResult, recipe: Recipe, scaling: Scaling, card: DataCard
) -> None:
    """Write recipe, scaling, figures and both cards."""
    metrics = metrics_json(result, recipe)
    texts = {
        "recipe.yaml": recipe.to_yaml(),
        "scaling.json": scaling.to_json() + "\n",
        "metrics.json": json.dumps(metrics, indent=2, allow_nan=False) + "\n",
        "data_card.json": card.to_json() + "\n",
        "README.md": model_card(metrics, recipe, card),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def metrics_json(result: TrainingResult, recipe: Recipe) -> dict[str, Any]:
    """Everything that was measured, as JSON data; times are left out, so that it repeats.

    ``background_rejection`` is 1 / background efficiency at the signal efficiency given; null
    stands for infinity, where no background jet was left.
    """
    found = result.comparison.to_json()
    total, zero = (int(value) for value in np.sum(list(result.weights.values()), axis=0))
    return {
        "schema": SCHEMA,
        "task": "jets",
        "classes": list(CLASSES),
        "data": {"digest": result.data_digest, "jets": dict(result.jets)},
        "seed": recipe.seed,
        "interval_level": found["level"],
        "bootstrap": {"resamples": found["resamples"], "seed": found["seed"]},
        "signal_efficiency": found["working_point"],
        "networks": {
            witness["witness"]: {
                "accuracy": witness["accuracy"],
                "classes": {
                    row["name"]: {"auc": row["auc"], "background_rejection": row["rejection"]}
                    for row in witness["classes"]
                },
            }
            for witness in found["witnesses"]
        },
        "quantized_minus_float": {row["metric"]: row["difference"] for row in found["changes"]},
        "decisions_changed": found["flips"][0]["fraction"],
        "weights": {
            "total": total,
            "zero": zero,
            "sparsity": zero / total,
            "layers": {
                name: {"total": size, "zero": none} for name, (size, none) in result.weights.items()
            },
        },
        "versions": dict(result.versions),
    }


def write_events(
    path: Path,
    inputs: NDArray[np.float64],
    labels: NDArray[np.int64],
    limit: int | None = None,
    float_scores: NDArray[np.float64] | None = None,
) -> None:
    """Write the first jets (all without a limit) as :mod:`trigger_ml.events` reads them.

    inputs: scaled, on the input grid, shape (jets, features); kept as float32, which holds
    them exactly. float_scores: logits of the float network, shape (jets, classes), kept as
    float16: they order the decisions of a reference, nothing is compared with them exactly.
    """
    arrays: dict[str, NDArray[Any]] = {
        "x": inputs[:limit].astype(np.float32),
        "y": labels[:limit].astype(np.int8),
        "classes": np.array(CLASSES),
    }
    if float_scores is not None:
        arrays["float_scores"] = float_scores[:limit].astype(np.float16)
    np.savez_compressed(path, allow_pickle=False, **arrays)
