"""Networks on images, from a QKeras file to the C simulation of their streams: equal integers."""

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from trigger_ml.artifacts import HlsProject, Run, Vectors
from trigger_ml.config import Config, load_config
from trigger_ml.design import SourceCheck
from trigger_ml.errors import ConfigError, ModelError
from trigger_ml.explain import explain_csim
from trigger_ml.frontends.client import open_model
from trigger_ml.graph.interpreter import trace_edges
from trigger_ml.graph.model import FixedGraph
from trigger_ml.measure import check_source
from trigger_ml.progress import Quiet, Stopwatch
from trigger_ml.simulate import csim
from trigger_ml.simulate.vectors import make_vectors

DATA = Path(__file__).parents[1] / "data"
MODELS = {"tiny_conv": "ufixed<1,1>", "tiny_unet": None, "tiny_graph": None}
"""Model files, and the input type of those without a quantizer on their input."""


def config_of(model: str, **changes: object) -> Config:
    return load_config(None, {"firmware.input_type": MODELS[model], **changes})


@dataclass(frozen=True)
class Converted:
    """A model as far as its streaming HLS project, with what the source says of some vectors."""

    network: FixedGraph
    project: HlsProject
    vectors: Vectors
    source: SourceCheck


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Converted]:
    found = {}
    for name in MODELS:
        work = tmp_path_factory.mktemp(name)
        with open_model(DATA / f"{name}.h5", config_of(name), work) as frontend:
            network, project = frontend.convert(config_of(name), work / "hls", name)
            vectors = make_vectors(network, None, None, total=1, random_events=150, seed=5)
            source = check_source(frontend, network, vectors, Stopwatch(Quiet()))
            with pytest.raises(ConfigError, match="softmax for each pixel"):
                softmax = config_of(name, **{"firmware.output": "softmax"})
                frontend.convert(softmax, work / "softmax", name)
        found[name] = Converted(network, project, vectors, source)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_source_graph_and_streams_agree(
    converted: dict[str, Converted], name: str, tmp_path: Path
) -> None:
    design = converted[name]
    assert design.project.io_type == "io_stream"
    assert design.source.comparison.exact
    assert design.source.comparison.events == len(design.vectors.codes) > 150
    simulation = csim.build(design.project, design.network, tmp_path / "csim")
    run = simulation.run(design.vectors.codes)
    assert np.array_equal(run.codes, design.source.graph_run.codes)
    assert len(np.unique(run.codes)) > 50
    seen = simulation.trace(design.vectors.codes[:40])
    expected = trace_edges(design.network, design.vectors.codes[:40])
    assert set(seen) == set(expected) - {design.network.input_nodes[0].name}
    for layer, codes in seen.items():
        assert np.array_equal(codes, expected[layer]), layer


@pytest.mark.slow
def test_one_rounding_mode_in_a_stream(converted: dict[str, Converted], tmp_path: Path) -> None:
    design = converted["tiny_unet"]
    broken = tmp_path / "broken"
    shutil.copytree(design.project.directory, broken)
    defines = broken / "firmware" / "defines.h"
    text, count = re.subn(
        r"ap_ufixed<3,3,AP_RND_CONV,AP_SAT,0>",
        "ap_ufixed<3,3,AP_TRN,AP_WRAP,0>",
        defines.read_text(),
    )
    assert count > 0
    defines.write_text(text)
    project = replace(design.project, directory=broken)
    simulation = csim.build(project, design.network, tmp_path / "csim")
    run = simulation.run(design.vectors.codes)
    graph: Run = design.source.graph_run
    assert not np.array_equal(run.codes, graph.codes)
    divergence = explain_csim(simulation, design.network, design.vectors, run, graph)
    assert divergence is not None
    assert divergence.layer == "deep_relu"


def test_too_many_pixels_in_parallel_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trigger_ml.frontends.flat.MOST_PRODUCTS", 30_000)
    config = config_of("tiny_unet", **{"firmware.io_type": "io_parallel"})
    with pytest.raises(ModelError, match="products with non-zero weights"):
        open_model(DATA / "tiny_unet.h5", config, tmp_path)


def test_what_a_stream_cannot_have_is_refused_before_any_work(tmp_path: Path) -> None:
    """All of it at once, and before a process is started."""
    changes = {
        "firmware.output": "argmax",
        "verify.simulator": "ghdl",
    }
    with pytest.raises(ConfigError) as caught:
        open_model(DATA / "tiny_unet.h5", config_of("tiny_unet", **changes), tmp_path)
    found = {blocker.where: blocker for blocker in caught.value.blockers}
    assert set(found) == {"firmware.output", "verify.simulator"}
    assert "threshold (a mask) or logits" in found["firmware.output"].fix
    assert "verilator or icarus" in found["verify.simulator"].fix
    for output, refused in (("softmax", True), ("threshold", False), ("logits", False)):
        config = config_of("tiny_unet", **{"firmware.output": output})
        if refused:
            with pytest.raises(ConfigError, match="softmax decides between the classes"):
                config.require_streamable()
        else:
            config.require_streamable()


def test_images_take_fewer_events_unless_told() -> None:
    given = load_config(None, {"verify.random_events": 777}).verify
    assert given.csim_events is None
    images = given.on_images(8 * 384 * 6)
    assert images.random_events == 777
    assert images.events < given.events
    assert images.csim_events is not None and images.csim_events < images.events
