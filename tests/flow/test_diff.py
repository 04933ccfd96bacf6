"""Builds as they are on disk, compared."""

import shutil
from pathlib import Path

import pytest

from tests.flow.conftest import TINY, quick
from trigger_ml.config import Config
from trigger_ml.errors import BuildError
from trigger_ml.inspect.diff import Difference, compare
from trigger_ml.inspect.subject import read_subjects


def differ(old: Path, new: Path, config: Config | None = None) -> Difference:
    return compare(*read_subjects(old, new, config or Config(), full=False))


def test_two_builds(logits_build: Path, softmax_build: Path) -> None:
    found = differ(logits_build, softmax_build)
    latency = {item.name: item for item in found.sections["latency"]}
    assert latency["latency in clocks"].new > latency["latency in clocks"].old
    resources = {item.name for item in found.sections["resources"]}
    assert {"cost_model lut", "cost_model ff"} <= resources
    config = {item.name: (item.old, item.new) for item in found.sections["configuration"]}
    assert config["firmware.output"] == ("logits", "softmax")
    assert not differ(logits_build, logits_build).different


def test_a_build_and_the_model_it_was_made_of(logits_build: Path) -> None:
    found = differ(TINY, logits_build, quick())
    assert not found.different
    assert "Only one of them is a build" in found.notes[0]


def test_a_build_read_by_hls4ml_has_the_same_weights(logits_build: Path) -> None:
    left, _ = read_subjects(TINY, TINY, Config(), full=False)
    right, _ = read_subjects(logits_build, logits_build, Config(), full=True)
    assert (left.network.read_by, right.network.read_by) == ("direct", "hls4ml")
    found = compare(left, right)
    assert (found.layers, found.different) == ((), False)


def test_a_build_with_a_part_missing(logits_build: Path, tmp_path: Path) -> None:
    broken = tmp_path / "build"
    shutil.copytree(logits_build, broken)
    (broken / "config.yaml").unlink()
    with pytest.raises(BuildError, match="is not a whole build"):
        differ(logits_build, broken)
