"""hls4ml's saved graph through the whole flow; its emulation is the source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.flow.conftest import quick
from tests.frontends.fml_files import TINY, documents, strings, with_document
from trigger_ml.build_check import check_build
from trigger_ml.errors import ConfigError
from trigger_ml.frontends.client import open_model
from trigger_ml.graph.interpreter import trace_edges
from trigger_ml.inspect.run import Request as InspectRequest
from trigger_ml.inspect.run import inspect_model
from trigger_ml.pipeline import Request, compile_model


def test_every_witness_agrees(tmp_path: Path) -> None:
    """Of a file whose C++ would stop any compiler."""
    architecture = documents()["model_arch.json"]
    for path in strings(architecture):
        if path[-1] in ("config_cpp", "function_cpp"):
            inner: Any = architecture
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = "#error owned"
    assert json.dumps(architecture).count("#error owned") == 8
    model = with_document(tmp_path / "tiny.fml", "model_arch.json", architecture)
    outcome = compile_model(Request(model, quick(), output=tmp_path / "build"))
    report = outcome.report
    assert report.passed, report.failures
    assert report.model.format == "hls4ml 1.3.0 .fml, as saved"
    assert report.model.float_tail == ("softmax",)
    assert "independent witnesses are the graph and the RTL" in " ".join(report.model.notes)
    assert report.fidelity.exact
    assert set(report.fidelity.mismatches) >= {"graph~source", "csim~graph", "rtl~graph"}
    assert not any(report.fidelity.mismatches.values())
    written = [path for path in outcome.folder.rglob("*") if path.is_file()]
    owned = [path.name for path in written if b"#error owned" in path.read_bytes()]
    assert not owned


@pytest.mark.slow
def test_the_check_repeats_it(tmp_path: Path) -> None:
    build = compile_model(Request(TINY, quick(), output=tmp_path / "build")).folder
    checked = check_build(build, synthesis=False)
    assert checked.passed, [verdict for verdict in checked.verdicts if not verdict.passed]


@pytest.mark.slow
def test_the_emulation_shows_every_layer(tmp_path: Path) -> None:
    """One event alone, and every layer of a few, against the graph."""
    with open_model(TINY, quick(), tmp_path) as frontend:
        graph, project = frontend.convert(quick(), tmp_path / "hls", "net")
        codes = np.random.default_rng(4).integers(-(2**15), 2**15, (3, 4))
        values = graph.decode_inputs(codes).astype(np.float32)
        edges = trace_edges(graph, codes)
        outputs = frontend.evaluate(values[:1])
        traced = frontend.trace(values)
    assert project.backend == "Vitis" and not list(project.directory.rglob("*.so"))
    logits = graph.output_nodes[0]
    assert np.array_equal(outputs.logits[0], logits.type.decode(edges[logits.name][0]))
    assert outputs.tail is not None and outputs.tail.shape == (1, 3)
    for node in graph.nodes[1:]:
        assert np.array_equal(traced[node.name], node.type.decode(edges[node.name]))


def test_a_softmax_is_not_put_into_firmware(tmp_path: Path) -> None:
    config = quick(**{"firmware.output": "softmax"})
    refused = pytest.raises(ConfigError, match="the softmax of a saved graph is not built")
    with open_model(TINY, config, tmp_path) as frontend, refused:
        frontend.convert(config, tmp_path / "hls", "net")


def test_inspect_shows_its_layers() -> None:
    looked = inspect_model(InspectRequest(TINY, quick()))
    told = json.dumps(looked.inspection.to_json())
    assert "fc1_relu" in told and "fixed<35,15>" in told and "hls4ml 1.3.0 .fml" in told
