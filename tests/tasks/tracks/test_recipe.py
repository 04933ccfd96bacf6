"""The recipe file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from trigger_ml.errors import ConfigError
from trigger_ml.tasks.tracks.recipe import Cuts, TracksRecipe, read_tracks_recipe


def test_read_what_was_written(tmp_path: Path) -> None:
    recipe = TracksRecipe(events=7, pileup=3, cuts=Cuts(z0_max_mm=100), resolution="truth")
    path = tmp_path / "tracks.yaml"
    path.write_text(recipe.to_yaml())
    assert read_tracks_recipe(path) == recipe
    path.write_text("")
    assert read_tracks_recipe(path) == TracksRecipe()


def test_published_cuts_are_the_default() -> None:
    assert Cuts().model_dump() == {"phi_slope_max": 0.0006, "z0_max_mm": 150.0}


def test_all_that_is_wrong_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tracks.yaml"
    wrong = {"event": 5, "pileup": -1, "process": "higgs", "cuts": {"phi_slope": 1}}
    path.write_text(yaml.safe_dump(wrong))
    with pytest.raises(ConfigError) as caught:
        read_tracks_recipe(path)
    text = str(caught.value)
    assert len(caught.value.blockers) == 4
    assert "event: there is no such key\n    -> did you mean events?" in text
    assert "cuts.phi_slope: there is no such key\n    -> did you mean phi_slope_max?" in text
    assert "pileup: Input should be greater than or equal to 0, found -1" in text
    assert "process: Input should be 'ttbar', found 'higgs'" in text
    path.write_text(yaml.safe_dump({"pt_min_gev": 0.5}))
    with pytest.raises(ConfigError, match="simulate_pt_min_gev must not be above pt_min_gev"):
        read_tracks_recipe(path)
