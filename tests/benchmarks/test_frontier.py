"""What benchmarks/frontier.py says of designs, without training any."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.front.pareto import Point
from trigger_ml.errors import ConfigError

ROOT = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def frontier() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT))
    yield importlib.import_module("frontier")
    sys.path.remove(str(ROOT))


LABELS = np.tile([0, 1], 500)


def design(frontier: ModuleType, name: str, lut: float, right: int):
    """A design of so many LUTs that is right in the first so many of 1,000 events."""
    scores = np.eye(2)[np.where(np.arange(1000) < right, LABELS, 1 - LABELS)]
    share = right / 1000
    point = Point(name, lut, 1, 1.0, share, share, share, 1.0, share - 1, share - 1, 1)
    return frontier.Design(point, scores)


def test_published_figures_are_read_with_source_and_data_set(frontier: ModuleType) -> None:
    found = frontier.read_published(ROOT / "published_jets.yaml")
    assert len(found) == 10
    assert all(item.source and "OpenML" in item.dataset for item in found)
    assert {item.name for item in found if "DSP" in item.name} == {
        "HGQ + 34 DSP",
        "QKeras Q6 + 124 DSP",
    }
    assert min(found, key=lambda item: item.lut).metric == 0.71


def test_a_published_figure_in_percent_is_refused(frontier: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("dataset: a\npoints:\n- {name: b, accuracy: 76.9, lut: 1, source: c}\n")
    with pytest.raises(ConfigError, match="accuracy"):
        frontier.read_published(file)


def test_verdicts_name_the_better_and_the_smaller_design(frontier: ModuleType) -> None:
    data = Dataset(*(np.empty(0),) * 5, LABELS, (), "", "")
    ours = [
        design(frontier, "small", 100, 700),
        design(frontier, "middle", 200, 800),
        design(frontier, "large", 300, 850),
    ]
    others = [
        design(frontier, "beaten", 250, 690),
        design(frontier, "tiny", 50, 600),
        design(frontier, "best", 400, 900),
    ]
    beaten, tiny, best = frontier.verdicts(ours, others, data)
    assert (beaten.better.name, beaten.smaller.name) == ("middle", "small")
    assert beaten.change.change.value == pytest.approx(0.11)
    assert beaten.change.change.low > 0.08
    assert tiny.better is None and tiny.change is None and tiny.smaller.name == "small"
    assert best.better.name == "large" and best.smaller is None
    assert best.change.change.value == pytest.approx(-0.05)
    assert best.change.change.high < 0
