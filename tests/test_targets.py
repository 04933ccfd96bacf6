"""Presets of a target: what they stand for, and that the user's own keys win."""

from pathlib import Path

import pytest

from tests.test_cli import TINY, refused
from trigger_ml.config import load_config
from trigger_ml.errors import ConfigError
from trigger_ml.targets import PRESETS


@pytest.mark.parametrize(
    "name, mhz, ii_ns, latency_ns",
    [
        ("cms-l1", 360.0, 25.0, 100.0),
        ("cms-l1-correlator", 360.0, 150.0, 150.0),
        ("atlas-l0", 320.0, 25.0, 125.0),
    ],
)
def test_what_a_preset_stands_for(name: str, mhz: float, ii_ns: float, latency_ns: float) -> None:
    config = load_config(None, {"target.preset": name})
    assert (config.target.preset, config.target.clock_mhz) == (name, mhz)
    assert config.target.part == "xcvu13p-flga2577-2-e"
    assert (config.budget.ii_ns, config.budget.latency_ns) == (ii_ns, latency_ns)
    # One of the four regions of a VU13P.
    assert (config.budget.lut_share, config.budget.dsp_share) == (0.25, None)


def test_every_preset_is_tested() -> None:
    assert set(PRESETS) == {"cms-l1", "cms-l1-correlator", "atlas-l0"}


def test_keys_of_the_file_and_flags_win_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "l1.yaml"
    file.write_text(
        "target: {preset: cms-l1-correlator, clock_mhz: 240}\nbudget: {lut_share: null}\n"
    )
    config = load_config(file, {"budget.latency_ns": 90.0})
    assert (config.target.clock_mhz, config.budget.ii_ns) == (240, 150)
    assert (config.budget.latency_ns, config.budget.lut_share) == (90, None)
    file.write_text("target: {clock_mhz: 240}\n")
    config = load_config(file, {"target.preset": "atlas-l0"})
    assert (config.target.clock_mhz, config.budget.latency_ns) == (240, 125)


def test_the_share_is_of_the_part_that_is_taken() -> None:
    config = load_config(None, {"target.preset": "cms-l1", "target.part": "VU9P"})
    assert (config.target.part, config.budget.lut_share) == ("VU9P", pytest.approx(1 / 3))
    config = load_config(None, {"target.preset": "cms-l1", "target.part": "VX690T"})
    assert config.budget.lut_share == 1.0


def test_without_a_preset_nothing_changes() -> None:
    config = load_config(None)
    assert (config.target.preset, config.budget.lut_share) == (None, None)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no preset 'cms-11'") as caught:
        load_config(None, {"target.preset": "cms-11"})
    assert "did you mean cms-l1?" in str(caught.value)
    with pytest.raises(ConfigError, match="one of cms-l1, cms-l1-correlator, atlas-l0"):
        load_config(None, {"target.preset": "zzz"})


def test_other_mistakes_are_still_found(tmp_path: Path) -> None:
    file = tmp_path / "l1.yaml"
    file.write_text("target: {preset: cms-l1, clok_mhz: 3}\nbudget: 3\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert len(caught.value.blockers) == 2


def test_the_command(tmp_path: Path) -> None:
    err = refused("compile", TINY, "--target", "cms-l2", cwd=tmp_path)
    assert "did you mean cms-l1?" in err
