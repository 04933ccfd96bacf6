"""What a trained segmenter's folder holds besides its models: figures, card, plots, events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from trigger_ml.check.segmentation import LEVEL, MATCH
from trigger_ml.tasks.muons.images import Images, unpack
from trigger_ml.tasks.muons.train_card import model_card
from trigger_ml.tasks.muons.train_measure import Results
from trigger_ml.tasks.muons.training_recipe import SegmenterRecipe

__all__ = [
    "EVENTS_KEPT",
    "FILES",
    "TrainingResult",
    "metrics_json",
    "write_events",
    "write_files",
]

SCHEMA: Final = 1
EVENTS_KEPT: Final = 1000
"""Test images in the segmenter's own ``events.npz``."""
FILES: Final = (
    "README.md",
    "efficiency_pt.png",
    "events.npz",
    "fakes.png",
    "float_baseline.h5",
    "metrics.json",
    "model.h5",
    "recipe.yaml",
)
"""Everything that a training writes."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A trained segmenter.

    directory: where its files are. results: what networks and pattern finders reach on the test
    images. images: in each side of the split. weights: by layer of the quantized network, how
    many without biases and how many of those are zero. seconds: of every stage. versions: of the
    libraries.
    """

    directory: Path
    results: Results
    images: Mapping[str, int]
    weights: Mapping[str, tuple[int, int]]
    seconds: Mapping[str, float]
    versions: Mapping[str, str]

    @property
    def sparsity(self) -> float:
        """Share of the quantized weights that are zero."""
        total, zero = np.sum(list(self.weights.values()), axis=0)
        return float(zero / total)


def write_files(folder: Path, result: TrainingResult, recipe: SegmenterRecipe, data: Path) -> None:
    """Write recipe, figures, card and plots."""
    metrics = metrics_json(result, recipe, data)
    texts = {
        "recipe.yaml": recipe.to_yaml(),
        "metrics.json": json.dumps(metrics, indent=1, allow_nan=False) + "\n",
        "README.md": model_card(metrics, recipe),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    _plots(folder, result.results, recipe)


def metrics_json(result: TrainingResult, recipe: SegmenterRecipe, data: Path) -> dict[str, Any]:
    """Everything that was measured, as JSON data; times are left out, so that it repeats."""
    total, zero = (int(value) for value in np.sum(list(result.weights.values()), axis=0))
    results = result.results
    with h5py.File(data, "r") as file:
        sample = {name: str(file.attrs.get(name, "")) for name in ("seed", "version", "recipe")}
    return {
        "schema": SCHEMA,
        "task": "muons",
        "sample": sample,
        "images": dict(result.images),
        "seed": recipe.seed,
        "interval_level": LEVEL,
        "matched_above": MATCH,
        "working_point": recipe.working_point.model_dump(mode="json"),
        "networks": {name: item.to_json() for name, item in results.networks.items()},
        "pattern_finders": {
            name: {"background": item.to_json()["background"]}
            for name, item in results.finders.items()
        },
        "equal_efficiency": [item.to_json() for item in results.equal],
        "weights": {
            "total": total,
            "zero": zero,
            "layers": {
                name: {"total": size, "zero": none} for name, (size, none) in result.weights.items()
            },
        },
        "versions": dict(result.versions),
    }


def write_events(
    path: Path,
    images: Images,
    limit: int | None = EVENTS_KEPT,
    float_logits: NDArray[np.float32] | None = None,
) -> None:
    """Write images as ``compile --data`` takes them.

    x: hits, (n, 8, 384, 6); y: 1 for a true cell, (n, 8, 384); muons, pt, eta, background: of
    each image. float_logits: of the float network, (images or more, 8, 384); its decisions are
    kept as float_scores, 1 and -1. limit: only the first so many images, None for all.
    """
    kept = images[slice(limit)]
    arrays = {
        "x": unpack(kept.hits),
        "y": (kept.truth != 0).astype(np.uint8),
        "muons": kept.muons,
        "pt": kept.pt,
        "eta": kept.eta,
        "background": kept.background,
    }
    if float_logits is not None:
        marked = float_logits[: len(kept)] > 0
        arrays["float_scores"] = np.where(marked, 1, -1).astype(np.int8)
    np.savez_compressed(path, allow_pickle=False, **arrays)


def _plots(folder: Path, results: Results, recipe: SegmenterRecipe) -> None:
    from trigger_ml.report.plots import to_png
    from trigger_ml.tasks.muons.plots import efficiency_figure, trade_off_figure

    best, at = results.equal[0].finder, recipe.working_point.background
    masks = {**results.networks, "patterns": results.finders[best]}
    figure = efficiency_figure(
        {name: mask.pt for name, mask in masks.items()}, "pT / GeV", scale="log"
    )
    (folder / "efficiency_pt.png").write_bytes(to_png(figure, 100))
    curves = {name: mask.curve for name, mask in results.networks.items()}
    for item in results.equal:
        setting = item.finder.rpartition(": ")[0]
        curves[setting] = tuple(
            mask.at[at] for name, mask in results.finders.items() if name.startswith(f"{setting}: ")
        )
    (folder / "fakes.png").write_bytes(to_png(trade_off_figure(curves), 100))
