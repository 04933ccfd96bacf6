"""Differences, decisions, and verdicts that fail."""

import numpy as np
import pytest

from trigger_ml.check.closeness import (
    Closeness,
    Decision,
    judge_closeness,
    measure_closeness,
)

WANTED = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, -0.5], [-1.0, 2.0]])
STEPS = np.array([0.25, 0.5])


def measured(change: np.ndarray, decision: Decision = Decision.LARGEST) -> Closeness:
    return measure_closeness(WANTED + change, WANTED, STEPS, decision)


def test_figures_by_hand() -> None:
    change = np.zeros((4, 2))
    change[0] = [0.5, -0.5]
    change[2] = [-1.5, 0.0]
    found = measured(change)
    assert (found.vectors, found.equal, found.largest) == (4, 2, 1.5)
    assert found.rms == pytest.approx(np.sqrt((0.25 + 0.25 + 2.25) / 8))
    assert found.largest_lsb == 6.0
    assert found.rms_lsb == pytest.approx(np.sqrt((4 + 1 + 36) / 8))
    assert found.agree == 3
    assert found.error == pytest.approx(found.rms / WANTED.std())


def test_a_cut_compares_every_output() -> None:
    change = np.zeros((4, 2))
    change[1, 0] = -0.1
    assert measured(change, Decision.CUT).agree == 3
    assert measured(change, Decision.NONE).agree is None


def test_equal_says_equal() -> None:
    outputs, decisions = judge_closeness(
        measured(np.zeros((4, 2))), Decision.LARGEST, agreement=1.0, error=1e-9
    )
    assert outputs.passed
    assert decisions.passed
    assert outputs.message == "equal on 4 of 4 vectors"


def test_limits_are_limits() -> None:
    change = np.zeros((4, 2))
    change[2] = [-1.5, 0.0]
    found = measured(change)
    assert found.error is not None
    for agreement, error, passed in (
        (0.75, found.error, (True, True)),
        (0.76, found.error, (True, False)),
        (0.75, found.error * 0.999, (False, True)),
    ):
        verdicts = judge_closeness(found, Decision.LARGEST, agreement=agreement, error=error)
        assert tuple(verdict.passed for verdict in verdicts) == passed


def test_nothing_measured_fails() -> None:
    empty = measure_closeness(np.zeros((0, 2)), np.zeros((0, 2)), STEPS, Decision.LARGEST)
    verdicts = judge_closeness(empty, Decision.LARGEST, agreement=0.1, error=10.0)
    assert [(v.name, v.passed, v.message) for v in verdicts] == [
        ("csim:outputs", False, "not measured"),
        ("csim:decisions", False, "not measured"),
    ]


def test_a_model_that_says_nothing_cannot_be_followed() -> None:
    """A constant model: any difference is more than all of its spread."""
    flat = np.ones((4, 2))
    found = measure_closeness(flat + 0.25, flat, STEPS, Decision.NONE)
    assert found.error == np.inf
    assert not judge_closeness(found, Decision.NONE, agreement=0.5, error=1e6)[0].passed
