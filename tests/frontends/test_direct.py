"""Graphs made without Keras: equal to plain arithmetic, and to what hls4ml makes of each model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from tests.layers.case import GROUPS, cases
from tests.layers.compiled import build_models
from trigger_ml.config import Config, OutputKind, load_config
from trigger_ml.errors import ModelError
from trigger_ml.frontends.direct import direct_graph
from trigger_ml.frontends.keras_client import input_grid, open_network
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.onnx_network import read_onnx_network
from trigger_ml.frontends.softmax import softmax_types, with_softmax
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.types import Codes
from trigger_ml.serving import ask
from trigger_ml.toolrun import Worker

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
TINY = {
    "tiny_cnn.h5": None,
    "tiny_conv.h5": "ufixed<4,2>",
    "tiny_graph.h5": None,
    "tiny_qcdq.onnx": None,
    "tiny_qcdq_conv.onnx": None,
    "tiny_qkeras.h5": None,
    "tiny_qkeras3.h5": None,
    "tiny_qkeras3.keras": None,
    "tiny_qonnx.onnx": None,
    "tiny_unet.h5": None,
}
KINDS = ("QKeras .h5", "Keras 3 .keras", "ONNX QCDQ", "ONNX QONNX")
MODELS = (
    "jet_tagger/model.h5",
    "muon_segmenter/model.h5",
    "edge_classifier/model.h5",
    "edge_classifier/model_large.h5",
    "edge_classifier_accurate/model.h5",
    "edge_classifier_accurate/model_large.h5",
)


def bits(width: int, integer: int, **more: Any) -> dict[str, Any]:
    config = {"bits": width, "integer": integer, "alpha": 1, **more}
    return {"class_name": "quantized_bits", "config": config}


def relu(width: int, integer: int) -> dict[str, Any]:
    return {"class_name": "quantized_relu", "config": {"bits": width, "integer": integer}}


def source(*shape: int) -> list[Layer]:
    """An input with a quantizer of 8 bits, 3 of them fraction bits."""
    return [
        Layer("x", "InputLayer", (), {"name": "x", "batch_input_shape": [None, *shape]}),
        Layer("q", "QActivation", ("x",), {"name": "q", "activation": bits(8, 4)}),
    ]


def dense(name: str, reads: str, kernel: Any, activation: Any = "linear") -> Layer:
    config = {"use_bias": True, "activation": activation, "kernel_quantizer": kernel}
    return Layer(name, "QDense", (reads,), {**config, "bias_quantizer": kernel})


def conv(name: str, reads: str, size: int, stride: int, padding: str) -> Layer:
    config = {
        "use_bias": False,
        "activation": "linear",
        "kernel_quantizer": bits(4, 1),
        "strides": [stride, stride],
        "padding": padding,
        "kernel_size": [size, size],
    }
    return Layer(name, "QConv2D", (reads,), config)


def network(
    layers: list[Layer], weights: dict[str, tuple[NDArray[Any], ...]] | None = None
) -> KerasNetwork:
    arrays = weights or {}
    whole = []
    for layer in layers:
        config = {"name": layer.name, **layer.config}
        if layer.name in arrays:
            size = arrays[layer.name][0].shape[-1]
            config |= {"units": size, "filters": size}
        whole.append(Layer(layer.name, layer.kind, layer.inputs, config))
    return KerasNetwork(Path("m.h5"), "", "net", tuple(whole), "", arrays)


def random_codes(graph: FixedGraph, events: int) -> Codes:
    random = np.random.default_rng(1)
    kinds = graph.input_types
    return np.stack([random.integers(k.min_code, k.max_code + 1, events) for k in kinds], axis=1)


def outputs(graph: FixedGraph, codes: Codes) -> NDArray[np.float64]:
    kind = graph.output_nodes[0].type
    return kind.decode(evaluate(graph, codes)).reshape(len(codes), *graph.output_nodes[0].shape)


def test_a_chain_is_plain_arithmetic() -> None:
    random = np.random.default_rng(0)
    shapes = ((3, 5), (5, 4), (4, 2))
    grid = bits(5, 2)
    kernels = [random.uniform(-5, 5, shape) for shape in shapes]
    biases = [random.uniform(-5, 5, shape[1]) for shape in shapes]
    layers = [
        *source(3),
        dense("a", "q", grid, relu(6, 3)),
        dense("b", "a", grid, "relu"),
        dense("c", "b", grid),
    ]
    weights = {name: (kernels[k], biases[k]) for k, name in enumerate("abc")}
    graph = direct_graph(network(layers, weights), None).graph
    codes = random_codes(graph, 500)
    x = codes / 8

    def on_grid(values: NDArray[Any]) -> NDArray[Any]:
        return np.clip(np.rint(values * 4), -16, 15) / 4

    a = x @ on_grid(kernels[0]) + on_grid(biases[0])
    a = np.clip(np.rint(a * 8), 0, 63) / 8
    b = np.maximum(a @ on_grid(kernels[1]) + on_grid(biases[1]), 0)
    c = b @ on_grid(kernels[2]) + on_grid(biases[2])
    assert np.array_equal(outputs(graph, codes), c)
    names = [node.name for node in graph.nodes]
    assert names == ["x", "a", "a_quantized_relu", "b", "b_relu", "c"]
    assert not graph.by_name["b_relu"].type.signed


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (2, 1), (3, 2), (2, 2), (4, 3)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_convolutions_are_plain_arithmetic(size: int, stride: int, padding: str) -> None:
    """Keras puts the odd zero of "same" below and right."""
    random = np.random.default_rng(2)
    height, width, channels, filters = 7, 8, 2, 3
    kernel = random.integers(-8, 8, (size, size, channels, filters)) / 4
    layers = [*source(height, width, channels), conv("c", "q", size, stride, padding)]
    graph = direct_graph(network(layers, {"c": (kernel,)}), None).graph
    codes = random_codes(graph, 20)
    images = (codes / 8).reshape(-1, height, width, channels)
    around = []
    for extent in (height, width):
        total = max((-(-extent // stride) - 1) * stride + size - extent, 0)
        around.append((total // 2, total - total // 2) if padding == "same" else (0, 0))
    padded = np.pad(images, ((0, 0), *around, (0, 0)))
    rows = range(0, padded.shape[1] - size + 1, stride)
    columns = range(0, padded.shape[2] - size + 1, stride)
    expected = np.array(
        [
            [
                np.einsum("eijc,ijcf->ef", padded[:, i : i + size, j : j + size], kernel)
                for j in columns
            ]
            for i in rows
        ]
    ).transpose(2, 0, 1, 3)
    assert np.array_equal(outputs(graph, codes), expected)


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("Add", np.add),
        ("Subtract", np.subtract),
        ("Multiply", np.multiply),
        ("Average", lambda a, b: (a + b) / 2),
        ("Maximum", np.maximum),
        ("Minimum", np.minimum),
    ],
)
def test_joins_of_edges_of_different_types(kind: str, function: Any) -> None:
    layers = [
        *source(2, 2, 3),
        Layer("narrow", "QActivation", ("q",), {"activation": relu(3, 2)}),
        Layer("fine", "Activation", ("q",), {"activation": "relu"}),
        Layer("flat", "Flatten", ("narrow",), {}),
        Layer("line", "Reshape", ("fine",), {"target_shape": [-1]}),
        Layer("both", kind, ("flat", "line"), {}),
    ]
    graph = direct_graph(network(layers), None).graph
    codes = random_codes(graph, 300)
    x = codes / 8
    narrow, fine = np.clip(np.rint(x * 2), 0, 7) / 2, np.maximum(x, 0)
    assert np.array_equal(outputs(graph, codes), function(narrow, fine))


def test_an_input_type_of_the_configuration() -> None:
    layers = [source(2)[0], dense("a", "x", bits(4, 1))]
    kernel, bias = np.ones((2, 1)), np.zeros(1)
    built = network(layers, {"a": (kernel, bias)})
    with pytest.raises(ModelError, match="nothing says which fixed-point type"):
        input_grid(built, Config())
    config = load_config(None, {"firmware.input_type": "ufixed<4,1>"})
    graph = direct_graph(built, input_grid(built, config)).graph
    kind = graph.input_nodes[0].type
    assert (kind.width, kind.integer, kind.signed) == (4, 1, False)


def test_what_is_not_known_leaves_the_rest() -> None:
    layers = [
        *source(3),
        dense("a", "q", bits(4, 1), relu(4, 2)),
        Layer("strange", "Transformer", ("a",), {}),
        dense("b", "strange", bits(4, 1)),
        dense("side", "a", bits(4, 1), "tanh"),
    ]
    weights = {name: (np.ones((3, 3)), np.ones(3)) for name in ("a", "b", "side")}
    found = direct_graph(network(layers, weights), None)
    assert [node.name for node in found.nodes] == ["x", "a", "a_quantized_relu"]
    assert found.unknown == {
        "strange": "the layer class Transformer is not known here yet",
        "b": "reads strange",
        "side": "the activation tanh is not known here yet",
    }
    assert found.order == ("x", "a", "a_quantized_relu", "strange", "b", "side")
    assert found.outputs == ()
    with pytest.raises(ModelError, match="layer strange: the layer class Transformer"):
        _ = found.graph


def test_two_quantizers_of_one_input_are_not_its_type() -> None:
    layers = [
        source(2)[0],
        Layer("q", "QActivation", ("x",), {"activation": bits(8, 4)}),
        Layer("p", "QActivation", ("x",), {"activation": bits(6, 4)}),
    ]
    both = replace(network(layers), outputs=("q", "p"))
    assert set(direct_graph(both, None).unknown) == {"p"}


def test_a_sum_that_is_too_wide_is_refused() -> None:
    layers = [*source(2), *(dense(n, r, bits(32, 0)) for n, r in ("aq", "ba", "cb"))]
    weights = {name: (np.full((2, 2), 0.7), np.zeros(2)) for name in "abc"}
    with pytest.raises(ModelError, match=r"^layer c: a width must be 1 to 62 bits[^:]*$"):
        direct_graph(network(layers, weights), None)


@pytest.fixture(scope="module")
def workers() -> Iterator[list[Worker]]:
    """One process with TensorFlow for all models."""
    started: list[Worker] = []
    yield started
    for worker in started:
        worker.close()


def hls4ml_graph(
    network: KerasNetwork,
    config: Config,
    work: Path,
    workers: list[Worker],
    softmax: dict[str, str] | None,
) -> Any:
    """The graph of a network that hls4ml has converted, as JSON."""
    opened = open_network(network, config, work, "")
    if workers:
        ask(workers[0], do="load", **opened.converter.load)
    else:
        workers.append(opened.converter.start(work)[0])
    answer = ask(
        workers[0],
        do="convert",
        directory=str(work / "hls"),
        top="net",
        backend=config.firmware.backend,
        part=config.target.part,
        clock_ns=2.78,
        io_type=opened.io_type,
        softmax=softmax,
    )
    return answer["graph"]


def same_as_hls4ml(
    network: KerasNetwork, config: Config, work: Path, workers: list[Worker]
) -> None:
    stream = config.firmware.streams(network.streamable)
    graph = direct_graph(network, input_grid(network, config), stream=stream).graph
    softmax = None
    if config.firmware.output is OutputKind.SOFTMAX:
        logits, bits = graph.output_nodes[0], config.firmware.softmax_bits
        softmax = softmax_types(logits.type, logits.size, bits)
        graph = with_softmax(graph, "softmax", bits)
    own = graph.to_json()
    other = hls4ml_graph(network, config, work, workers, softmax)
    assert len(other["nodes"]) > 2
    for mine, theirs in zip(own["nodes"], other["nodes"], strict=True):
        assert mine == theirs
    assert own["outputs"] == other["outputs"]


def network_of(path: Path, config: Config = Config()) -> KerasNetwork:  # noqa: B008
    if path.suffix == ".onnx":
        return read_onnx_network(path).network
    return read_keras(path, parallel=config.firmware.io_type == "io_parallel")


@pytest.mark.parametrize("name", TINY)
def test_small_models_are_what_hls4ml_makes_of_them(
    name: str, tmp_path: Path, workers: list[Worker]
) -> None:
    config = load_config(None, {"firmware.input_type": TINY[name]})
    same_as_hls4ml(network_of(DATA / name), config, tmp_path, workers)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_models_are_what_hls4ml_makes_of_them(
    name: str, tmp_path: Path, workers: list[Worker]
) -> None:
    same_as_hls4ml(network_of(ROOT / "models" / name), load_config(None), tmp_path, workers)


@pytest.mark.slow
@pytest.mark.parametrize(
    "group", [name for name in GROUPS if name != "files" and not name.startswith("float")]
)
def test_layer_cases_are_what_hls4ml_makes_of_them(
    group: str, tmp_path: Path, workers: list[Worker]
) -> None:
    """Every layer and quantizer of docs/layers.md."""
    build_models(tmp_path, (group,))
    found = [case for case in cases(group) if case.kind in KINDS]
    for case in found:
        config = Config.model_validate(yaml.safe_load(case.config) or {})
        network = network_of(tmp_path / case.file, config)
        same_as_hls4ml(network, config, tmp_path, workers)
