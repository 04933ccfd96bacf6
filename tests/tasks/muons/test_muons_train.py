"""Pieces, first weights, thresholds and recipes of the segmenter's training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trigger_ml.check.segmentation import count_cells
from trigger_ml.errors import ConfigError, DataError
from trigger_ml.tasks.muons.chamber import STRIPS
from trigger_ml.tasks.muons.crops import cut
from trigger_ml.tasks.muons.images import SHAPE, unpack
from trigger_ml.tasks.muons.train_files import write_events
from trigger_ml.tasks.muons.train_measure import least_at, matching_logits
from trigger_ml.tasks.muons.training_recipe import (
    Crops,
    SegmenterRecipe,
    read_segmenter_recipe,
)
from trigger_ml.tasks.muons.training_start import first_weights


def refused(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_segmenter_recipe(path)
    return str(caught.value)


def test_a_recipe_comes_back(tmp_path: Path) -> None:
    recipe = SegmenterRecipe.model_validate({"seed": 3, "crops": {"width": 40}})
    (tmp_path / "r.yaml").write_text(recipe.to_yaml())
    assert read_segmenter_recipe(tmp_path / "r.yaml") == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layers: [{kernel: [2, 3], filters: 1}]\nstart: random", "must be odd"),
        ("layers: [{kernel: [17, 3], filters: 1}]\nstart: random", "1 to 15 partitions"),
        ("layers: []", "1 to 8 layers"),
        ("layers: [{kernel: [3, 3], filters: 2}]\nstart: random", "the last layer has one filter"),
        ("layers: [{kernel: [3, 3], filters: 1}]", "needs three layers"),
        ("crops: {width: 16, margin: 8}", "more than twice crops.margin"),
        ("pruning: {begin: 0.5, end: 0.5}", "begin must be before end"),
        ("training: {bach: 3}", "did you mean batch?"),
    ],
)
def test_what_a_recipe_may_not_say(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(tmp_path / "r.yaml", text)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    told = refused(tmp_path / "r.yaml", "seed: -1\ntraining: {batch: 0}\ncrops: {width: 8}")
    assert all(name in told for name in ("seed", "training.batch", "crops.width"))


def test_the_first_layer_trains_unless_it_is_kept() -> None:
    for given, frozen in (
        ({}, [1, 1, 1, 2, 2]),
        ({"keep_windows": False}, [0, 0, 1, 2, 2]),
        ({"start": "random"}, [0, 0, 1, 2, 2]),
    ):
        recipe = SegmenterRecipe.model_validate(given)
        assert [stage.frozen for stage in recipe.stages] == frozen


def one_true_cell(partition: int, strip: int) -> tuple[np.ndarray, np.ndarray]:
    hits, truth = np.zeros((2, 50, *SHAPE), np.uint8)
    hits[:, partition, strip] = truth[:, partition, strip] = 0b101
    hits[:, 0, 0] |= 0b10
    return hits, truth


@pytest.mark.parametrize("strip", [0, 7, 200, STRIPS - 1])
def test_pieces_hold_the_muon_inside_their_margins(strip: int) -> None:
    hits, truth = one_true_cell(3, strip)
    recipe = Crops(width=32, margin=8, anywhere=0.0, per_image=2)
    pieces = cut(hits, truth, recipe, np.random.default_rng(1))
    assert pieces.hits.shape == pieces.true.shape == (100, 8, 32)
    inside = pieces.true[:, :, 8:-8]
    assert (inside.sum(axis=(1, 2)) == 1).all() and (pieces.true.sum(axis=(1, 2)) == 1).all()
    assert (pieces.hits[pieces.true] == 0b101 | (0b10 if (strip, 3) == (0, 0) else 0)).all()
    places = np.nonzero(pieces.true)[2]
    assert len(np.unique(places)) > (1 if 8 <= strip < STRIPS - 8 else 0)


def test_pieces_anywhere_are_spread_over_the_image() -> None:
    hits, truth = np.zeros((2, 400, *SHAPE), np.uint8)
    hits[:] = (np.arange(STRIPS) // 8)[None, None, :]
    recipe = Crops(width=32, margin=8, anywhere=1.0)
    pieces = cut(hits, truth, recipe, np.random.default_rng(1))
    middle = pieces.hits[:, 0, 16]
    assert middle.min() <= 3 and middle.max() >= STRIPS // 8 - 4
    again = cut(hits, truth, recipe, np.random.default_rng(1))
    assert np.array_equal(again.hits, pieces.hits)


def test_pieces_count_what_their_image_counts() -> None:
    hits, truth = np.zeros((2, 50, *SHAPE), np.uint8)
    hits[:] = np.arange(1, 51)[:, None, None]
    counts = np.linspace(0.5, 1.0, 50, dtype=np.float32)
    random = np.random.default_rng(1)
    pieces = cut(hits, truth, Crops(width=32, margin=8, per_image=2), random, counts)
    assert np.array_equal(pieces.weight, counts[pieces.hits[:, 0, 16] - 1])
    assert (cut(hits, truth, Crops(), random).weight == 1).all()


def test_images_with_a_soft_muon_count_less() -> None:
    from trigger_ml.tasks.muons.recipe import SampleRecipe
    from trigger_ml.tasks.muons.simulate import simulate
    from trigger_ml.tasks.muons.train import piece_weights

    images = simulate(300, SampleRecipe(), np.random.default_rng(1))
    weights = piece_weights(
        images, SegmenterRecipe.model_validate({"training": {"soft_weight": 0.25}})
    )
    soft = (images.pt < 10).any(axis=1)
    assert soft.any() and (images.muons == 0).any()
    assert (weights[soft] == 0.25).all() and (weights[~soft] == 1.0).all()


def test_pieces_of_empty_images_hold_what_looks_most_like_a_muon() -> None:
    """Four layers near each other in two partitions, against three in one and six far apart."""
    hits, truth = np.zeros((2, 50, *SHAPE), np.uint8)
    hits[:, 2, 100], hits[:, 3, 102] = 0b011, 0b1100
    hits[:, 6, 250] = 0b111
    hits[:, 0, 300], hits[:, 7, 300] = 0b000111, 0b111000
    pieces = cut(hits, truth, Crops(width=32, margin=8, anywhere=0.0), np.random.default_rng(1))
    assert (pieces.hits[:, 3] == 0b1100).any(axis=1).all() and not pieces.true.any()


def test_the_first_weights_find_a_straight_track() -> None:
    """Six layers in a line light the cell up, four of them less, two not at all."""
    recipe = SegmenterRecipe()
    weights = first_weights(recipe)
    logit = {}
    for layers in (6, 4, 2):
        image = np.zeros((8, 31), np.uint8)
        image[4, 15] = (1 << layers) - 1
        values = unpack(image).astype(np.float64)
        for number, ((kernel, bias), layer) in enumerate(zip(weights, recipe.layers, strict=True)):
            values = convolved(values, kernel) + bias
            if number < 2:
                values = np.clip(values, 0, layer.saturation)
        logit[layers] = values[4, 15, 0]
        assert values[4, 15, 0] > values[0, 0, 0] - 1e-9
    assert logit[6] > logit[4] > logit[2] and logit[6] > 0 > logit[2]


def test_the_first_weights_follow_a_track_across_partitions() -> None:
    """A track goes outwards, to lower numbers; hits that lie the other way round are no track."""
    recipe = SegmenterRecipe()
    (kernel, bias), *_ = first_weights(recipe)
    lit = {}
    for name, first, last in (("outwards", 5, 4), ("inwards", 4, 5)):
        image = np.zeros((8, 31), np.uint8)
        image[first, 15], image[last, 15] = 0b000111, 0b111000
        windows = convolved(unpack(image).astype(np.float64), kernel) + bias
        lit[name] = [int((windows[row, 15, :6] > 0.5).sum()) for row in (4, 5)]
    assert lit == {"outwards": [6, 6], "inwards": [4, 4]}


def test_the_first_weights_count_the_layers_hit_here() -> None:
    (kernel, bias), *_ = first_weights(SegmenterRecipe())
    for layers in range(5):
        image = np.zeros((8, 31), np.uint8)
        image[4, 15] = (1 << layers) - 1
        counts = (convolved(unpack(image).astype(np.float64), kernel) + bias)[4, 15, 6:]
        assert (counts > 0.4).sum() == min(layers, 3)


@pytest.mark.parametrize(
    ("partition", "layer", "lit"), [(3, 0, 0), (5, 5, 0), (3, 5, 1), (5, 0, 1)]
)
def test_the_first_weights_know_cross_talk(partition: int, layer: int, lit: int) -> None:
    """One hit here, of a track that passes through the partition outside (3) or inside (5)."""
    (kernel, bias), *_ = first_weights(SegmenterRecipe())
    image = np.zeros((8, 31), np.uint8)
    image[4, 15], image[partition, 15] = 0b100, 1 << layer
    counts = (convolved(unpack(image).astype(np.float64), kernel) + bias)[4, 15, 6:]
    assert (counts > 0.4).sum() == lit


def convolved(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    high, wide = kernel.shape[0] // 2, kernel.shape[1] // 2
    padded = np.pad(values, ((high, high), (wide, wide), (0, 0)))
    found = np.zeros((*values.shape[:2], kernel.shape[3]))
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            part = padded[i : i + values.shape[0], j : j + values.shape[1]]
            found += part @ kernel[i, j]
    return found


def test_thresholds_match_what_is_judged() -> None:
    """At an image's own logit it is matched, just above it is not; without true cells, none."""
    random = np.random.default_rng(3)
    truth = (random.random((40, 8, 20)) < 0.1).astype(np.uint8)
    truth[7] = 0
    logits = random.integers(-8, 8, truth.shape).astype(np.float32)
    found = matching_logits(logits, truth)
    rows = np.delete(np.arange(40), 7)
    assert len(found) == 39
    for row, value in zip(rows, found, strict=True):
        at, above = (
            count_cells(logits[row : row + 1] >= least, truth[row : row + 1]).matched[0]
            for least in (value, value + 1)
        )
        assert at and not above
    assert least_at(found, 1.0) == found.min()
    for efficiency in (0.5, 0.9, 0.975):
        least = least_at(found, efficiency)
        assert (found >= least).mean() >= efficiency > (found >= least + 1).mean()
    with pytest.raises(DataError, match="none with muons"):
        least_at(found[:0], 0.5)


