"""A real training of an edge classifier, on a few dozen small events."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from trigger_ml.errors import ConfigError, DataError
from trigger_ml.progress import Quiet
from trigger_ml.splits import sides
from trigger_ml.tasks.tracks import trainer
from trigger_ml.tasks.tracks.graphs import build
from trigger_ml.tasks.tracks.hits import EventHits
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.sector_images import SectorImages, pack
from trigger_ml.tasks.tracks.store import TrackStore, write_events
from trigger_ml.tasks.tracks.train import TrainingResult, train_edges
from trigger_ml.tasks.tracks.train_files import FILES
from trigger_ml.tasks.tracks.training_recipe import EdgeRecipe, read_edge_recipe

Helices = Callable[..., EventHits]

EVENTS = 40
RECIPE = EdgeRecipe.model_validate(
    {
        "float_network": {"iterations": 2, "hidden": 8, "message": 4, "node": 4},
        "network": {"iterations": 2, "hidden": 8, "message": 4, "node": 4},
        "grids": {
            "input_bits": 8,
            "weight_bits": 5,
            "sparsity": 0.5,
            "node_sparsity": 0.4,
            "end_sparsity": 0.2,
        },
        "small": {"slots": 2, "phi_cells": 64, "eta_cells": 4},
        "large": {"slots": 2, "phi_cells": 32, "own": 4},
        "training": {
            "float_epochs": 6,
            "float_learning_rate": 1e-2,
            "pruned_epochs": 8,
            "pruned_learning_rate": 1e-2,
            "quantized_epochs": 2,
            "batch": 1,
        },
        "split": {"test": 0.3, "validation": 0.2},
    }
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, helices: Helices) -> Path:
    path = tmp_path_factory.mktemp("data") / "hits.h5"
    rng = np.random.default_rng(3)
    found = [
        helices(
            rng.uniform(1, 10, tracks),
            phi=rng.uniform(-np.pi, np.pi, tracks),
            eta=rng.uniform(-0.6, 0.6, tracks),
            z=rng.normal(0, 50, tracks),
        )
        for tracks in rng.integers(20, 40, EVENTS)
    ]
    write_events(path, found, Cuts(), {"seed": 3, "recipe": "helices"})
    return path


class Recorder(Quiet):
    def __init__(self) -> None:
        self.moves: list[tuple[str, int, int]] = []

    def moved(self, stage: str, done: int, total: int) -> None:
        self.moves.append((stage, done, total))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingResult, Any]:
    """One training, into a folder where an older classifier and another file lie."""
    output = tmp_path_factory.mktemp("models") / "edges"
    output.mkdir()
    (output / "metrics.json").write_text("{}")
    (output / "compile.yaml").write_text("mine")
    recorder = Recorder()
    return train_edges(data, output, RECIPE, recorder), recorder


def test_the_folder_is_whole(trained: tuple[TrainingResult, Any]) -> None:
    result, recorder = trained
    names = sorted(path.name for path in result.directory.iterdir())
    assert names == sorted([*FILES, "compile.yaml"]), "what others put there stays"
    assert [path.name for path in result.directory.parent.iterdir()] == ["edges"]
    assert ("train: pruned", 8, 8) in recorder.moves
    assert sum(result.events.values()) == EVENTS
    assert read_edge_recipe(result.directory / "recipe.yaml") == RECIPE
    assert "# Edge classifier" in (result.directory / "README.md").read_text()


def kernels(path: Path) -> dict[str, list[np.ndarray]]:
    """Kernel and bias of every layer, as float64."""
    found: dict[str, list[np.ndarray]] = {}
    with h5py.File(path) as file:
        for name, group in file["model_weights"].items():
            arrays: dict[str, np.ndarray] = {}

            def visit(place: str, item: Any, into: dict[str, np.ndarray] = arrays) -> None:
                if isinstance(item, h5py.Dataset):
                    into[place.rpartition("/")[2]] = item[()].astype(np.float64)

            if isinstance(group, h5py.Group):
                group.visititems(visit)
            if arrays:
                found[name] = [arrays[key] for key in ("kernel:0", "bias:0") if key in arrays]
    return found


@pytest.mark.parametrize("name", ["model.h5", "model_large.h5"])
def test_weights_lie_on_their_grids_and_are_pruned(
    trained: tuple[TrainingResult, Any], name: str
) -> None:
    result, _ = trained
    found = kernels(result.directory / name)
    total = zero = 0
    for layer in RECIPE.network.layers:
        steps = found[layer.name][0] * 2.0**3
        assert np.array_equal(steps, np.rint(steps)), "the file holds the quantized weights"
        assert np.abs(steps).max() <= 16
        total += steps.size
        zero += int((steps == 0).sum())
        assert (steps == 0).mean() >= RECIPE.grids.zeros(layer) - 1 / steps.size
    assert result.sparsity == pytest.approx(zero / total)


@pytest.mark.parametrize(("kind", "tail"), [("small", ""), ("large", "_large")])
def test_the_sector_model_gives_the_figures(
    trained: tuple[TrainingResult, Any], data: Path, kind: str, tail: str
) -> None:
    """The saved model of a sector, written out in NumPy, answers as the lists of edges did."""
    result, _ = trained
    store = TrackStore.open(data)
    side = sides(np.arange(EVENTS), RECIPE.split, RECIPE.seed)
    cut = getattr(RECIPE, kind).cut
    parts = []
    for number in np.flatnonzero(side == 2):
        graph = build(store.event(int(number)), Cuts())
        parts.append(pack(graph, cut.place(graph), Cuts(), int(number)))
    found = SectorImages.joined(parts)
    weights = kernels(result.directory / f"model{tail}.h5")
    logits = sector(weights, found.x.astype(np.float64))
    true, logits = found.y[found.candidates] == 1, logits[found.candidates]
    metrics = json.loads((result.directory / "metrics.json").read_text())
    figures = metrics["sectors"][kind]["networks"]["quantized"]
    kept = logits >= 0
    assert figures["half"]["purity"]["passed"] == (true & kept).sum()
    assert figures["half"]["purity"]["total"] == kept.sum()
    assert figures["half"]["accuracy"]["passed"] == (true == kept).sum()
    apart = logits[true][:, None] - logits[~true]
    assert figures["auc"] == pytest.approx((apart > 0).mean() + (apart == 0).mean() / 2, rel=1e-12)
    saved = np.load(result.directory / f"events{tail}.npz")
    count = len(saved["x"])
    assert np.array_equal(saved["x"], found.x[:count])
    assert np.array_equal(saved["event"], found.event[:count])
    assert len(np.unique(saved["event"])) == 3
    scores, empty = saved["float_scores"], saved["x"][..., 0] == 0
    assert scores.shape == saved["y"].shape and (scores[empty] == -8).all()
    if kind == "small":
        weights = kernels(result.directory / "float_baseline.h5")
        logits = sector(weights, saved["x"].astype(np.float64), on_grids=False)
        assert np.allclose(logits[~empty], scores[~empty], atol=1e-3)


def sector(
    weights: dict[str, list[np.ndarray]], x: np.ndarray, *, on_grids: bool = True
) -> np.ndarray:
    """Logits (n, rows, columns) of images (n, rows, columns, features)."""

    def rounded(values: np.ndarray, step: float, low: float, high: float) -> np.ndarray:
        stepped = np.rint(values / step) * step if on_grids else values
        return np.asarray(np.clip(stepped, low, high))

    def relu(values: np.ndarray) -> np.ndarray:
        return rounded(values, 0.25, 0.0, 3.75)

    def dense(values: np.ndarray, name: str) -> np.ndarray:
        kernel, *bias = weights[name]
        return np.asarray(values @ kernel[0, 0] + (bias[0] if bias else 0.0))

    def mix(values: np.ndarray, name: str) -> np.ndarray:
        (kernel,) = weights[name]
        wide, columns = kernel.shape[1], values.shape[2]
        padded = np.pad(values, ((0, 0), (0, 0), (wide // 2, wide // 2), (0, 0)))
        return sum(
            np.einsum("nrcf,rs->nscf", padded[:, :, k : k + columns], kernel[0, k])
            for k in range(wide)
        )

    x = rounded(x, 2.0**-6, -2.0, 2.0 - 2.0**-6)
    mask = x[..., :1]
    edge = relu(dense(relu(dense(x, "edge0")), "message0"))
    for number in (1, 2):
        sums = [mix(edge, f"{name}{number}") for name in ("entering", "leaving")]
        node = relu(dense(np.concatenate(sums, -1), f"node{number}"))
        ends = [mix(node, f"{name}{number}") for name in ("sender", "receiver")]
        hidden = relu(dense(np.concatenate([*ends, edge, x], -1), f"edge{number}"))
        if number == 1:
            edge = relu(dense(hidden, "message1")) * mask
    return np.asarray(dense(hidden, "score")[..., 0])


def test_what_was_measured(trained: tuple[TrainingResult, Any]) -> None:
    result, _ = trained
    metrics = json.loads((result.directory / "metrics.json").read_text())
    for kind, sectors in metrics["sectors"].items():
        assert set(sectors["networks"]) == {"float", "quantized"}
        assert sectors["dense_bit_operations"] > sectors["bit_operations"] > 0
        assert sectors["ideal_tracks"]["fakes"]["passed"] == 0
        lost = sectors["lost"]
        for figures in sectors["networks"].values():
            whole = figures["whole"]
            assert whole["total"] == lost["true"]
            assert whole["passed"] == figures["half"]["efficiency"]["passed"]
            assert figures["half"]["efficiency"]["total"] == lost["true"] - lost["true_lost"]
            assert figures["auc"] > 0.8, f"nothing was learned for {kind} sectors"


@pytest.mark.slow
def test_an_equal_recipe_gives_equal_weights(
    trained: tuple[TrainingResult, Any], data: Path, tmp_path: Path
) -> None:
    again = train_edges(data, tmp_path / "edges", RECIPE)
    for name in ("model.h5", "model_large.h5", "float_baseline.h5"):
        left, right = (kernels(item.directory / name) for item in (trained[0], again))
        assert left.keys() == right.keys()
        for layer, arrays in left.items():
            assert all(np.array_equal(a, b) for a, b in zip(arrays, right[layer], strict=True))
    assert again.kinds == trained[0].kinds


def test_a_diverging_training_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = trainer._Trainer()
    failing._stage, failing._lists = 0, {"small": [1]}  # type: ignore[dict-item]
    failing._running = SimpleNamespace(step=lambda _: float("nan"))  # type: ignore[assignment]
    monkeypatch.setattr(failing, "_batches", lambda _: [None])
    with pytest.raises(ConfigError, match='diverged: its loss is nan in stage "float"'):
        failing.epoch({"stage": 0})


def test_too_few_events_are_named(tmp_path: Path, helices: Helices) -> None:
    write_events(tmp_path / "hits.h5", [helices(5.0)], Cuts(), {"seed": 1, "recipe": ""})
    with pytest.raises(DataError) as caught:
        train_edges(tmp_path / "hits.h5", tmp_path / "edges", RECIPE)
    told = str(caught.value)
    assert all(f"the {side} side" in told for side in ("train", "validation", "test"))
    assert [path.name for path in tmp_path.iterdir()] == ["hits.h5"]
