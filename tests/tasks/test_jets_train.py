"""What surrounds a training: the scaling, the recipe, the split and the output folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from trigger_ml.errors import BuildError, ConfigError, DataError
from trigger_ml.events import read_events
from trigger_ml.tasks.jets.card import DataCard
from trigger_ml.tasks.jets.names import CLASSES, FEATURES
from trigger_ml.tasks.jets.recipe import Recipe, Split, read_recipe
from trigger_ml.tasks.jets.sample import JetSample
from trigger_ml.tasks.jets.scaling import Scaling, fit_scaling, read_scaling
from trigger_ml.tasks.jets.train import train_tagger, write_events
from trigger_ml.tasks.jets.trainer_split import split_by_event

RANDOM = np.random.default_rng(4)
LONG_TAILS = RANDOM.standard_t(1.5, size=(2000, len(FEATURES))).astype(np.float32)


def sample(jets: int = 2000, events: bool = True) -> JetSample:
    labels = (np.arange(jets) // 2 % 5).astype(np.int8)
    event = (np.arange(jets) // 2).astype(np.int64) if events else None
    features = RANDOM.normal(size=(jets, 16)).astype(np.float32)
    return JetSample(features, labels, None, "a test", event)


@pytest.mark.parametrize(("bits", "integer"), [(8, 0), (10, 0), (9, 2), (6, -1)])
def test_scaled_values_lie_on_the_grid_exactly(bits: int, integer: int) -> None:
    scaling = fit_scaling(LONG_TAILS, FEATURES, bits, integer, 0.9)
    values = scaling.apply(LONG_TAILS)
    step = Fraction(2) ** (integer + 1 - bits)
    low, high = -(Fraction(2) ** integer), Fraction(2) ** integer - step
    for x, value in zip(LONG_TAILS[:300, 3].tolist(), values[:300, 3].tolist(), strict=True):
        wanted = (Fraction(x) - Fraction(scaling.offset[3])) / Fraction(scaling.scale[3])
        # Fraction rounds half to even, as RND_CONV does.
        assert Fraction(value) == min(max(round(wanted / step) * step, low), high)
    assert np.array_equal(values.astype(np.float32), values), "float32 holds the grid"
    assert np.array_equal(scaling.apply(LONG_TAILS), values)
    assert values.min() == low and values.max() == high, "tails saturate"
    inside = (values > float(low)) & (values < float(high))
    assert inside.mean(axis=0).min() >= 0.89


def test_ties_round_to_even() -> None:
    scaling = Scaling(("x",), (0.0,), (1.0,), 4, 0)
    step = scaling.step
    ties = np.array([[0.5], [1.5], [2.5], [-0.5], [-1.5]]) * step
    assert scaling.codes(ties).ravel().tolist() == [0, 2, 2, 0, -2]


def test_a_trigger_can_scale_with_shift_and_subtraction() -> None:
    scaling = fit_scaling(LONG_TAILS, FEATURES, 8, 0, 0.9)
    for offset, scale in zip(scaling.offset, scaling.scale, strict=True):
        assert scale.hex().startswith("0x1.0000000000000p"), "a power of two"
        assert (Fraction(offset) / Fraction(scale * scaling.step)).denominator == 1


def test_scaling_survives_json(tmp_path: Path) -> None:
    scaling = fit_scaling(LONG_TAILS, FEATURES, 9, 1, 0.95)
    path = tmp_path / "scaling.json"
    path.write_text(scaling.to_json())
    assert read_scaling(path) == scaling


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": [0.3] * 16}, "every scale must be a power of two, found 0.3"),
        ({"offset": [1e-9] * 16}, "every offset must be a whole number of steps"),
        ({"offset": [0.0]}, "names, offset and scale must be lists of one length"),
        ({"bits": 99}, "bits must be 2 to 16, found 99"),
        ({"schema": 7}, "it has schema 7, this version reads 1"),
        ({"scale": "no"}, "is not a scaling"),
    ],
)
def test_a_broken_scaling_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    scaling = fit_scaling(LONG_TAILS, FEATURES, 9, 1, 0.95)
    path = tmp_path / "scaling.json"
    path.write_text(json.dumps({**json.loads(scaling.to_json()), **change}))
    with pytest.raises(DataError, match=message):
        read_scaling(path)


def test_features_that_cannot_be_scaled() -> None:
    scaling = fit_scaling(LONG_TAILS, FEATURES, 8, 0, 0.9)
    with pytest.raises(DataError, match=r"must have the shape \(events, 16\), found \(2, 3\)"):
        scaling.apply(np.zeros((2, 3)))
    with pytest.raises(DataError, match="1 of 2 jets hold NaN or inf"):
        scaling.apply(np.array([[0.0] * 16, [np.nan] * 16]))
    flat = LONG_TAILS.copy()
    flat[:, 14] = 80.0
    with pytest.raises(DataError, match="mass_mmdt: is the same for nearly all jets"):
        fit_scaling(flat, FEATURES, 8, 0, 0.9)


def test_a_recipe_survives_yaml(tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"seed": 7, "network": {"weight_bits": 6}})
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.to_yaml())
    assert read_recipe(path) == recipe
    path.write_text("")
    assert read_recipe(path) == Recipe()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pruning: {sparsty: 0.8}", r"pruning\.sparsty: there is no such key.*did you mean spars"),
        ("sed: 3", "sed: there is no such key.*did you mean seed"),
        ("network: {weight_bits: 0}", r"network\.weight_bits: .*greater than or equal to 2"),
        ("network: {hidden: []}", r"network\.hidden: .*must be 1 to 8 layers"),
        ("pruning: {sparsity: 1.0}", r"pruning\.sparsity\.0: .*less than 1"),
        ("pruning: {sparsity: [0.8, 0.9]}", "sparsity has 2 numbers, there are 4 layers"),
        ("pruning: {begin: 0.7, end: 0.6}", "begin must be before end"),
        ("split: {test: 0.9, validation: 0.2}", "must leave events for training"),
        ("training: {quantized_learning_rate: .nan}", "finite number"),
        ("training: 3", "training: .*valid dictionary"),
        ("[1, 2]", "must hold sections with keys"),
        ("a: [", "is not YAML"),
    ],
)
def test_recipe_mistakes(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        read_recipe(path)


def test_one_sparsity_serves_all_layers() -> None:
    network = {"hidden": [8, 4]}
    one = Recipe.model_validate({"network": network, "pruning": {"sparsity": 0.5}})
    assert one.layer_sparsity == (0.5, 0.5, 0.5)
    each = Recipe.model_validate({"network": network, "pruning": {"sparsity": [0.5, 0.9, 0]}})
    assert each.layer_sparsity == (0.5, 0.9, 0.0)


def test_all_mistakes_of_a_recipe_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("sed: 3\nnetwork: {weight_bits: 99}\npruning: {sparsity: 2}")
    with pytest.raises(ConfigError) as caught:
        read_recipe(path)
    assert len(caught.value.blockers) == 3
    with pytest.raises(ConfigError, match="cannot be read"):
        read_recipe(tmp_path / "absent.yaml")


def test_no_event_is_on_two_sides() -> None:
    jets = sample()
    rows = split_by_event(jets, Split(test=0.4, validation=0.1), 1)
    together = np.concatenate(list(rows.values()))
    assert sorted(together) == list(range(len(jets))), "every jet is on exactly one side"
    assert jets.event is not None
    sides = [set(jets.event[chosen].tolist()) for chosen in rows.values()]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    assert len(rows["test"]) == pytest.approx(800, abs=80)
    assert len(rows["validation"]) == pytest.approx(200, abs=60)


def test_an_event_stays_on_its_side_when_the_sample_grows() -> None:
    split, small, large = Split(), sample(1000), sample(4000)
    before, after = split_by_event(small, split, 3), split_by_event(large, split, 3)
    for side, rows in before.items():
        assert set(rows) <= set(after[side])
    assert set(split_by_event(small, split, 4)["test"]) != set(before["test"])


def test_jets_of_unknown_events_are_split_one_by_one() -> None:
    rows = split_by_event(sample(events=False), Split(), 1)
    assert sum(map(len, rows.values())) == 2000
    assert len(rows["test"]) == pytest.approx(1000, abs=120)


def test_a_side_without_a_class_is_refused() -> None:
    jets = sample(400)
    without = jets.labels != CLASSES.index("t")
    assert jets.event is not None
    jets = replace(
        jets,
        features=jets.features[without],
        labels=jets.labels[without],
        event=jets.event[without],
    )
    with pytest.raises(DataError, match=r"the train side .* has none of class t") as caught:
        split_by_event(jets, Split(), 1)
    assert len(caught.value.blockers) == 3


def test_events_are_read_back_by_the_compiler(tmp_path: Path) -> None:
    scaling = fit_scaling(LONG_TAILS, FEATURES, 8, 0, 0.9)
    values, labels = scaling.apply(LONG_TAILS), np.arange(2000) % 5
    path = tmp_path / "events.npz"
    write_events(path, values, labels, 1500)
    events = read_events(path, 16, 5, 10_000)
    assert np.array_equal(events.inputs, values[:1500])
    assert events.labels is not None and np.array_equal(events.labels, labels[:1500])
    assert events.classes == CLASSES


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    output = tmp_path / "thesis"
    output.mkdir()
    (output / "chapter1.tex").write_text("years of work")
    with pytest.raises(BuildError, match="is not a trained tagger"):
        train_tagger(tmp_path / "jets.h5", output)
    assert (output / "chapter1.tex").exists()


def test_a_training_that_fails_leaves_the_old_tagger(tmp_path: Path) -> None:
    output = tmp_path / "tagger"
    output.mkdir()
    (output / "metrics.json").write_text("{}")
    with pytest.raises(DataError, match=r"absent\.h5: cannot be read"):
        train_tagger(tmp_path / "absent.h5", output)
    assert [path.name for path in tmp_path.iterdir()] == ["tagger"]
    assert (output / "metrics.json").read_text() == "{}"
    shutil.rmtree(output)
    with pytest.raises(DataError):
        train_tagger(tmp_path / "absent.h5", output)
    assert not any(tmp_path.iterdir()), "nothing half-made is left"


def test_two_trainings_into_one_folder(tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / ".tagger.lock"),
        pytest.raises(BuildError, match="is being made by another process"),
    ):
        train_tagger(tmp_path / "jets.h5", tmp_path / "tagger")


def test_the_output_must_be_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="cannot be written"):
        train_tagger(tmp_path / "jets.h5", tmp_path / "file" / "tagger")


def test_a_foreign_sample_gets_a_card_with_a_digest() -> None:
    from trigger_ml.tasks.jets.trainer_files import card_of

    jets = sample(100)
    card = card_of(jets)
    assert isinstance(card, DataCard) and card.jets == 100
    assert card.digest != card_of(sample(90)).digest
