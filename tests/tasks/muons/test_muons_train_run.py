"""A real training of a segmenter, on a few hundred images."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

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
from trigger_ml.tasks.muons.training_start import first_weights

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
    """Those of the recipe's layers."""
    found: list[tuple[str, np.ndarray]] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and name.startswith("conv"):
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


def test_the_first_layer_keeps_its_windows(trained: tuple[TrainingResult, Any]) -> None:
    """Rounded from the start, so that both networks have the same, with whole weights."""
    result, _ = trained
    for name in ("model.h5", "float_baseline.h5"):
        kernel = next(
            values for item, values in weights(result.directory / name) if "kernel" in item
        )
        assert np.array_equal(kernel, np.rint(first_weights(RECIPE)[0][0])), name


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
    """What the network marks, written out with NumPy."""
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
    return np.asarray((values[..., 0] > 0) & hits.any(axis=-1))


ONLY_HITS: Final = """
import sys
import numpy as np
from trigger_ml.keras2 import bind_keras
bind_keras()
import tf_keras as keras
from qkeras.utils import _add_supported_quantized_objects
from trigger_ml.tasks.muons.trainer_networks import network
from trigger_ml.tasks.muons.training_recipe import SegmenterRecipe
objects = {}
_add_supported_quantized_objects(objects)
x = np.load(sys.argv[2] + "/events.npz")["x"][:100].astype(np.float32)
found = {"x": x}
for name in ("model", "float_baseline"):
    model = keras.models.load_model(f"{sys.argv[2]}/{name}.h5", objects, compile=False)
    found[name] = model.predict(x, verbose=0)[..., 0]
    found[f"{name}_ones"] = model.get_layer("layers_hit").get_weights()[0]
recipe = SegmenterRecipe.model_validate_json(sys.argv[1])
training = network(recipe, stage=recipe.stages[0])
for layer in training.layers:
    layer.set_weights(model.get_layer(layer.name).get_weights() if layer.weights else [])
found["training"] = training.predict(x, verbose=0)[..., 0]
np.savez(sys.argv[3], **found)
"""


def test_only_cells_with_a_hit_are_marked(
    trained: tuple[TrainingResult, Any], tmp_path: Path
) -> None:
    """By the files themselves; and what trains leaves the other cells out."""
    folder, out = trained[0].directory, tmp_path / "found.npz"
    asked = [ONLY_HITS, RECIPE.model_dump_json(), folder, out]
    subprocess.run([sys.executable, "-c", *map(str, asked)], check=True, capture_output=True)
    found = np.load(out)
    hit = found["x"].any(axis=-1)
    for name in ("model", "float_baseline"):
        assert np.array_equal(found[f"{name}_ones"], np.ones((1, 1, 6, 1)))
        assert not found[name][~hit].any() and (found[name][hit] < 0).any()
    steps = found["model"] / RECIPE.logit_step
    assert np.array_equal(steps, np.rint(steps)) and (steps % 2 == 1).any()
    assert np.array_equal(steps >= 1, masks(folder / "model.h5", found["x"])), "as it is compiled"
    assert found["training"][hit] == pytest.approx(found["float_baseline"][hit], abs=1e-4)
    assert (found["training"][~hit] == -1000).all()


def test_what_was_measured(trained: tuple[TrainingResult, Any]) -> None:
    result, _ = trained
    hits = np.load(result.directory / "events.npz")["x"].any(axis=-1).sum(axis=(1, 2)).max()
    metrics = json.loads((result.directory / "metrics.json").read_text())
    assert set(metrics["networks"]) == {"float", "quantized"}
    for mask in metrics["networks"].values():
        assert set(mask["background"]) == {"1", "5", "10"}
        rising = [item["efficiency"]["value"] for item in mask["curve"]]
        assert rising == sorted(rising)
        most = mask["curve"][-1]["fakes"]["value"]
        assert most < hits, "a threshold below zero does not mark the cells without a hit"
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


LOSSES: Final = """
import sys
import numpy as np
from trigger_ml.keras2 import bind_keras
bind_keras()
import tensorflow as tf
from trigger_ml.tasks.muons.trainer_loss import piece_loss
from trigger_ml.tasks.muons.training_recipe import SegmenterRecipe
recipe = SegmenterRecipe.model_validate_json(sys.argv[1])
given = np.load(sys.argv[2])
logits = tf.constant(given["logits"])
with tf.GradientTape() as tape:
    tape.watch(logits)
    losses = piece_loss(recipe)(tf.constant(given["true"]), logits)
np.savez(sys.argv[3], losses=losses, gradient=tape.gradient(losses, logits))
"""


def test_what_a_piece_costs(tmp_path: Path) -> None:
    """Written out cell by cell: three pieces with muons, one of them crowded, and two without."""
    recipe = SegmenterRecipe.model_validate({"crops": {"width": 20, "margin": 6}})
    training, random = recipe.training, np.random.default_rng(1)
    logits = random.normal(0, 2, (5, 8, 20, 1)).astype(np.float32)
    true = (random.random(logits.shape) < 0.1).astype(np.float32)
    true[2], true[3:] = random.random((8, 20, 1)) < 0.4, 0.0
    np.savez(tmp_path / "given.npz", logits=logits, true=true)
    asked = [LOSSES, recipe.model_dump_json(), tmp_path / "given.npz", tmp_path / "found.npz"]
    subprocess.run([sys.executable, "-c", *map(str, asked)], check=True, capture_output=True)
    found = np.load(tmp_path / "found.npz")
    for piece in range(5):
        inside = (slice(None), slice(6, 14), 0)
        values = training.logit_scale * logits[piece][inside]
        marked = true[piece][inside] > 0
        wanted = np.logaddexp(0, values[~marked]).sum()
        if not marked.any():
            wanted += training.empty_weight * np.logaddexp(0, values.max())
        missed = np.logaddexp(0, -np.sort(values[marked])[::-1])[:32]
        needed = math.floor(0.6 * marked.sum()) + 1
        wanted += training.true_weight * missed[:needed].sum()
        wanted += training.true_weight * training.rest_weight * missed[needed:].sum()
        assert found["losses"][piece] == pytest.approx(wanted, rel=1e-4)
    assert np.isfinite(found["gradient"]).all()
    assert not found["gradient"][:, :, :6].any() and not found["gradient"][:, :, 14:].any()


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
