"""The mass-peak check: passes where the physics is right, and says clearly where it is not."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from trigger_ml.tasks.jets.names import CLASSES, FEATURES
from trigger_ml.tasks.jets.sample import JetSample
from trigger_ml.tasks.jets.validate import mass_peaks

GOOD = {"w": 80.0, "z": 91.0, "t": 173.0}


def sample(centre: Mapping[str, float], jets: int = 400) -> JetSample:
    """Peaks over the falling spectrum of jets that lost a prong."""
    random = np.random.default_rng(3)
    features, labels = [], []
    for label, kind in enumerate(CLASSES):
        rows = np.ones((jets, len(FEATURES)), np.float32)
        mass = random.exponential(25.0, jets)
        if kind in centre:
            peaked = random.random(jets) < 0.7
            mass = np.where(peaked, random.normal(centre[kind], 7.0, jets), mass)
        rows[:, FEATURES.index("mass_mmdt")] = mass
        features.append(rows)
        labels.append(np.full(jets, label, np.int8))
    return JetSample(np.concatenate(features), np.concatenate(labels), None, "toy")


def test_right_physics_passes() -> None:
    found = mass_peaks(sample(GOOD))
    assert found.verdict.passed and found.verdict.name == "mass peaks"
    assert [peak.kind for peak in found.peaks] == ["w", "z", "t"]
    for peak in found.peaks:
        assert peak.found_gev == pytest.approx(GOOD[peak.kind], abs=1.5)
        assert 0.5 < peak.share < 0.8


@pytest.mark.parametrize("kind", ["w", "z", "t"])
@pytest.mark.parametrize("shift", [-11.0, 11.0])
def test_shifted_peak_fails(kind: str, shift: float) -> None:
    verdict = mass_peaks(sample({**GOOD, kind: GOOD[kind] + shift})).verdict
    assert not verdict.passed
    assert f"{kind}: " in verdict.message and "GeV away" in verdict.message
    assert verdict.message.count("GeV away") == 1, "only the wrong one is blamed"


def test_swapped_w_and_z_fail() -> None:
    assert not mass_peaks(sample({"w": 91.0, "z": 80.0, "t": 173.0})).verdict.passed


def test_no_peak_fails() -> None:
    found = mass_peaks(sample({"w": 80.0, "t": 173.0}))
    assert not found.verdict.passed and found.peaks[1].problem


def test_washed_out_peak_fails() -> None:
    jets = sample({})
    rows = np.flatnonzero(jets.labels == CLASSES.index("w"))[:80]
    jets.features[rows, FEATURES.index("mass_mmdt")] = 80.0
    verdict = mass_peaks(jets).verdict
    assert not verdict.passed and "of the jets are in the peak, 25% expected" in verdict.message


def test_too_few_jets_fail() -> None:
    verdict = mass_peaks(sample(GOOD, jets=40)).verdict
    assert not verdict.passed and "50 are needed" in verdict.message


def test_absent_class_fails_and_is_not_a_number() -> None:
    jets = sample(GOOD)
    kept = jets.labels != CLASSES.index("t")
    found = mass_peaks(JetSample(jets.features[kept], jets.labels[kept], None, "toy"))
    assert not found.verdict.passed
    assert math.isnan(found.peaks[2].found_gev) and "only 0 jets" in found.peaks[2].problem
