"""Real trainings, on a few hundred made-up jets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from trigger_ml.errors import ConfigError
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.progress import Quiet
from trigger_ml.tasks.jets import trainer
from trigger_ml.tasks.jets.card import DataCard
from trigger_ml.tasks.jets.names import CLASSES
from trigger_ml.tasks.jets.recipe import Recipe, read_recipe
from trigger_ml.tasks.jets.scaling import read_scaling
from trigger_ml.tasks.jets.store import write_sample
from trigger_ml.tasks.jets.train import TrainingResult, held_out_jets, train_tagger
from trigger_ml.tasks.jets.trainer_files import FILES

JETS = 1200
RECIPE = Recipe.model_validate(
    {
        "network": {"hidden": [12, 8], "weight_bits": 5},
        "pruning": {"sparsity": 0.75, "begin": 0.0, "end": 0.5},
        "training": {"float_epochs": 4, "quantized_epochs": 6, "batch": 16},
        "split": {"test": 0.4, "validation": 0.1},
    }
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Jets whose features depend on their class, two of each event."""
    random = np.random.default_rng(1)
    labels = np.repeat(np.arange(JETS // 2) % 5, 2).astype(np.int8)
    centres = random.normal(size=(5, 16))
    features = (centres[labels] + random.normal(size=(JETS, 16))).astype(np.float32)
    event = np.repeat(np.arange(JETS // 2), 2).astype(np.int64)
    rows: dict[str, np.ndarray] = {"features": features, "labels": labels, "event": event}
    counts = {kind: JETS // 5 for kind in CLASSES}
    path = tmp_path_factory.mktemp("data") / "jets.h5"
    write_sample(path, iter([rows]), DataCard("a test", {}, {}, 1, 0, counts, {}))
    return path


class Recorder(Quiet):
    def __init__(self) -> None:
        self.moves: list[tuple[str, int, int]] = []

    def moved(self, stage: str, done: int, total: int) -> None:
        self.moves.append((stage, done, total))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingResult, Any]:
    """One training, into a folder where an older tagger and somebody's lock file lie."""
    output = tmp_path_factory.mktemp("models") / "tagger"
    output.mkdir()
    (output / "metrics.json").write_text("{}")
    (output / "trigger-ml.lock").write_text("mine")
    recorder = Recorder()
    return train_tagger(data, output, RECIPE, recorder), recorder


def kernels(path: Path) -> Iterator[np.ndarray]:
    found: list[np.ndarray] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and "kernel" in name:
            found.append(item[()])

    with h5py.File(path) as file:
        file["model_weights"].visititems(visit)
    return iter(found)


def test_the_folder_is_whole(trained: tuple[TrainingResult, Any]) -> None:
    result, recorder = trained
    names = sorted(path.name for path in result.directory.iterdir())
    assert names == sorted([*FILES, "trigger-ml.lock"]), "what others put there stays"
    assert [path.name for path in result.directory.parent.iterdir()] == ["tagger"]
    assert (result.directory / "trigger-ml.lock").read_text() == "mine"
    assert recorder.moves[-1] == ("train the quantized network", 6, 6)
    assert sum(result.jets.values()) == JETS
    assert read_recipe(result.directory / "recipe.yaml") == RECIPE
    card = json.loads((result.directory / "data_card.json").read_text())
    assert card["digest"] == result.data_digest


def test_pruned_weights_are_zero_after_quantization(
    trained: tuple[TrainingResult, Any],
) -> None:
    result, _ = trained
    layers = list(kernels(result.directory / "model.h5"))
    assert len(layers) == 3
    assert all((values == 0).mean() >= 0.74 for values in layers), "every layer is pruned"
    total = sum(values.size for values in layers)
    zeros = sum(int((values == 0).sum()) for values in layers)
    assert result.sparsity == zeros / total >= 0.745
    for values in layers:
        steps = values / 2.0 ** (RECIPE.network.weight_integer + 1 - RECIPE.network.weight_bits)
        assert np.array_equal(steps, np.rint(steps)), "the file holds the quantized weights"
        assert np.abs(steps).max() <= 2 ** (RECIPE.network.weight_bits - 1)


def test_the_compiler_accepts_the_model(trained: tuple[TrainingResult, Any]) -> None:
    result, _ = trained
    file = read_keras(result.directory / "model.h5")
    assert file.has_input_quantizer and file.tail == "softmax" and file.input_shape == (16,)
    assert [layer.kind for layer in file.layers] == [
        "InputLayer", "QActivation", "QDense", "QActivation", "QDense", "QActivation", "QDense"
    ]  # fmt: skip


def test_what_was_measured(trained: tuple[TrainingResult, Any], data: Path) -> None:
    result, _ = trained
    metrics = json.loads((result.directory / "metrics.json").read_text())
    accuracy = {name: row["accuracy"] for name, row in metrics["networks"].items()}
    assert list(accuracy) == ["float", "quantized"]
    assert accuracy["float"]["value"] > 0.7, "these jets are easy"
    assert accuracy["quantized"]["value"] > 0.5
    for row in accuracy.values():
        assert row["low"] < row["value"] < row["high"]
    assert set(metrics["quantized_minus_float"]) == {"accuracy", *(f"auc:{k}" for k in CLASSES)}
    assert metrics["weights"]["sparsity"] == result.sparsity
    card = (result.directory / "README.md").read_text()
    assert f"{100 * accuracy['quantized']['value']:.2f} %" in card
    inputs, labels = held_out_jets(data, result.directory)
    kept = np.load(result.directory / "events.npz")
    assert np.array_equal(kept["x"], inputs) and np.array_equal(kept["y"], labels)
    scaling = read_scaling(result.directory / "scaling.json")
    assert scaling.bits == RECIPE.inputs.bits
    assert len(labels) == result.jets["test"] == metrics["data"]["jets"]["test"]


@pytest.mark.slow
def test_an_equal_recipe_gives_equal_weights(
    trained: tuple[TrainingResult, Any], data: Path, tmp_path: Path
) -> None:
    again = train_tagger(data, tmp_path / "tagger", RECIPE)
    for name in ("model.h5", "float_baseline.h5"):
        pairs = zip(
            kernels(trained[0].directory / name), kernels(again.directory / name), strict=True
        )
        assert all(np.array_equal(old, new) for old, new in pairs)
    first = (trained[0].directory / "metrics.json").read_text()
    assert (tmp_path / "tagger" / "metrics.json").read_text() == first


def test_ctrl_c_leaves_nothing(data: Path, tmp_path: Path) -> None:
    class Impatient(Quiet):
        def started(self, stage: str) -> None:
            if stage == "train the float network":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_tagger(data, tmp_path / "tagger", RECIPE, Impatient())
    assert not any(tmp_path.iterdir())


def test_a_diverging_training_says_so() -> None:
    student = SimpleNamespace(
        fit=lambda *_, **__: SimpleNamespace(history={"loss": [0.7, float("nan")]})
    )
    server = trainer._Trainer()
    server._students["float"] = student
    server._jets = {"x_train": np.zeros((1, 1))}
    with pytest.raises(ConfigError, match="the float network diverged: its loss is nan in epoch 1"):
        server.epoch({"network": "float"})