def test_events_are_bits_and_true_cells(tmp_path: Path) -> None:
    from trigger_ml.tasks.muons.recipe import SampleRecipe
    from trigger_ml.tasks.muons.simulate import simulate

    images = simulate(5, SampleRecipe(), np.random.default_rng(1))
    write_events(tmp_path / "e.npz", images, 3)
    with np.load(tmp_path / "e.npz") as kept:
        assert kept["x"].shape == (3, *SHAPE, 6) and kept["x"].dtype == np.uint8
        assert np.array_equal(kept["x"], unpack(images.hits[:3]))
        assert np.array_equal(kept["y"], images.truth[:3] != 0)


def test_the_command_reads_the_recipe_and_names_a_missing_sample(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from trigger_ml.cli import cli

    missing, recipe = tmp_path / "muons.h5", tmp_path / "r.yaml"
    asked = ["train", "muons", str(missing), "-o", str(tmp_path / "out"), "--recipe", str(recipe)]
    recipe.write_text("seed: -1")
    with pytest.raises(ConfigError, match="seed"):
        CliRunner().invoke(cli, asked, catch_exceptions=False)
    recipe.write_text("seed: 1")
    with pytest.raises(DataError, match="does not exist"):
        CliRunner().invoke(cli, asked, catch_exceptions=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.yaml"]
