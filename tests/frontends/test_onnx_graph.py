"""The network that was read computes what onnxruntime computes, on integers of NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.cases_onnx import NETWORKS, SHAPES
from tests.onnx_models import QCDQ, QONNX, Builder
from trigger_ml.frontends.direct import direct_graph
from trigger_ml.frontends.onnx_network import read_onnx_network
from trigger_ml.frontends.onnx_worker import _Server
from trigger_ml.graph.interpreter import evaluate

DATA = Path(__file__).parents[1] / "data"
EVENTS = 300


def compare(path: Path, work: Path) -> None:
    """Full-range random inputs, all outputs."""
    read = read_onnx_network(path)
    graph = direct_graph(read.network, None, stream=False).graph
    random = np.random.default_rng(1)
    codes = np.concatenate(
        [
            random.integers(node.type.min_code, node.type.max_code + 1, (EVENTS, node.size))
            for node in graph.input_nodes
        ],
        axis=1,
    )
    made = evaluate(graph, codes)
    steps = np.concatenate([np.full(node.size, node.type.step) for node in graph.output_nodes])
    server = _Server()
    server.load({"file": str(path), "logits": list(read.logits), "tail": ""})
    np.save(work / "in.npy", graph.decode_inputs(codes).astype(np.float32))
    files: dict[str, Any] = {"inputs": str(work / "in.npy"), "outputs": str(work / "out.npy")}
    server.evaluate(files)
    expected = np.load(work / "out.npy")
    assert len(np.unique(expected)) > 4
    np.testing.assert_array_equal(made * steps, expected)


@pytest.mark.parametrize("name", ["tiny_qonnx", "tiny_qcdq", "tiny_qcdq_conv"])
def test_what_brevitas_exports(tmp_path: Path, name: str) -> None:
    compare(DATA / f"{name}.onnx", tmp_path)


@pytest.mark.parametrize("dialect", [QONNX, QCDQ])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_case(tmp_path: Path, dialect: str, name: str) -> None:
    network, shape = NETWORKS[name]
    model = Builder(dialect)
    compare(model.save(tmp_path / "model.onnx", network(model), SHAPES[shape]), tmp_path)


def test_axes_in_any_order(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Transposes, convolutions, reshapes and joins in random order, and images that leave."""
    work = tmp_path_factory.mktemp("orders")

    @settings(max_examples=25, deadline=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        model = Builder(data.draw(st.sampled_from([QONNX, QCDQ])))
        shape = [data.draw(st.integers(1, 3)), 3, 4]
        entry: tuple[int | str, ...] = ("events", *shape)
        layer = model.quant("x", 3, 0.5)
        steps = st.sampled_from(["conv", "transpose", "reshape", "join", "pool"])
        for step in data.draw(st.lists(steps, min_size=1, max_size=4)):
            if step == "conv":
                weights = model.weights((2, shape[0], 2, 1))
                pads = [0, 0, 1, 0]
                layer = model.node("Conv", layer, weights, pads=pads, kernel_shape=[2, 1])
                layer = model.quant(layer, 4, 0.5)
                shape = [2, *shape[1:]]
            elif step == "transpose":
                order = data.draw(st.permutations([0, 1, 2]))
                layer = model.node("Transpose", layer, perm=[0, *(axis + 1 for axis in order)])
                shape = [shape[axis] for axis in order]
            elif step == "reshape":
                shape = data.draw(st.permutations(shape))
                layer = model.node("Reshape", layer, model.constant([-1, *shape], np.int64))
            elif step == "pool" and shape[2] > 1:
                layer = model.node("MaxPool", layer, kernel_shape=[1, 2], strides=[1, 2])
                shape = [*shape[:2], shape[2] // 2]
            else:
                order = [0, 1, 3, 2] if shape[1] == shape[2] else [0, 1, 2, 3]
                layer = model.node("Add", layer, model.node("Transpose", layer, perm=order))
        if data.draw(st.booleans()):
            layer = model.node("Flatten", layer)
            layer = model.dense(layer, int(np.prod(shape)), 2)
        else:
            layer = model.node("Conv", layer, model.weights((3, shape[0], 1, 1)))
        compare(model.save(work / "model.onnx", layer, entry), work)

    check()
