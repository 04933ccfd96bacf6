"""Training float networks from nothing, on a few hundred events that can be told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.test_cli import refused, run
from trigger_ml.compress.float_client import drawn_network, train_float_file
from trigger_ml.compress.float_settings import FloatSettings
from trigger_ml.compress.networks.network import GlobalAverage, read_network
from trigger_ml.errors import ConfigError, DataError
from trigger_ml.frontends.hgq_paths import installed_version

SETTINGS = FloatSettings(particle=(8,), jet=(6,), epochs=8, batch=64, learning_rate=0.02)
FLAT = FloatSettings(jet=(6,), epochs=8, batch=64, learning_rate=0.02)
needs_keras = pytest.mark.skipif(installed_version() is None, reason="HGQ2 is not installed")


def events(path: Path, shape: tuple[int, ...]) -> Path:
    """Three classes by the spread of what an event holds, on all sides; the mean says nothing."""
    random = np.random.default_rng(1)
    y = np.arange(900) % 3
    x = random.normal(size=(900, *shape)) * (0.3 + y.reshape(-1, *(1,) * len(shape)))
    side = np.repeat([0, 1, 2], 300)
    np.savez(path, x=x.astype(np.float32), y=y, split=side, classes=np.array(["a", "b", "c"]))
    return path


def test_the_drawn_network_is_the_settings() -> None:
    network = drawn_network("net", (16, 3), 5, FloatSettings(particle=(32, 16), jet=(8,)))
    kinds = ["mean" if isinstance(layer, GlobalAverage) else layer for layer in network.layers]
    assert kinds[2] == "mean"
    assert [layer.kernel.shape for layer in network.dense] == [(3, 32), (32, 16), (16, 8), (8, 5)]
    assert [layer.activation for layer in network.dense] == ["relu", "relu", "relu", "linear"]
    assert [layer.name for layer in network.dense] == [
        "particle_1",
        "particle_2",
        "jet_1",
        "logits",
    ]
    assert network.tail == "softmax"
    again = drawn_network("net", (16, 3), 5, FloatSettings(particle=(32, 16), jet=(8,)))
    other = drawn_network("net", (16, 3), 5, FloatSettings(particle=(32, 16), jet=(8,), seed=2))
    for first, second, third in zip(network.dense, again.dense, other.dense, strict=True):
        assert np.array_equal(first.kernel, second.kernel)
        assert not np.array_equal(first.kernel, third.kernel)
        assert not first.bias.any()
    flat = drawn_network("net", (16,), 1, FloatSettings(jet=(8, 4)))
    assert [layer.kernel.shape for layer in flat.dense] == [(16, 8), (8, 4), (4, 1)]
    assert flat.tail == "sigmoid"
    assert len(drawn_network("net", (4, 3), 2, FloatSettings(particle=(), jet=())).layers) == 2
    with pytest.raises(ConfigError, match="flat events, which have no particles"):
        drawn_network("net", (16,), 5, FloatSettings(particle=(8,)))
    with pytest.raises(ConfigError, match="particles and columns"):
        drawn_network("net", (4, 4, 3), 5, FloatSettings())


@needs_keras
def test_a_set_network_learns_and_repeats(tmp_path: Path) -> None:
    data = events(tmp_path / "events.npz", (6, 2))
    found = train_float_file(data, tmp_path / "net.keras", SETTINGS)
    assert found.accuracy > 0.6
    stored = read_network(tmp_path / "net.keras")
    assert stored.input_shape == (6, 2)
    assert stored.tail == "softmax"
    again = train_float_file(data, tmp_path / "again.keras", SETTINGS)
    for first, second, third in zip(
        stored.dense, again.network.dense, found.network.dense, strict=True
    ):
        assert np.array_equal(first.kernel, second.kernel)
        assert np.array_equal(first.kernel, third.kernel)
        assert np.array_equal(first.bias, second.bias)


@needs_keras
def test_flat_events_and_the_command(tmp_path: Path) -> None:
    data = events(tmp_path / "events.npz", (5,))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(FLAT.model_dump_json())
    code, out, err = run("train", "set", data, "-o", "net.keras", "--recipe", recipe, cwd=tmp_path)
    assert code == 0, err
    assert "net.keras: 57 parameters, test accuracy" in out
    assert [layer.name for layer in read_network(tmp_path / "net.keras").dense] == [
        "hidden_1",
        "logits",
    ]


@needs_keras
def test_a_training_that_diverges_leaves_nothing(tmp_path: Path) -> None:
    data = events(tmp_path / "events.npz", (5,))
    with np.load(data) as file:
        arrays = dict(file)
    np.savez(data, **{**arrays, "x": arrays["x"] * 1e30})
    wild = FLAT.model_copy(update={"learning_rate": 10.0})
    with pytest.raises(ConfigError, match="learning_rate: the network diverged"):
        train_float_file(data, tmp_path / "net.keras", wild)
    assert not (tmp_path / "net.keras").exists()


def test_events_and_files_that_cannot_be(tmp_path: Path) -> None:
    data = events(tmp_path / "events.npz", (5,))
    with pytest.raises(ConfigError, match=r"must be a \.keras file, found net\.h5"):
        train_float_file(data, tmp_path / "net.h5", FLAT)
    np.savez(tmp_path / "bare.npz", x=np.zeros((4, 5)))
    with pytest.raises(DataError, match="there are no labels to learn"):
        train_float_file(tmp_path / "bare.npz", tmp_path / "net.keras", FLAT)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("particles: [4]\n")
    assert "did you mean particle?" in refused(
        "train", "set", data, "-o", "net.keras", "--recipe", recipe, cwd=tmp_path
    )
