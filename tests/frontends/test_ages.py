"""Files that old and new versions of the libraries wrote, read without them.

What they hold, and who wrote them: tests/data/ages/README.md.
"""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trigger_ml.config import load_config
from trigger_ml.errors import ModelError
from trigger_ml.float_graph.client import Evaluator
from trigger_ml.float_graph.source import read_source
from trigger_ml.frontends.client import open_model
from trigger_ml.frontends.direct import direct_graph
from trigger_ml.frontends.formats import Format, detect
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.keras_v3 import read_keras_v3
from trigger_ml.graph.interpreter import evaluate

AGES = Path(__file__).parents[1] / "data" / "ages"
ARCHIVES = sorted(path.name.removesuffix(".tar.xz") for path in AGES.glob("*.tar.xz"))
STEPS = 4
"""Inputs of the float models are integers over this, where their file does not say."""
REFUSED = {
    "keras-3.2.1/merges.": "layer shared: is used more than once, and Keras 3.2",
    "keras-precisions-3.3.3/p_int8.": "layer fc1: is stored as int8, as Model.quantize",
    "keras-precisions-3.3.3/p_float8.": "layer fc2: is stored as float8, as Model.quantize",
    "keras-precisions-3.14.1/p_int8.": "layer fc2: is stored as int8, as Model.quantize",
    "keras-precisions-3.14.1/p_int4.": "layer fc1: is stored as int4, as Model.quantize",
    "keras-precisions-3.14.1/p_float8.": "layer fc1: is stored as float8, as Model.quantize",
    "keras-precisions-3.3.3/p_bfloat16.": "layer fc1: has the dtype bfloat16, in which",
    "keras-precisions-3.8.0/p_int8.": "layer fc1: is stored as int8, as Model.quantize",
    "keras-precisions-3.8.0/p_float8.": "layer fc1: is stored as float8, as Model.quantize",
    "keras-precisions-3.8.0/p_bfloat16.": "layer Cast: a cast to bfloat16, of a model in that",
    "keras-precisions-3.8.0/p_mixed_float16.": "layer Cast: a cast to float16, of a model in that",
    "keras-precisions-3.14.1/p_bfloat16.": "layer fc2: has the dtype bfloat16, in which",
    "keras-precisions-3.3.3/p_lora.h5": "layer fc1: has 4 arrays of weights",
    "keras-precisions-3.8.0/p_lora.h5": "layer fc1: has 4 arrays of weights",
    "keras-precisions-3.14.1/p_lora.h5": "layer fc1: has 4 arrays of weights",
    "qkeras-0.9-tf2.4.4/wrapped.h5": "layer prune_low_magnitude_fc1: is still wrapped for pruning",
    "qkeras-0.9-tf2.15.1/wrapped.h5": "layer prune_low_magnitude_fc1: is still wrapped for pruning",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of folders: what each archive holds."""
    folder = tmp_path_factory.mktemp("ages")
    for name in ARCHIVES:
        with tarfile.open(AGES / f"{name}.tar.xz") as archive:
            archive.extractall(folder / name, filter="data")
    return folder


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluator]:
    with Evaluator(tmp_path_factory.mktemp("evaluator")) as process:
        yield process


def models(folder: Path, *, refused: bool = False) -> Iterator[Path]:
    """Model files of a folder, those that have to be refused or the others."""
    for path in sorted(folder.iterdir()):
        beside = path.suffix == ".npz" or path.name.endswith("weights.h5")
        name = f"{folder.name}/{path.name}"
        if not beside and name.startswith(tuple(REFUSED)) == refused:
            yield path


def said(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Inputs and outputs of the library that wrote a file, as flat rows."""
    name = path.name.rsplit("_", 1)[0] if path.suffix == ".onnx" else path.stem
    with np.load(path.with_name(f"{name}.npz")) as arrays:
        steps = arrays["steps"] if "steps" in arrays.files else STEPS
        rows = {
            key: arrays[key].reshape(len(arrays[key]), -1)
            for key in sorted(arrays.files)
            if key != "steps"
        }
    values = np.concatenate([rows[key] / steps for key in rows if key[0] == "x"], axis=1)
    outputs = np.concatenate([rows[key] for key in rows if key[0] == "y"], axis=1)
    assert np.ptp(outputs, axis=0).all(), "outputs that differ, or the comparison is empty"
    return values.astype(np.float32), outputs


def digest(network: KerasNetwork, *more: NDArray[np.float32]) -> str:
    """Equal for networks that compute the same, from the same file or not."""
    found = hashlib.sha256(network.architecture(tail=False, input_quantizer=None).encode())
    for name, arrays in sorted(network.weights.items()):
        found.update(name.encode())
        for values in arrays:
            found.update(np.ascontiguousarray(values).tobytes())
    for values in more:
        found.update(values.tobytes())
    return found.hexdigest()


def archives(*starts: str) -> list[str]:
    names = [name for name in ARCHIVES if name.startswith(starts)]
    assert names, starts
    return names


def test_every_archive_is_of_a_known_kind() -> None:
    known = ("keras-", "qkeras-", "hgq2-", "torch-")
    assert len(ARCHIVES) > 20 and archives(*known) == ARCHIVES
    text = (AGES / "README.md").read_text()
    assert [name for name in ARCHIVES if f"`{name}`" not in text] == []
    sizes = [(AGES / f"{name}.tar.xz").stat().st_size for name in ARCHIVES]
    assert max(sizes) < 30e3 and sum(sizes) < 600e3


def test_float_models_have_the_weights_of_the_newest(files: Path) -> None:
    """Wherever the library that wrote them said the same; the others are in the slow test."""
    for name in ("image", "merges"):
        newest = files / "keras-3.14.1" / f"{name}.keras"
        wanted, outputs = read_source(newest, load_config(None)).original, said(newest)[1]
        alike = 0
        for folder in archives("keras-"):
            for path in models(files / folder):
                if path.name != f"{name}.h5" or not np.array_equal(said(path)[1], outputs):
                    continue
                found = read_source(path, load_config(None)).original
                assert found.weights.keys() == wanted.weights.keys(), f"{folder}/{path.name}"
                for layer, arrays in wanted.weights.items():
                    pairs = zip(found.weights[layer], arrays, strict=True)
                    assert all(np.array_equal(a, b) for a, b in pairs), f"{folder}/{path.name}"
                alike += 1
        assert alike > 13, name


@pytest.mark.slow
def test_float_models_say_what_their_library_said(
    files: Path, evaluator: Evaluator, tmp_path: Path
) -> None:
    """To the bit: their weights and inputs are quarters. Alike networks are evaluated once."""
    known: dict[str, bool] = {}
    wrong, counted = [], 0
    for name in archives("keras-", "torch-"):
        for path in models(files / name):
            source = read_source(path, load_config(None))
            network = source.network if path.suffix == ".onnx" else source.original
            values, outputs = said(path)
            key = digest(network, values, outputs)
            if key not in known:
                known[key] = np.array_equal(evaluator.logits(network, values), outputs)
            counted += 1
            if not known[key]:
                wrong.append(f"{name}/{path.name}")
    assert wrong == [] and counted > 100 and len(known) > 10


@pytest.mark.parametrize("name", archives("qkeras-"))
def test_quantized_models_say_what_their_library_said(files: Path, name: str) -> None:
    """The graph that is made without Keras, on values that are not all on the input's grid."""
    for path in models(files / name):
        graph = direct_graph(read_keras(path, parallel=True), None, stream=False).graph
        values, outputs = said(path)
        (kind,) = (node.type for node in graph.input_nodes)
        codes = evaluate(graph, kind.encode(values))
        got = graph.output_nodes[0].type.decode(codes)
        assert np.array_equal(got.reshape(outputs.shape), outputs), path.name


def test_models_of_hgq_are_read(files: Path) -> None:
    for name in archives("hgq2-"):
        for path in models(files / name):
            assert detect(path) is Format.HGQ
            read = read_keras_v3(path)
            assert len(read.layers) > 2 and read.nonzero > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", archives("hgq2-"))
def test_models_of_hgq_say_what_their_library_said(files: Path, tmp_path: Path, name: str) -> None:
    """Source and graph, which HGQ2 0.2 makes of the copy of an older file."""
    config = load_config(None)
    for path in models(files / name):
        values, outputs = said(path)
        work = tmp_path / path.stem
        work.mkdir()
        with open_model(path, config, work) as frontend:
            logits = frontend.evaluate(values).logits
            graph, _ = frontend.convert(config, work / "hls", "tiny")
        assert np.array_equal(logits.reshape(outputs.shape), outputs), path.name
        codes = evaluate(graph, graph.input_nodes[0].type.encode(values))
        got = graph.output_nodes[0].type.decode(codes)
        assert np.array_equal(got.reshape(outputs.shape), outputs), path.name


def test_what_is_refused_and_why(files: Path) -> None:
    found = 0
    for name in ARCHIVES:
        for path in models(files / name, refused=True):
            place = f"{name}/{path.name}"
            (text,) = (REFUSED[key] for key in REFUSED if place.startswith(key))
            with pytest.raises(ModelError) as caught:
                if name.startswith("qkeras-"):
                    read_keras(path)
                else:
                    read_source(path, load_config(None))
            assert text in str(caught.value), place
            assert all(blocker.fix for blocker in caught.value.blockers), place
            found += 1
    assert found >= len(REFUSED)
