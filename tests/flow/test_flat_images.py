"""A small convolutional classifier as one flat pipeline: all witnesses and every decision."""

from pathlib import Path

import numpy as np
import pytest

from tests.flow.conftest import quick
from trigger_ml.build_check import check_build
from trigger_ml.errors import ConfigError
from trigger_ml.frontends.client import firmware_graph, open_model
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.graph.interpreter import evaluate, trace_edges
from trigger_ml.graph.merge_operations import Reshape
from trigger_ml.graph.model import Input
from trigger_ml.lower.build import trace_firmware
from trigger_ml.lower.rtl import Logic
from trigger_ml.measure import check_source
from trigger_ml.pipeline import Request, compile_model
from trigger_ml.progress import Quiet, Stopwatch
from trigger_ml.simulate import csim
from trigger_ml.simulate.vectors import make_vectors

CNN = Path(__file__).parents[1] / "data" / "tiny_cnn.h5"


def test_it_is_read_as_a_classifier() -> None:
    network = read_keras(CNN)
    assert network.tail == "softmax" and not network.streamable
    assert network.input_shape == (8, 8, 1)


@pytest.mark.slow
def test_every_decision_of_a_flat_classifier(tmp_path: Path) -> None:
    """Source, graph, C simulation with what each layer holds in it, and alkaid: equal integers."""
    plain = quick()
    with open_model(CNN, plain, tmp_path) as frontend:
        network, project = frontend.convert(plain, tmp_path / "hls", "tiny_cnn")
        vectors = make_vectors(network, None, None, total=1, random_events=2000, seed=5)
        source = check_source(frontend, network, vectors, Stopwatch(Quiet()))
        softmax = quick(**{"firmware.output": "softmax"})
        probabilities, _ = frontend.convert(softmax, tmp_path / "softmax", "tiny_cnn")
    assert project.io_type == "io_parallel"
    assert source.comparison.exact and source.comparison.events == len(vectors.codes) > 2000
    simulation = csim.build(project, network, tmp_path / "csim")
    run = simulation.run(vectors.codes)
    assert np.array_equal(run.codes, source.graph_run.codes)
    assert len(np.unique(run.codes)) > 50
    seen, expected = simulation.trace(vectors.codes[:40]), trace_edges(network, vectors.codes[:40])
    hidden = {n.name for n in network.nodes if isinstance(n.operation, Input | Reshape)}
    assert set(seen) == set(expected) - hidden
    for layer, codes in seen.items():
        assert np.array_equal(codes, expected[layer]), layer
    for output, graph in (("threshold", network), ("argmax", network), ("softmax", probabilities)):
        config = quick(**{"firmware.output": output})
        firmware = firmware_graph(graph, config)
        logic = trace_firmware(firmware, config)
        assert isinstance(logic, Logic)
        assert np.array_equal(logic.predict(vectors.codes), evaluate(firmware, vectors.codes))


@pytest.mark.slow
def test_a_flat_classifier_is_compiled_and_checked_again(tmp_path: Path) -> None:
    config = quick(**{"firmware.output": "argmax", "verify.events": 500})
    outcome = compile_model(Request(CNN, config, output=tmp_path / "build"))
    assert outcome.report.passed, outcome.report.failures
    assert check_build(tmp_path / "build", synthesis=False).passed


def test_columns_and_streams_are_not_for_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ends in a vector"):
        open_model(CNN, quick(**{"firmware.io_type": "io_stream"}), tmp_path)
