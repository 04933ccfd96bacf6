"""Recipes: the three of the package, and what is wrong with others."""

from pathlib import Path

import pytest

from trigger_ml.compress.hgq_settings import HgqSettings
from trigger_ml.compress.recipe import PRESETS, Hgq, PostTraining, load_recipe
from trigger_ml.errors import ConfigError


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_whole_and_survives_its_own_yaml(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    assert isinstance(recipe.steps[-1], PostTraining if name == "fast" else Hgq)
    path = tmp_path / "again.yaml"
    path.write_text(recipe.to_yaml())
    assert load_recipe(str(path)) == recipe


def test_overrides_go_on_top() -> None:
    recipe = load_recipe("fast", {"goal.tolerance": 0.5, "limits.lut": 300.0, "goal.metric": None})
    assert (recipe.goal.tolerance, recipe.limits.lut, recipe.goal.metric) == (0.5, 300, "accuracy")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "steps: [{step: hgq, epocs: 3}]",
            "epocs: there is no such key\n    -> did you mean epochs",
        ),
        ("goals: {}", "did you mean goal"),
        ("goal: {tolerence: 1}", "did you mean tolerance"),
        ("steps: []", "steps is empty"),
        ("steps: [{step: prune_neurons}]", "must be one of post_training, fine_tune, hgq"),
        ("steps: [{step: hgq}, {step: hgq}]", "hgq ends in fixed point, so it must be the last"),
        ("steps: [{step: hqg}]", "hqg"),
        ("steps: [{step: hgq, beta: [1.0e-3, 1.0e-5]}]", "the price must rise"),
        ("inputs: fixed<99,1>", "a width must be 1 to 62"),
        ("split: {test: 0.9, validation: 0.2}", "must leave events for training"),
        ("goal: {tolerance: -1}", "greater than or equal to 0, found -1"),
    ],
)
def test_what_is_no_recipe(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_recipe(str(path))
    assert message in str(caught.value)


def test_all_problems_at_once(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("seed: -1\ngoal: {metrics: auc}\nsteps: [{step: fine_tune, weight_bits: 99}]\n")
    with pytest.raises(ConfigError) as caught:
        load_recipe(str(path))
    assert len(caught.value.blockers) == 3


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match=r"neither a file nor a recipe.*\n.*fast, balanced, best"):
        load_recipe("bset")


def test_the_price_rises_evenly_in_its_logarithm() -> None:
    settings = HgqSettings(epochs=13, warm_epochs=2, beta=(1e-6, 1e-4))
    prices = [settings.price(epoch) for epoch in range(13)]
    assert prices[:3] == [1e-6] * 3
    assert prices[7] == pytest.approx(1e-5, rel=1e-9)
    assert prices[12] == pytest.approx(1e-4, rel=1e-9)
    assert HgqSettings(epochs=1).price(0) == HgqSettings().beta[0]
