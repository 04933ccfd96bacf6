"""What a file may hold that compiles and cannot be compressed."""

import json
from pathlib import Path
from typing import Any

import h5py
import pytest

from tests.frontends.keras_json import keras_input, layer
from trigger_ml.compress.networks.files import read_chain
from trigger_ml.errors import ModelError


def test_a_network_of_several_outputs_is_refused(tmp_path: Path) -> None:
    items = [keras_input("x", 4), *(_dense(name) for name in ("a", "b"))]
    outputs = [["a", 0, 0], ["b", 0, 0]]
    config = {"name": "net", "layers": items, "output_layers": outputs}
    path = tmp_path / "two.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        file.create_group("model_weights")
    with pytest.raises(ModelError, match="of 1 inputs and 2 outputs cannot be compressed"):
        read_chain(path)


def _dense(name: str) -> dict[str, Any]:
    return layer("Dense", name, ("x",), units=2, activation="linear", use_bias=True)
