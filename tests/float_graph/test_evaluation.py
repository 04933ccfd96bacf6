"""What is written in another way gives the same numbers: Keras is asked, in one process."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
import pytest

from tests.float_graph.networks import (
    Model,
    draw,
    image_model,
    rich_model,
    sequence_model,
    shared_model,
)
from tests.float_graph.onnx_networks import tf_image, torch_image, torch_set
from trigger_ml.config import load_config
from trigger_ml.float_graph.client import Evaluator
from trigger_ml.float_graph.plain import shapes_of
from trigger_ml.float_graph.search import input_types, narrowest
from trigger_ml.float_graph.source import FloatSource, read_source

MODELS = {
    "image": image_model,
    "rich": rich_model,
    "sequence": sequence_model,
    "shared": shared_model,
}


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluator]:
    with Evaluator(tmp_path_factory.mktemp("evaluator")) as found:
        yield found


def events_for(source: FloatSource, count: int) -> np.ndarray:
    shapes = shapes_of(source.network.layers)
    return draw(99, count, sum(prod(shapes[name]) for name in source.network.inputs), scale=1.0)


@pytest.mark.parametrize("name", MODELS)
def test_plain_layers_say_what_the_file_says(
    tmp_path: Path, evaluator: Evaluator, name: str
) -> None:
    model: Model = MODELS[name]()
    source = read_source(model.save(tmp_path / "model.h5"), load_config(None))
    events = events_for(source, 50)
    wanted = source.logits(events, evaluator, tmp_path)
    found = evaluator.logits(source.network, events)
    assert wanted.std() > 0.1
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    kinds = {layer.kind for layer in source.network.layers}
    assert not any(kind.startswith("Separable") for kind in kinds)
    # That of the input stands before a convolution without a rim, all others go as well.
    assert "BatchNormalization" not in kinds


@pytest.mark.parametrize("write", [torch_image, tf_image, torch_set])
def test_layers_of_onnx_say_what_onnxruntime_says(
    tmp_path: Path, evaluator: Evaluator, write: object
) -> None:
    assert callable(write)
    source = read_source(write(tmp_path / "model.onnx"), load_config(None))
    events = events_for(source, 50)
    wanted = source.logits(events, evaluator, tmp_path)
    assert wanted.std() > 0.1
    np.testing.assert_allclose(evaluator.logits(source.network, events), wanted, atol=2e-5)


def test_the_first_width_that_is_enough(tmp_path: Path, evaluator: Evaluator) -> None:
    """One bit less is not, in spite of those that are left out."""
    source = read_source(image_model().save(tmp_path / "model.h5"), load_config(None))
    events = events_for(source, 800)
    wanted = source.logits(events, evaluator, tmp_path)
    limit, asked = 0.02, None
    found, enough = narrowest(source.network, events, wanted, evaluator, range(4, 17), limit, asked)
    assert enough and found.error <= limit
    less, _ = narrowest(
        source.network, events, wanted, evaluator, range(found.bits - 1, found.bits), limit, asked
    )
    assert less.error > limit
    # What is rarely too large is kept where the error asks for it.
    most, _ = narrowest(source.network, events, wanted, evaluator, range(14, 15), 1e-4, asked)
    assert most.error < 5e-3


def test_an_input_of_few_values_keeps_its_grid(tmp_path: Path) -> None:
    source = read_source(image_model().save(tmp_path / "model.h5"), load_config(None))
    counts = np.random.default_rng(1).integers(0, 4, (300, 36)).astype(np.float32) / 2
    kind = input_types(source.network, counts, 12, None)["image"]
    assert (kind.width, kind.integer, kind.signed) == (2, 1, False)
    real = input_types(source.network, counts * np.float32(0.3), 12, None)["image"]
    assert (real.width, real.integer, real.signed) == (12, -1, False)
