"""``trigger-ml explore`` with real trainings: a frontier, and going on where it stopped."""

from pathlib import Path

import numpy as np
import pytest

from tests.flow.test_compress import FLOAT, events
from tests.test_cli import run
from trigger_ml.compress.front.pareto import front_from_json
from trigger_ml.frontends.client import reader_name

__all__ = ["events"]

SEARCH = """
space: {hidden_1: {low: 3, high: 6}, learning_rate: {low: 5.0e-3, high: 2.0e-2, log: true}}
first: {hidden_1: 5}
recipe:
  goal: {tolerance: 0.2}
  steps: [{step: hgq, epochs: 4, warm_epochs: 1, points: 2, polish_epochs: 1, batch: 512}]
"""


def test_a_search_goes_on_where_it_stopped(tmp_path: Path, events: Path) -> None:
    search = tmp_path / "search.yaml"
    search.write_text(SEARCH)
    asked = ("explore", FLOAT, "--data", events, "--search", search, "-o", "found")
    code, _, err = run(*asked, "--trials", 1, "--scheduler", "in-process", cwd=tmp_path)
    assert code == 0, err
    folder = tmp_path / "found"
    first = (folder / "trials" / "0" / "result.json").read_bytes()
    code, out, err = run(*asked, "--trials", 2, "--scheduler", "in-process", cwd=tmp_path)
    assert code == 0, err
    assert "2 trials" in out
    assert (folder / "trials" / "0" / "result.json").read_bytes() == first
    _, points = front_from_json((folder / "front.json").read_text())
    assert {point.trial for point in points} <= {0, 1}
    for point in points:
        assert reader_name(folder / point.model).startswith("HGQ2")
        assert point.change_low <= point.metric - point.reference <= point.change_high
    search.write_text(SEARCH.replace("epochs: 4", "epochs: 5"))
    code, _, err = run(*asked, "--trials", 3, "--scheduler", "in-process", cwd=tmp_path)
    assert code == 2
    assert "recipe" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("space: {hiden_1: 3}", "hiden_1"),
        ("spaces: {}", "did you mean space"),
        ("recipe: {steps: [{step: post_training}]}", "a search trains with HGQ2"),
        ("space: {learning_rate: {low: 1, high: 0.1}}", "learning_rate"),
    ],
)
def test_what_is_no_search(tmp_path: Path, events: Path, text: str, message: str) -> None:
    search = tmp_path / "search.yaml"
    search.write_text(text)
    code, _, err = run(
        *("explore", FLOAT, "--data", events, "--search", search, "-o", "found"), cwd=tmp_path
    )
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_labels_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "events.npz"
    np.savez(path, x=np.zeros((100, 5), np.float32), y=np.full(100, 7))
    code, _, err = run("explore", FLOAT, "--data", path, cwd=tmp_path)
    assert code == 2
    assert "class numbers 7..7" in err
