"""Events files: what is in them, on which side a jet lies, and how it was scaled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.test_cli import refused, run
from trigger_ml.compress.dataset import read_dataset
from trigger_ml.errors import ConfigError, DataError
from trigger_ml.splits import Split
from trigger_ml.tasks.jets.card import DataCard
from trigger_ml.tasks.jets.constituent_scaling import fit_constituent_scaling, scale_inputs
from trigger_ml.tasks.jets.events import EventsRequest, write_jet_events
from trigger_ml.tasks.jets.loaders import load_jets
from trigger_ml.tasks.jets.names import CLASSES, CONSTITUENT_COLUMNS, CONSTITUENTS, FEATURES
from trigger_ml.tasks.jets.scaling import Scaling, fit_scaling, read_scaling
from trigger_ml.tasks.jets.store import write_sample
from trigger_ml.tasks.jets.trainer_split import split_by_event

JETS = 2000
SPLIT = Split(test=0.5, validation=0.05)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two jets of each event; a jet of number n has n % 20 + 5 particles, hardest first."""
    random = np.random.default_rng(1)
    labels = np.repeat(np.arange(JETS // 2) % 5, 2).astype(np.int8)
    particles = np.zeros((JETS, CONSTITUENTS, 3), np.float32)
    for jet in range(JETS):
        count = jet % 20 + 5
        particles[jet, :count, 0] = np.sort(random.exponential(50, count) + 1)[::-1]
        particles[jet, :count, 1:] = random.normal(0, 0.2, (count, 2))
    rows = {
        "features": random.normal(size=(JETS, 16)).astype(np.float32),
        "labels": labels,
        "constituents": particles,
        "event": np.repeat(np.arange(JETS // 2), 2).astype(np.int64),
    }
    card = DataCard("a test", {}, {}, 1, 0, dict.fromkeys(CLASSES, JETS // 5), {})
    path = tmp_path_factory.mktemp("jets") / "jets.h5"
    write_sample(path, iter([rows]), card)
    return path


def written(sample: Path, folder: Path, request: EventsRequest) -> dict[str, np.ndarray]:
    output = folder / "events.npz"
    write_jet_events(sample, output, request)
    with np.load(output, allow_pickle=False) as file:
        return dict(file)


def test_features_as_the_tagger_would_train_on_them(sample: Path, tmp_path: Path) -> None:
    found = written(sample, tmp_path, EventsRequest(split=SPLIT, seed=3))
    jets = load_jets(sample)
    sides = split_by_event(jets, SPLIT, 3)
    for number, name in enumerate(("train", "validation", "test")):
        assert np.array_equal(np.flatnonzero(found["split"] == number), sides[name])
    scaling = fit_scaling(jets.features[sides["train"]], FEATURES, 8, 1, 0.9)
    assert read_scaling(tmp_path / "events.scaling.json") == scaling
    assert found["x"].dtype == np.float32
    assert np.array_equal(found["x"], scaling.apply(jets.features))
    assert np.array_equal(found["y"], jets.labels)
    assert tuple(found["classes"]) == CLASSES
    assert np.array_equal(found["event"], jets.event)
    data = read_dataset(tmp_path / "events.npz", (16,), 5, Split(), 9)
    assert len(data.x_train) == len(sides["train"]), "the file's sides count, not the seed"


def test_particles_keep_their_order_and_missing_ones_are_zero(sample: Path, tmp_path: Path) -> None:
    found = written(sample, tmp_path, EventsRequest(constituents=16, split=SPLIT))
    scaling = read_scaling(tmp_path / "events.scaling.json")
    assert scaling.names == CONSTITUENT_COLUMNS
    assert scaling.offset == (0.0, 0.0, 0.0)
    raw = load_jets(sample).constituents
    assert raw is not None
    there = raw[:, :16, 0] > 0
    assert found["x"].shape == (JETS, 16, 3)
    assert not found["x"][~there].any()
    for column, scale in enumerate(scaling.scale):
        ends = -(2.0**scaling.integer), 2.0**scaling.integer - scaling.step
        expected = np.clip(raw[:, :16, column] / scale, *ends)
        assert np.abs(found["x"][..., column] - expected)[there].max() <= scaling.step / 2
    codes = found["x"] / scaling.step
    assert np.array_equal(codes, np.rint(codes))
    assert np.array_equal(found["x"].astype(np.float16), found["x"]), "12 bits fit half precision"


def test_a_particle_scale_covers_one_side_of_pt() -> None:
    particles = np.zeros((100, 4, 3))
    particles[:, :2, 0] = 100.0
    particles[:, :2, 1] = 0.4
    particles[:, :2, 2] = -0.26
    scaling = fit_constituent_scaling(particles, 8, 2, 0.9)
    assert scaling.scale == (32.0, 0.125, 0.125), "100 GeV in 4 steps of 32, not in 4 of 16"
    assert fit_constituent_scaling(particles, 8, 2, 0.4) == scaling, "of those that are there"
    with pytest.raises(DataError) as caught:
        fit_constituent_scaling(particles * [1, 0, 1], 8, 2, 0.9)
    assert str(caught.value).startswith("etarel: is zero for nearly all particles")
    with pytest.raises(DataError):
        fit_constituent_scaling(np.zeros((5, 4, 3)), 8, 2, 0.9)
    shifted = Scaling(CONSTITUENT_COLUMNS, (16.0, 0.0, 0.0), scaling.scale, 8, 2)
    with pytest.raises(DataError, match="a missing particle would not be zero"):
        scale_inputs(shifted, particles)


@pytest.mark.parametrize("wanted", [20, 300, 700])
def test_validation_takes_from_the_held_out_alone(
    sample: Path, tmp_path: Path, wanted: int
) -> None:
    plain = written(sample, tmp_path, EventsRequest(split=SPLIT))
    found = written(sample, tmp_path, EventsRequest(split=SPLIT, validation=wanted))
    assert np.array_equal(found["split"] == 0, plain["split"] == 0), "training is untouched"
    assert abs((found["split"] == 1).sum() - wanted) < 4 * wanted**0.5 + 10
    for event in np.unique(found["event"]):
        assert len(set(found["split"][found["event"] == event])) == 1


def test_top_against_qcd_leaves_w_and_z_out(sample: Path, tmp_path: Path) -> None:
    five = written(sample, tmp_path, EventsRequest(split=SPLIT))
    two = written(sample, tmp_path, EventsRequest(split=SPLIT, top_qcd=True, validation=200))
    assert tuple(two["classes"]) == ("qcd", "top")
    kept = np.isin(five["y"], (0, 1, 4))
    assert np.array_equal(two["y"], five["y"][kept] == 4)
    assert np.array_equal(two["split"] == 0, five["split"][kept] == 0)
    assert abs((two["split"] == 1).sum() - 200) < 60, "of the jets that are left"


def test_a_scaling_that_is_given_is_applied(sample: Path, tmp_path: Path) -> None:
    scaling = Scaling(FEATURES, (0.5,) * 16, (2.0,) * 16, 6, 0)
    found = written(sample, tmp_path, EventsRequest(scaling=scaling, split=SPLIT))
    assert np.array_equal(found["x"], scaling.apply(load_jets(sample).features))
    assert read_scaling(tmp_path / "events.scaling.json") == scaling


def test_impossible_requests(sample: Path, tmp_path: Path) -> None:
    output = tmp_path / "events.txt"
    with pytest.raises(ConfigError) as caught:
        write_jet_events(sample, output, EventsRequest(constituents=0, validation=0))
    assert [blocker.where for blocker in caught.value.blockers] == [
        "--output",
        "--validation",
        "--constituents",
    ]
    output = tmp_path / "events.npz"
    with pytest.raises(ConfigError, match="a sample keeps 64 of each jet, 65 are asked for"):
        write_jet_events(sample, output, EventsRequest(constituents=65))
    with pytest.raises(ConfigError, match="leave none to test"):
        write_jet_events(sample, output, EventsRequest(validation=JETS))
    with pytest.raises(DataError, match="must have the shape"):
        particles = fit_constituent_scaling(np.ones((2, 2, 3)), 8, 2, 0.9)
        write_jet_events(sample, output, EventsRequest(scaling=particles))
    assert not list(tmp_path.iterdir()), "nothing is left"


def test_the_command_with_a_taggers_recipe(sample: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("seed: 5\ninputs: {bits: 6}\nsplit: {test: 0.6, validation: 0.1}\n")
    code, out, err = run(
        *("data", "events", sample, "-o", "e.npz", "--recipe", recipe, "--validation", 200),
        cwd=tmp_path,
    )
    assert code == 0, err
    sides = split_by_event(load_jets(sample), Split(test=0.6, validation=0.1), 5)
    assert f"train {len(sides['train']):,}, validation" in out
    with np.load(tmp_path / "e.npz") as file:
        assert np.array_equal(np.flatnonzero(file["split"] == 0), sides["train"])
    assert read_scaling(tmp_path / "e.scaling.json").bits == 6
    flags = ("--split", "0.9", "0.2")
    told = refused("data", "events", sample, "-o", "f.npz", *flags, cwd=tmp_path)
    assert "must leave events for training" in told
