"""Models of QKeras in their process: what they say is what their own framework says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trigger_ml.config import Config
from trigger_ml.errors import ModelError
from trigger_ml.frontends.client import open_model
from trigger_ml.frontends.keras_client import WEIGHTS, keras_process
from trigger_ml.frontends.keras_files import read_keras

DATA = Path(__file__).parents[1] / "data"


def test_a_model_of_keras_3_says_what_keras_3_said(tmp_path: Path) -> None:
    """tiny_qkeras3.npz was written by qkeras-v3, which is not installed here."""
    expected = np.load(DATA / "tiny_qkeras3.npz")
    with open_model(DATA / "tiny_qkeras3.keras", Config(), tmp_path) as frontend:
        found = frontend.evaluate(expected["x"])
        assert np.array_equal(found.logits, expected["logits"].astype(np.float64))
        assert found.tail is None and np.ptp(found.logits) > 1
        assert frontend.source.format == "Keras 3 .keras"


def test_weights_of_other_shapes_are_all_named(tmp_path: Path) -> None:
    network = read_keras(DATA / "tiny_qkeras.h5")
    process = keras_process(network, Config(), tmp_path)
    with np.load(tmp_path / WEIGHTS) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["fc1/0"], arrays["fc2/1"] = arrays["fc1/0"].T, arrays["fc2/1"][1:]
    np.savez(tmp_path / WEIGHTS, **arrays)
    with pytest.raises(ModelError) as caught:
        process.start(tmp_path)
    assert [blocker.where for blocker in caught.value.blockers] == ["layer fc1", "layer fc2"]
