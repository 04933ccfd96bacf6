"""HGQ2's tables and softmax through their front-end process: exact in every layer, or refused."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from trigger_ml.config import load_config
from trigger_ml.errors import ModelError
from trigger_ml.explain import on_grid
from trigger_ml.frontends.client import Frontend, firmware_graph, open_model
from trigger_ml.graph.interpreter import evaluate, trace_edges
from trigger_ml.graph.model import FixedGraph, Input, Lookup, Softmax
from trigger_ml.lower.rtl import trace_graph
from trigger_ml.measure import anchors

TABLES = Path(__file__).parents[1] / "data" / "tiny_tables_hgq.keras"
EVENTS = 3000
QUANTIZERS = "layers/q_softmax/{}/quantizer/vars/{}"
"""Of the softmax in the file. iq: 0 fraction bits, 1 sign, 2 integer bits; oq: 2 sign."""


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Frontend, FixedGraph]]:
    """The model, loaded, and converted with its softmax in firmware."""
    work = tmp_path_factory.mktemp("tables")
    config = load_config(None, {"firmware.output": "softmax"})
    with open_model(TABLES, config, work) as frontend:
        graph, _ = frontend.convert(config, work / "hls", "tiny")
        assert firmware_graph(graph, config) is graph
        yield frontend, graph


def test_source_graph_and_logic_agree(converted: tuple[Frontend, FixedGraph]) -> None:
    frontend, graph = converted
    kind = graph.input_nodes[0].type
    random = np.random.default_rng(3)
    codes = random.integers(kind.min_code, kind.max_code + 1, (EVENTS, graph.input_size))
    values = graph.decode_inputs(codes).astype(np.float32)
    outputs = frontend.evaluate(values)
    assert outputs.tail is None
    made = evaluate(graph, codes)
    assert np.array_equal(on_grid(outputs.logits, graph.output_nodes[0].type), made)
    assert len(np.unique(made)) > 100
    assert np.array_equal(trace_graph(graph).predict(codes), made)
    layers, edges = frontend.trace(values[:200]), trace_edges(graph, codes[:200])
    for node in graph.nodes:
        if not isinstance(node.operation, Input):
            shown = node.type.encode(layers[node.source].reshape(200, -1))
            assert np.array_equal(shown, edges[node.name].reshape(200, -1)), node.name


def test_the_tables_are_part_of_the_network(converted: tuple[Frontend, FixedGraph]) -> None:
    frontend, graph = converted
    assert frontend.source.float_tail == ()
    assert anchors(graph) == graph.outputs == ("scores",)
    functions = {
        n.name: n.operation.function for n in graph.nodes if isinstance(n.operation, Lookup)
    }
    assert functions == {"tanh": "tanh", "gate": "sigmoid"}
    for node in graph.nodes:
        if isinstance(node.operation, Lookup):
            read = graph.by_name[node.inputs[0]].type
            assert len(node.operation.table) == 1 << read.width
    table, read = graph.by_name["tanh"], graph.by_name[graph.by_name["tanh"].inputs[0]].type
    assert isinstance(table.operation, Lookup)
    exact = np.tanh(read.decode(np.arange(read.min_code, read.max_code + 1)))
    assert np.array_equal(table.operation.table, table.type.encode(exact))
    softmax = graph.by_name["scores"].operation
    assert isinstance(softmax, Softmax) and softmax.own
    assert softmax.sum_type.integer == softmax.exp_type.integer + 2, "three terms never overflow"


def with_weights(path: Path, change: Callable[[h5py.File], None]) -> Path:
    with zipfile.ZipFile(TABLES) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO(members["model.weights.h5"])
    with h5py.File(stream, "a") as file:
        change(file)
    members["model.weights.h5"] = stream.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def _none(file: h5py.File) -> None:
    for place in range(3):
        file[QUANTIZERS.format("exp_table/iq", place)][...] = 0


def _negative(file: h5py.File) -> None:
    file[QUANTIZERS.format("inv_table/iq", 1)][...] = 1
    file[QUANTIZERS.format("inv_table/iq", 2)][...] = 1
    file[QUANTIZERS.format("inv_table/oq", 2)][...] = 1


def _large(file: h5py.File) -> None:
    file[QUANTIZERS.format("inv_table/iq", 0)][...] = 14


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (_none, "layer scores: 1 of 2 entries of its table of exp are others in HGQ2 than in"),
        (_negative, "layer scores: its sum overflows to below 0, where hls4ml's results have no"),
        (_large, "layer scores: the sum has 16 bits, a table of 65536 entries, and 16384 are the"),
    ],
)
def test_refused(tmp_path: Path, change: Callable[[h5py.File], None], text: str) -> None:
    config = load_config(None)
    with (
        open_model(with_weights(tmp_path / "changed.keras", change), config, tmp_path) as frontend,
        pytest.raises(ModelError) as caught,
    ):
        frontend.convert(config, tmp_path / "hls", "tiny")
    assert text in str(caught.value)
