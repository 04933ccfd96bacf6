"""QKeras models of given types: written as they are, and trained."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit, softmax

from tests.compress.small_networks import chain, inputs, labelled
from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.fine_tuning import FineTuning
from trigger_ml.compress.fixed_point.layer_types import (
    DenseTypes,
    LayerTypes,
    activation_type,
    fixed_graph,
)
from trigger_ml.compress.judging import graph_scores
from trigger_ml.compress.networks.network import FloatNetwork, read_network
from trigger_ml.compress.qkeras_client import FineTuned, fine_tune, write_model
from trigger_ml.config import Config
from trigger_ml.errors import ConfigError, ModelError
from trigger_ml.frontends.client import open_model
from trigger_ml.graph.types import FixedType
from trigger_ml.progress import Quiet
from trigger_ml.training import qkeras_trainer
from trigger_ml.training.distillation import targets

GRID = FixedType.parse("fixed<6,3,RND_CONV,SAT>")


def types_for(network: FloatNetwork) -> LayerTypes:
    """A different type everywhere."""
    relu = [activation_type(5, 2, relu=True), activation_type(4, 3, relu=True)]
    weights = [FixedType(5, 2), FixedType(3, 1), FixedType(6, 1)]
    layers = {}
    for number, layer in enumerate(network.dense):
        act = relu[number] if layer.activation == "relu" else None
        layers[layer.name] = DenseTypes(weights[number], FixedType(7, 2), act)
    return LayerTypes(GRID, layers)


def test_a_written_model_compiles_to_the_same_graph(tmp_path: Path) -> None:
    network = chain((6, 8, 7, 3))
    types = types_for(network)
    file = tmp_path / "model.h5"
    write_model(network, types, file)
    graph = fixed_graph(network, types)
    events = inputs(network, GRID, 3000)
    with open_model(file, Config(), tmp_path) as frontend:
        converted, _ = frontend.convert(Config(), tmp_path / "hls", "small")
        keras = frontend.evaluate(events).logits
    scores = graph_scores(graph, events)
    assert np.array_equal(graph_scores(converted, events), scores)
    assert np.array_equal(keras, scores)
    assert np.unique(scores, axis=0).shape[0] > 200
    again = read_network(file)
    assert fixed_graph(again, types).digest == graph.digest
    assert again.tail == "softmax" and again.input_type == GRID
    assert sorted(path.name for path in tmp_path.glob("model*")) == ["model.h5"]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[FloatNetwork, Dataset, FineTuned]:
    """One training with everything: a mask in one layer, a schedule in another."""
    network = chain((6, 12, 8, 3))
    data = labelled(network, GRID, 2000)
    settings = FineTuning(
        epochs=6, batch=64, learning_rate=5e-3, sparsity={"fc1": 0.75}, prune_end=0.6
    )
    mask = np.abs(network.dense[0].kernel) > 0.4
    masks = {"fc0": mask, "fc0.bias": np.arange(12) != 2}
    file = tmp_path_factory.mktemp("tuned") / "model.h5"
    return network, data, fine_tune(network, types_for(network), data, settings, file, masks)


def test_masked_weights_stay_zero(tuned: tuple[FloatNetwork, Dataset, FineTuned]) -> None:
    network, _, found = tuned
    trained = read_network(found.file)
    mask = np.abs(network.dense[0].kernel) > 0.4
    assert 10 < mask.sum() < 60
    assert (trained.dense[0].kernel[~mask] == 0).all()
    assert trained.dense[0].bias[2] == 0 and np.count_nonzero(trained.dense[0].bias) > 6
    moved = trained.dense[0].kernel[mask] != np.rint(network.dense[0].kernel[mask] * 8) / 8
    assert moved.mean() > 0.2, "what the mask leaves was trained"


def test_the_schedule_reaches_its_sparsity(
    tuned: tuple[FloatNetwork, Dataset, FineTuned],
) -> None:
    found = tuned[2]
    trained = read_network(found.file)
    assert (trained.dense[1].kernel == 0).mean() >= 0.74
    assert found.weights["fc1"] == (96, int((trained.dense[1].kernel == 0).sum()))
    assert (trained.dense[2].kernel == 0).mean() < 0.4, "no schedule, no mask"


def test_the_training_learns_and_is_what_was_saved(
    tuned: tuple[FloatNetwork, Dataset, FineTuned],
) -> None:
    network, data, found = tuned
    types = types_for(network)
    graph = fixed_graph(read_network(found.file), types)
    for side, x in (("validation", data.x_validation), ("test", data.x_test)):
        assert np.array_equal(graph_scores(graph, x), found.logits[side])
    right = (found.logits["test"].argmax(1) == data.y_test).mean()
    plain = graph_scores(fixed_graph(network, types), data.x_test).argmax(1) == data.y_test
    best = (network.logits(data.x_test).argmax(1) == data.y_test).mean()
    assert best - 0.06 < right and plain.mean() < right, "better than rounding alone"
    assert len(found.validation) == 6
    assert found.versions["QKeras"] == "0.9.0"


def test_a_diverging_training_says_so() -> None:
    server = qkeras_trainer._Trainer()
    server._data = SimpleNamespace(x_train=np.zeros((1, 1)))  # type: ignore[assignment]
    history = SimpleNamespace(history={"loss": [0.7, float("inf")]})
    server._student = SimpleNamespace(fit=lambda *_, **__: history)
    with pytest.raises(ConfigError, match=r"diverged: its loss is inf in epoch 1\n    -> lower it"):
        server.epoch({})


def test_targets_mix_labels_and_answers() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(size=(5, 3))
    labels = np.array([0, 1, 2, 0, 1])
    found = targets(logits, labels, 0.25)
    np.testing.assert_allclose(
        found, 0.75 * np.eye(3)[labels] + 0.25 * softmax(logits, axis=1), atol=1e-7
    )
    one = targets(logits[:, :1], labels % 2, 1.0)
    np.testing.assert_allclose(one, expit(logits[:, :1]), atol=1e-7)
    rows = random.integers(0, 2, (5, 3))
    many = targets(logits, rows, 0.0)
    np.testing.assert_array_equal(many, rows)


def test_a_set_network_is_refused(tmp_path: Path) -> None:
    network = chain((3, 4, 2), particles=4)
    layers = {layer.name: types_for(chain((3, 4, 2))).layers[layer.name] for layer in network.dense}
    with pytest.raises(ModelError) as caught:
        write_model(network, LayerTypes(GRID, layers), tmp_path / "model.h5")
    assert [b.where for b in caught.value.blockers] == ["layer mean", "small"]
    assert "use the hgq step" in str(caught.value) and not any(tmp_path.iterdir())


def test_types_that_qkeras_does_not_have(tmp_path: Path) -> None:
    network = chain((2, 3))
    own = DenseTypes(FixedType(4, 0), FixedType(4, 1), None)
    with pytest.raises(ConfigError, match="type of fc0 weight: QKeras has no fixed<4,0>"):
        write_model(network, LayerTypes(GRID, {"fc0": own}), tmp_path / "model.h5")


def test_masks_and_shares_that_do_not_fit(tmp_path: Path) -> None:
    network = chain((6, 12, 8, 3))
    data = labelled(network, GRID, 50)
    with pytest.raises(ConfigError) as caught:
        fine_tune(
            network,
            types_for(network),
            data,
            FineTuning(sparsity={"fc7": 0.5}),
            tmp_path / "model.h5",
            {"fc0": np.ones((2, 2), dtype=bool)},
        )
    assert [b.where for b in caught.value.blockers] == ["sparsity.fc7", "mask fc0"]


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    class Impatient(Quiet):
        def started(self, stage: str) -> None:
            raise KeyboardInterrupt

    network = chain((6, 12, 8, 3))
    data = labelled(network, GRID, 50)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(
            network,
            types_for(network),
            data,
            FineTuning(),
            tmp_path / "model.h5",
            listener=Impatient(),
        )
    assert not any(tmp_path.iterdir())
