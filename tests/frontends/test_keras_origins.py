"""Weights of layers within models and wrappers, where Keras 2 and Keras 3 put them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from trigger_ml.frontends.direct import direct_graph
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_origins import ORIGIN, Origin, Step
from trigger_ml.frontends.keras_weights import keras2_weights, keras3_weights
from trigger_ml.frontends.model_file import Layer
from trigger_ml.graph.interpreter import evaluate

DATA = Path(__file__).parents[1] / "data"


def layer(*steps: tuple[str, str, int]) -> Layer:
    origin = Origin(tuple(Step(*step) for step in steps))
    return Layer("_".join(step[0] for step in steps), "QDense", (), {ORIGIN: origin})


def named(path: Path, group: str, names: list[str]) -> h5py.File:
    """A file as Keras 2 writes it: in every array, its number."""
    file = h5py.File(path, "w")
    own = file.create_group(group)
    own.attrs["weight_names"] = [name.encode() for name in names]
    for number, name in enumerate(names):
        own[name] = np.float32(number)
    return file


def test_keras_2_names_arrays_by_the_innermost_layer(tmp_path: Path) -> None:
    names = ["fc/kernel:0", "fc/bias:0", "bn/gamma:0", "o/kernel:0", "bn/moving_mean:0"]
    layers = [layer(("m", "functional", 0), (name, "", 0)) for name in ("fc", "bn", "act")]
    with named(tmp_path / "w.h5", "m", names) as file:
        found = keras2_weights(file, layers)
    assert {name: [float(a) for a in arrays] for name, arrays in found.items()} == {
        "m_fc": [0, 1],
        "m_bn": [2, 4],
    }


def test_a_wrapped_layer_has_all_arrays_of_its_group(tmp_path: Path) -> None:
    with named(tmp_path / "w.h5", "td", ["td/inner/kernel:0", "td/inner/bias:0"]) as file:
        assert len(keras2_weights(file, [layer(("td", "time_distributed", 1))])["td"]) == 2


def test_layers_of_one_name_are_told_apart_by_their_place_or_refused(tmp_path: Path) -> None:
    outer = layer(("m", "sequential", 0), ("fc", "q_dense", 0))
    inner = layer(("m", "sequential", 0), ("deep", "functional", 0), ("fc", "q_dense", 0))
    with named(tmp_path / "w.h5", "m", ["m/fc/kernel", "fc/kernel"]) as file:
        assert [float(a) for a in keras2_weights(file, [outer])["m_fc"]] == [0]
        with pytest.raises(ValueError, match="several layers are named fc in m"):
            keras2_weights(file, [inner])


@pytest.mark.parametrize("say_names", [True, False])
def test_keras_3_goes_from_group_to_group(tmp_path: Path, say_names: bool) -> None:
    """By the names that Keras 3.6 and later writes, or by classes and numbers."""
    steps = (("each", "time_distributed_1", 1), ("fc", "q_dense_1", 0))
    with h5py.File(tmp_path / "w.h5", "w") as file:
        # Where there are names, the numbers may be other ones.
        keys = ("wrapped", "first") if say_names else ("time_distributed_1", "q_dense_1")
        group = file.create_group(f"layers/{keys[0]}/layer/layers/{keys[1]}/vars")
        group["0"], group["1"] = np.float32(3), np.float32(4)
        if say_names:
            group.attrs["name"] = "fc"
            file.create_group(f"layers/{keys[0]}/vars").attrs["name"] = "each"
        found = keras3_weights(file, [layer(*steps), layer(("no", "q_dense", 0))])
    assert {name: [float(a) for a in arrays] for name, arrays in found.items()} == {
        "each_fc": [3, 4]
    }


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_model_of_keras_3_computes_what_it_says(suffix: str) -> None:
    """tiny_shared3.npz was written by Keras 3 and qkeras-v3, which is not installed here."""
    said = np.load(DATA / "tiny_shared3.npz")
    network = read_keras(DATA / f"tiny_shared3{suffix}")
    graph = direct_graph(network, None).graph
    kind = graph.input_nodes[0].type
    made = graph.split_outputs(evaluate(graph, kind.encode(said["x"])))
    values = [
        node.type.decode(made[node.name]).reshape(len(said["x"]), -1) for node in graph.output_nodes
    ]
    assert np.array_equal(np.concatenate(values, axis=1), said["outputs"])
    assert len({*np.ravel(said["outputs"]).tolist()}) > 10
    names = [layer.name for layer in network.layers]
    assert {"each_fd", "each_act", "cell_shared", "cell_shared_2", "cell_2_shared_2"} <= {*names}
