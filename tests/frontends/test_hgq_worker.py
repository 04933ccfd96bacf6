"""HGQ2 models in their own process: exact outputs, every layer's values, and what is refused."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from trigger_ml.config import Config, load_config
from trigger_ml.errors import ConfigError, ModelError, ToolMissingError
from trigger_ml.explain import on_grid
from trigger_ml.frontends import hgq_paths
from trigger_ml.frontends.client import Frontend, open_model, reader_name
from trigger_ml.graph.interpreter import evaluate, trace_edges
from trigger_ml.graph.model import FixedGraph, Input
from trigger_ml.graph.types import Codes

DATA = Path(__file__).parents[1] / "data"
EVENTS = 3000
MODELS = {
    "tiny_hgq": ("softmax", 83),
    "tiny_set_hgq": ("", 71),
    "tiny_norm_hgq": ("sigmoid", 64),
    "tiny_graph_hgq": ("", 117),
}


@pytest.fixture(scope="module", params=MODELS)
def converted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Frontend, FixedGraph]]:
    """A model, loaded and converted."""
    work = tmp_path_factory.mktemp(request.param)
    config = load_config(None)
    with open_model(DATA / f"{request.param}.keras", config, work) as frontend:
        graph, project = frontend.convert(config, work / "hls", "tiny")
        assert (project.directory / "firmware" / "tiny.cpp").is_file()
        yield request.param, frontend, graph


def random_codes(graph: FixedGraph, events: int) -> Codes:
    random = np.random.default_rng(3)
    parts = [
        random.integers(node.type.min_code, node.type.max_code + 1, (events, node.size))
        for node in graph.input_nodes
    ]
    return np.concatenate(parts, axis=1)


def test_source_and_graph_agree_and_so_do_their_layers(
    converted: tuple[str, Frontend, FixedGraph],
) -> None:
    name, frontend, graph = converted
    tail, _ = MODELS[name]
    codes = random_codes(graph, EVENTS)
    values = graph.decode_inputs(codes).astype(np.float32)
    outputs = frontend.evaluate(values)
    ends = np.cumsum([node.size for node in graph.output_nodes])
    parts = np.split(outputs.logits.reshape(EVENTS, -1), ends[:-1], axis=1)
    pairs = zip(parts, graph.output_nodes, strict=True)
    logits = np.concatenate([on_grid(part, node.type) for part, node in pairs], axis=1)
    assert np.array_equal(logits, evaluate(graph, codes))
    assert len(np.unique(logits)) > 20
    assert (outputs.tail is not None) == bool(tail)
    layers, edges = frontend.trace(values[:200]), trace_edges(graph, codes[:200])
    nodes = [node for node in graph.nodes if not isinstance(node.operation, Input)]
    assert len(nodes) >= 8
    for node in nodes:
        shown = on_grid(layers[node.source].reshape(200, -1), node.type)
        assert np.array_equal(shown, edges[node.name].reshape(200, -1)), node.name


def test_what_the_source_says_of_itself(converted: tuple[str, Frontend, FixedGraph]) -> None:
    name, frontend, _ = converted
    tail, parameters = MODELS[name]
    source = frontend.source
    assert source.file == f"{name}.keras"
    assert source.format == "HGQ2 .keras (Keras 3)"
    assert source.float_tail == ((tail,) if tail else ())
    assert source.parameters == parameters
    assert 0 < source.nonzero < parameters
    assert source.versions["HGQ2"] == hgq_paths.HGQ2_VERSION


def test_a_softmax_of_real_numbers_has_no_firmware(
    converted: tuple[str, Frontend, FixedGraph], tmp_path: Path
) -> None:
    name, frontend, _ = converted
    asked = load_config(None, {"firmware.output": "softmax"})
    tail, _ = MODELS[name]
    why = "Keras' own, of real numbers" if tail == "softmax" else "does not end in a softmax"
    with pytest.raises(ConfigError, match=why):
        frontend.convert(asked, tmp_path / "hls", "tiny")


def with_weights(path: Path, change: Callable[[h5py.File], None]) -> Path:
    """The dense model with its weights changed."""
    with zipfile.ZipFile(DATA / "tiny_hgq.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO(members["model.weights.h5"])
    with h5py.File(stream, "a") as file:
        change(file)
    members["model.weights.h5"] = stream.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_sums_too_wide_for_float32_are_refused(tmp_path: Path) -> None:
    def widen(file: h5py.File) -> None:
        file["layers/q_dense_1/iq/quantizer/vars/0"][...] = 18  # fraction bits of fc2's input

    path = with_weights(tmp_path / "wide.keras", widen)
    with pytest.raises(ModelError) as caught:
        open_model(path, load_config(None), tmp_path)
    text = str(caught.value)
    assert "layer fc2_iq: needs sums of" in text
    assert "HGQ2 computes in float32, which is exact up to 24" in text
    assert "layer fc1:" not in text


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    def cut(file: h5py.File) -> None:
        values = file["layers/q_dense/vars/0"][()]
        del file["layers/q_dense/vars/0"]
        file["layers/q_dense/vars/0"] = values[:, :-1]

    path = with_weights(tmp_path / "cut.keras", cut)
    with pytest.raises(ModelError, match="its weights do not fit its layers"):
        open_model(path, load_config(None), tmp_path)


def test_an_input_type_on_top_is_refused(tmp_path: Path) -> None:
    asked = load_config(None, {"firmware.input_type": "fixed<16,6>"})
    with pytest.raises(ConfigError, match="the model quantizes its input itself"):
        open_model(DATA / "tiny_hgq.keras", asked, tmp_path)


def test_without_hgq2_the_message_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIGGER_ML_HGQ2", str(tmp_path / "none"))
    with pytest.raises(ToolMissingError) as caught:
        open_model(DATA / "tiny_hgq.keras", Config(), tmp_path)
    assert f"pip install --no-deps --target {tmp_path}/none HGQ2==0.2.0" in str(caught.value)


def test_the_process_sees_hgq2_first_and_keeps_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hgq").mkdir()
    (tmp_path / "hgq" / "__init__.py").touch()
    monkeypatch.setenv("TRIGGER_ML_HGQ2", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", "/mine")
    found = hgq_paths.worker_environment()
    assert found["PYTHONPATH"] == f"{tmp_path}:/mine"
    assert (found["KERAS_BACKEND"], found["JAX_PLATFORMS"]) == ("jax", "cpu")


def test_the_content_says_which_library_reads_a_file(tmp_path: Path) -> None:
    disguised = tmp_path / "model.h5"
    disguised.write_bytes((DATA / "tiny_hgq.keras").read_bytes())
    other = tmp_path / "model.keras"
    other.write_bytes((DATA / "tiny_qkeras.h5").read_bytes())
    assert (reader_name(disguised), reader_name(other)) == ("HGQ2", "QKeras")
    assert reader_name(tmp_path / "none.keras") == "HGQ2"
    assert reader_name(tmp_path / "none.h5") == reader_name(tmp_path) == "QKeras"
