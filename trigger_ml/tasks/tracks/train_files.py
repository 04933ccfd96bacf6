"""What a trained edge classifier's folder holds besides its models: figures, plots, sectors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.check.segmentation import LEVEL
from trigger_ml.tasks.tracks.graphs import HitGraph
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.sector_images import FEATURES, SectorImages, pack
from trigger_ml.tasks.tracks.sectors import Cut
from trigger_ml.tasks.tracks.store import TrackStore
from trigger_ml.tasks.tracks.train_card import model_card
from trigger_ml.tasks.tracks.train_measure import (
    SAME,
    TRACK_LAYERS,
    NetworkFigures,
    TrackFigures,
)
from trigger_ml.tasks.tracks.trainer_client import LayerCounts
from trigger_ml.tasks.tracks.training_cost import bit_operations, dense_bit_operations
from trigger_ml.tasks.tracks.training_lists import EdgeLists, Lost
from trigger_ml.tasks.tracks.training_recipe import EdgeRecipe

__all__ = [
    "EVENTS_KEPT",
    "FILES",
    "KindResult",
    "TrainingResult",
    "metrics_json",
    "write_files",
    "write_sectors",
]

SCHEMA: Final = 1
EVENTS_KEPT: Final = 3
"""Test events whose sectors are kept beside the model, all of each."""
NO_EDGE: Final = -8.0
"""Score of the float network where there is no edge."""
FILES: Final = (
    "README.md",
    "efficiency_eta.png",
    "efficiency_pt.png",
    "events.npz",
    "events_large.npz",
    "float_baseline.h5",
    "metrics.json",
    "model.h5",
    "model_large.h5",
    "recipe.yaml",
    "tracks_pt.png",
)
"""Everything that a training writes."""


@dataclass(frozen=True, slots=True)
class KindResult:
    """One kind of sectors: what cutting loses, and what each network reaches on its edges.

    ideal: tracks that a network would find that is right about every edge.
    """

    lost: Lost
    networks: Mapping[str, NetworkFigures]
    ideal: TrackFigures


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A trained edge classifier.

    directory: where its files are. kinds: by kind of sectors, on the test events. events: in each
    side of the split. layers: of the quantized network. seconds: of every stage. versions: of the
    libraries.
    """

    directory: Path
    kinds: Mapping[str, KindResult]
    events: Mapping[str, int]
    layers: LayerCounts
    seconds: Mapping[str, float]
    versions: Mapping[str, str]

    @property
    def sparsity(self) -> float:
        """Share of the quantized weights that are zero."""
        total = sum(len(rows) * outputs for rows, outputs in self.layers.values())
        return 1 - sum(sum(rows) for rows, _ in self.layers.values()) / total


def write_files(
    folder: Path, result: TrainingResult, recipe: EdgeRecipe, store: TrackStore
) -> None:
    """Write recipe, figures, card and plots."""
    metrics = metrics_json(result, recipe, store)
    texts = {
        "recipe.yaml": recipe.to_yaml(),
        "metrics.json": json.dumps(metrics, indent=1, allow_nan=False) + "\n",
        "README.md": model_card(metrics, recipe),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    _plots(folder, result)


def metrics_json(result: TrainingResult, recipe: EdgeRecipe, store: TrackStore) -> dict[str, Any]:
    """Everything that was measured, as JSON data; times are left out, so that it repeats."""
    total = sum(len(rows) * outputs for rows, outputs in result.layers.values())
    kept = sum(sum(rows) for rows, _ in result.layers.values())
    return {
        "schema": SCHEMA,
        "task": "tracks",
        "sample": {name: str(store.attributes.get(name, "")) for name in ("seed", "recipe")},
        "events": dict(result.events),
        "seed": recipe.seed,
        "interval_level": LEVEL,
        "events_kept": min(EVENTS_KEPT, result.events["test"]),
        "features": list(FEATURES),
        "track": {"layers": TRACK_LAYERS, "same": SAME},
        "sectors": {
            name: {
                "shape": {**asdict(shape), "nodes": shape.nodes, "edges": shape.edges},
                "bit_operations": bit_operations(
                    recipe.network, recipe.grids, shape, result.layers
                ),
                "dense_bit_operations": dense_bit_operations(recipe.network, shape),
                "lost": asdict(result.kinds[name].lost),
                "ideal_tracks": asdict(result.kinds[name].ideal),
                "networks": {
                    network: figures.to_json()
                    for network, figures in result.kinds[name].networks.items()
                },
            }
            for name, shape in recipe.shapes.items()
        },
        "weights": {
            "total": total,
            "zero": total - kept,
            "layers": {
                name: {"total": len(rows) * outputs, "zero": len(rows) * outputs - sum(rows)}
                for name, (rows, outputs) in result.layers.items()
            },
        },
        "versions": dict(result.versions),
    }


def write_sectors(
    path: Path,
    graphs: Sequence[HitGraph],
    numbers: Sequence[int],
    how: tuple[Cut, Cuts],
    float_logits: tuple[EdgeLists, NDArray[np.float32]] | None = None,
) -> None:
    """Write sectors as ``compile --data`` takes them: the arrays of ``SectorImages``.

    numbers: of the events whose graphs these are. how: cut, and the cuts of the graphs.
    float_logits: edges of these events and maybe more, and the float network's answers to them;
    kept as float_scores, (sectors, edge rows, cells), NO_EDGE where there is no edge.
    """
    cut, cuts = how
    images, scores = [], []
    for index, (graph, number) in enumerate(zip(graphs, numbers, strict=True)):
        placed = cut.place(graph)
        images.append(pack(graph, placed, cuts, number))
        if float_logits:
            lists, logits = float_logits
            found = np.full(images[-1].y.shape, NO_EDGE, np.float32)
            rows = slice(lists.starts[index], lists.starts[index + 1])
            found[placed.sector, placed.row, placed.column] = logits[rows]
            scores.append(found)
    joined = SectorImages.joined(images)
    arrays = {name: getattr(joined, name) for name in SectorImages.__slots__}
    if scores:
        arrays["float_scores"] = np.concatenate(scores)
    np.savez_compressed(path, allow_pickle=False, **arrays)


def _plots(folder: Path, result: TrainingResult) -> None:
    from trigger_ml.report.efficiency import efficiency_figure
    from trigger_ml.report.plots import to_png

    found = {
        f"{network}, {kind}": figures
        for kind, item in result.kinds.items()
        for network, figures in item.networks.items()
    }
    for quantity, text, scale in (("pt", "pT / GeV", "log"), ("eta", "eta", "linear")):
        bins = {name: figures.bins[quantity] for name, figures in found.items()}
        figure = efficiency_figure(bins, text, scale="log" if scale == "log" else "linear")
        (folder / f"efficiency_{quantity}.png").write_bytes(to_png(figure, 100))
    tracks = {name: figures.tracks.pt for name, figures in found.items()}
    figure = efficiency_figure(tracks, "pT / GeV", scale="log")
    (folder / "tracks_pt.png").write_bytes(to_png(figure, 100))
