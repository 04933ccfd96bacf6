"""A real training of a segmenter, on a few hundred images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from trigger_ml.errors import ConfigError, DataError
from trigger_ml.progress import Quiet
from trigger_ml.tasks.muons import trainer
from trigger_ml.tasks.muons.recipe import SampleRecipe
from trigger_ml.tasks.muons.store import read_muons, write_muons
from trigger_ml.tasks.muons.train import TrainingResult, held_out_images, train_segmenter
from trigger_ml.tasks.muons.train_files import FILES
from trigger_ml.tasks.muons.training_recipe import SegmenterRecipe, read_segmenter_recipe

IMAGES = 400
RECIPE = SegmenterRecipe.model_validate(
    {
        "layers": [
            {"kernel": [3, 3], "filters": 7, "activation_bits": 1, "activation_integer": 1},
            {"kernel": [1, 5], "filters": 3, "weight_bits": 3, "sparsity": 0.8},
            {"kernel": [1, 5], "filters": 1, "weight_bits": 6, "weight_integer": 3,
             "bias_bits": 10, "bias_integer": 5},
        ],
        "crops": {"width": 32},
        "training": {"float_epochs": 2, "pruned_epochs": 2, "frozen_epochs": 1, "batch": 16},
        "working_point": {"efficiency": 0.9},
        "split": {"test": 0.4, "validation": 0.2},
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "muons.h5"
    write_muons(path, SampleRecipe(images=IMAGES, seed=5))
    return path


class Recorder(Quiet):
    def __init__(self) -> None:
        self.moves: list[tuple[str, int, int]] = []

    def moved(self, stage: str, done: int, total: int) -> None:
        self.moves.append((stage, done, total))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingResult, Any]:
    """One training, into a folder where an older segmenter and a lock file lie."""
    output = tmp_path_factory.mktemp("models") / "segmenter"
    output.mkdir()
    (output / "metrics.json").write_text("{}")
    (output / "trigger-ml.lock").write_text("mine")
    recorder = Recorder()
    return train_segmenter(data, output, RECIPE, recorder), recorder


def weights(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    found: list[tuple[str, np.ndarray]] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append((name.rpartition("/")[2], item[()]))

    with h5py.File(path) as file:
        file["model_weights"].visititems(visit)
    return iter(found)


def test_the_folder_is_whole(trained: tuple[TrainingResult, Any], data: Path) -> None:
    result, recorder = trained
    names = sorted(path.name for path in result.directory.iterdir())
    assert names == sorted([*FILES, "trigger-ml.lock"]), "what others put there stays"
    assert [path.name for path in result.directory.parent.iterdir()] == ["segmenter"]
    assert ("train: pruned", 2, 2) in recorder.moves
    assert recorder.moves[-1] == ("train: last layer on its grid", 1, 1)
    assert sum(result.images.values()) == IMAGES
    assert read_segmenter_recipe(result.directory / "recipe.yaml") == RECIPE
    kept = np.load(result.directory / "events.npz")
    held = held_out_images(data, RECIPE)
    assert np.array_equal(kept["y"], held.truth != 0)
    assert len(held) == result.images["test"]


def test_weights_lie_on_their_grids_and_are_pruned(trained: tuple[TrainingResult, Any]) -> None:
    result, _ = trained
    kernels = [
        values for name, values in weights(result.directory / "model.h5") if "kernel" in name
    ]
    assert len(kernels) == 3
    for values, layer in zip(kernels, RECIPE.layers, strict=True):
        steps = values * 2.0 ** (layer.weight_bits - 1 - layer.weight_integer)
        assert np.array_equal(steps, np.rint(steps)), "the file holds the quantized weights"
        assert np.abs(steps).max() <= 2 ** (layer.weight_bits - 1)
        assert (values == 0).mean() >= layer.sparsity - 0.05
    zeros = sum(int((values == 0).sum()) for values in kernels)
    assert result.sparsity == zeros / sum(values.size for values in kernels)


def test_the_threshold_is_zero(trained: tuple[TrainingResult, Any], data: Path) -> None:
    """Marking the logits above zero, computed here, gives the figures that were written."""
    result, _ = trained
    metrics = json.loads((result.directory / "metrics.json").read_text())
    kept = np.load(result.directory / "events.npz")
    mask = masks(result.directory / "model.h5", kept["x"])
    images = held_out_images(data, RECIPE)
    softest = np.nan_to_num(images.pt, nan=np.inf).min(axis=1)
    for multiple, found in metrics["networks"]["quantized"]["background"].items():
        chosen = (images.background == float(multiple)) & ((images.muons == 0) | (softest > 10))
        fakes = (mask & (kept["y"] == 0))[chosen].sum(axis=(1, 2)).mean()
        assert found["fakes"]["value"] == pytest.approx(fakes)
        empty = chosen & (images.muons == 0)
        assert found["empty_firing"]["total"] == empty.sum()
        assert found["empty_firing"]["passed"] == mask[empty].any(axis=(1, 2)).sum()


def masks(model: Path, hits: np.ndarray) -> np.ndarray:
    """The network, written out with NumPy."""
    values = hits.astype(np.float64)
    with h5py.File(model) as file:
        for number, layer in enumerate(RECIPE.layers, 1):
            group = file["model_weights"][f"conv{number}"][f"conv{number}"]
            kernel, bias = group["kernel:0"][()].astype(float), group["bias:0"][()].astype(float)
            high, wide = kernel.shape[0] // 2, kernel.shape[1] // 2
            padded = np.pad(values, ((0, 0), (high, high), (wide, wide), (0, 0)))
            values = np.zeros((*values.shape[:3], kernel.shape[3])) + bias
            for i, j in np.ndindex(*kernel.shape[:2]):
                part = padded[:, i : i + values.shape[1], j : j + values.shape[2]]
                values += part @ kernel[i, j]
            if number < len(RECIPE.layers):
                step = 2.0 ** (layer.activation_integer - layer.activation_bits)
                values = np.clip(np.rint(values / step) * step, 0, layer.saturation)
    return np.asarray(values[..., 0] > 0)


def test_what_was_measured(trained: tuple[TrainingResult, Any]) -> None:
    result, _ = trained
    metrics = json.loads((result.directory / "metrics.json").read_text())
    assert set(metrics["networks"]) == {"float", "quantized"}
    for mask in metrics["networks"].values():
        assert set(mask["background"]) == {"1", "5", "10"}
        rising = [item["efficiency"]["value"] for item in mask["curve"]]
        assert rising == sorted(rising)
    assert len(metrics["equal_efficiency"]) == 2, "the best of all, and of CMS's patterns"
    for equal in metrics["equal_efficiency"]:
        for found in equal["networks"].values():
            assert found["efficiency"]["value"] >= equal["found"]["efficiency"]["value"]
    assert "# Muon segmenter" in (result.directory / "README.md").read_text()


@pytest.mark.slow
def test_an_equal_recipe_gives_equal_weights(
    trained: tuple[TrainingResult, Any], data: Path, tmp_path: Path
) -> None:
    again = train_segmenter(data, tmp_path / "segmenter", RECIPE)
    for name in ("model.h5", "float_baseline.h5"):
        pairs = zip(
            weights(trained[0].directory / name), weights(again.directory / name), strict=True
        )
        assert all(np.array_equal(left, right) for (_, left), (_, right) in pairs)
    assert again.results == trained[0].results


def test_a_diverging_training_says_so() -> None:
    failing = trainer._Trainer()
    failing._stage, failing._student = 0, SimpleNamespace(fit=lambda *_, **__: nothing)
    nothing = SimpleNamespace(history={"loss": [float("nan")]})
    with pytest.raises(ConfigError, match='diverged: its loss is nan in epoch 1 of stage "float"'):
        failing.epoch({"stage": 0})


def test_a_threshold_that_does_not_fit_is_refused() -> None:
    """The last bias of the default recipe reaches from -32 to 31.75."""
    kept: list[Any] = []
    layer = SimpleNamespace(
        get_weights=lambda: [np.ones(1), np.array([-10.0], np.float32)], set_weights=kept.append
    )
    asked = trainer._Trainer()
    asked._networks["quantized"] = SimpleNamespace(get_layer=lambda name: layer)
    with pytest.raises(ConfigError, match=r"needs a bias of -32\.25"):
        asked.threshold({"network": "quantized", "least": 22.5})
    assert not kept
    assert asked.threshold({"network": "quantized", "least": 1.0}) == {"shift": 0.75}
    assert kept[0][1] == -10.75, "so that 1 becomes 0.25 and the logit below it 0"


def test_too_few_images_are_named(data: Path, tmp_path: Path) -> None:
    recipe = SegmenterRecipe.model_validate({"working_point": {"background": 3.0}})
    with pytest.raises(DataError) as caught:
        train_segmenter(data, tmp_path / "segmenter", recipe)
    told = str(caught.value)
    assert all(f"the {side} side" in told for side in ("train", "validation", "test"))
    assert "no muons above 10 GeV at 3 times the background" in told
    assert len(read_muons(data)) == IMAGES and list(tmp_path.iterdir()) == []
