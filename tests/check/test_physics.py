"""Physics figures against scikit-learn, hand-made cases and repeated samples."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from trigger_ml.check.physics import Estimate, compare, measure
from trigger_ml.check.roc import decisions, discriminants
from trigger_ml.errors import DataError

CLASSES = ("g", "q", "W", "Z", "t")


def sample(events: int, seed: int = 0, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian logits on a grid of 1/4 (many ties) with the right class lifted."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, events)
    logits = generator.normal(size=(events, classes)) * 1.2
    logits[np.arange(events), labels] += 2
    return np.round(logits * 4) / 4, labels


def test_accuracy_and_auc_equal_those_of_scikit_learn() -> None:
    logits, labels = sample(4000)
    found = measure(logits, labels, CLASSES)
    scores = discriminants(logits)
    assert found.accuracy.value == (logits.argmax(axis=1) == labels).mean()
    for index, item in enumerate(found.classes):
        assert item.auc is not None
        truth = labels == index
        assert item.auc.value == pytest.approx(roc_auc_score(truth, scores[:, index]), abs=1e-12)
        assert (item.signal, item.background) == (truth.sum(), (~truth).sum())
        assert item.auc.low < item.auc.value < item.auc.high


def test_discriminants_rank_as_softmax_does() -> None:
    logits, _ = sample(500)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(discriminants(logits), np.log(softmax / (1 - softmax)))
    assert np.allclose(discriminants(np.log(softmax)), discriminants(logits))


def test_discriminants_keep_ties_whatever_the_order_of_the_other_logits() -> None:
    scores = discriminants(np.array([[1.0, 0.3, 0.1, 0.7], [1.0, 0.7, 0.3, 0.1]]))
    assert scores[0, 0] == scores[1, 0]


def test_rejection_by_hand() -> None:
    # Falling scores: s b s s b s. Half of the signal is reached after one background of two.
    logits = np.array([6.0, 5, 4, 3, 2, 1])
    labels = np.array([1, 0, 1, 1, 0, 1])
    found = measure(logits, labels, ("noise", "muon"))
    assert [item.name for item in found.classes] == ["muon"]
    assert found.classes[0].rejection is not None
    assert found.classes[0].rejection.value == 2.0


def test_rejection_shares_a_tie_between_signal_and_background() -> None:
    # All ten scores are equal: at half of the signal, half of the background is in.
    found = measure(np.zeros(10), np.array([0, 1] * 5))
    assert found.classes[0].rejection is not None
    assert found.classes[0].rejection.value == 2.0
    assert found.classes[0].auc is not None
    assert found.classes[0].auc.value == 0.5


def test_rejection_without_background_left_is_a_lower_limit() -> None:
    labels = np.array([0] * 300 + [1] * 50)
    found = measure(labels * 2.0 - 1, labels)
    rejection = found.classes[0].rejection
    assert rejection is not None
    assert rejection == Estimate(math.inf, 100.0, math.inf)
    assert rejection.to_json() == {"value": None, "low": 100.0, "high": None}
    assert found.accuracy.value == 1.0
    assert found.accuracy.low < 1.0


def test_binary_from_one_logit_equals_binary_from_two() -> None:
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 2, 2000)
    one = generator.normal(size=2000) + labels
    two = np.stack([np.zeros(2000), one], axis=1)
    left, right = measure(one[:, None], labels), measure(two, labels)
    assert left.accuracy == right.accuracy
    assert left.classes == right.classes[1:]
    assert (decisions(one) == decisions(two)).all()


def test_interval_covers_the_truth() -> None:
    # The AUC of two unit Gaussians one sigma apart is Phi(1 / sqrt 2).
    truth = 0.5 * (1 + math.erf(0.5))
    hits = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        labels = generator.integers(0, 2, 400)
        auc = measure(generator.normal(size=400) + labels, labels, seed=seed).classes[0].auc
        assert auc is not None
        hits += auc.low <= truth <= auc.high
    assert hits >= 33


def test_same_seed_same_result_and_other_seed_other_interval() -> None:
    logits, labels = sample(500)
    first, again = measure(logits, labels, seed=5), measure(logits, labels, seed=5)
    other = measure(logits, labels, seed=6)
    assert first == again
    assert first.classes[0].auc != other.classes[0].auc
    assert first.accuracy == other.accuracy


def test_compare_counts_flips_and_pairs_the_changes() -> None:
    logits, labels = sample(3000)
    firmware = logits.copy()
    firmware[:30] = -firmware[:30]
    flipped = int((logits.argmax(axis=1) != firmware.argmax(axis=1)).sum())
    found = compare(logits, logits, firmware, labels, CLASSES)
    flips = {(item.left, item.right): item.count for item in found.flips}
    assert flips == {
        ("float", "quantized"): 0,
        ("float", "firmware"): flipped,
        ("quantized", "firmware"): flipped,
    }
    change = next(c for c in found.changes if (c.metric, c.left) == ("accuracy", "float"))
    assert change.right == "quantized"
    assert change.difference == Estimate(0.0, 0.0, 0.0)
    change = next(
        c for c in found.changes if (c.metric, c.left, c.right) == ("accuracy", "float", "firmware")
    )
    before, after = found.witnesses[0].accuracy, found.witnesses[2].accuracy
    assert change.difference.value == pytest.approx(after.value - before.value)
    width = change.difference.high - change.difference.low
    assert 0 < width < (before.high - before.low) / 2


def test_compare_without_a_float_model() -> None:
    logits, labels = sample(200)
    found = compare(None, logits, logits, labels)
    assert [item.witness for item in found.witnesses] == ["quantized", "firmware"]
    assert [(item.left, item.right) for item in found.flips] == [("quantized", "firmware")]


def test_roc_points_rise_from_nothing_to_everything() -> None:
    logits, labels = sample(3000)
    found = compare(None, None, logits, labels, CLASSES)
    assert [curve.class_name for curve in found.curves] == list(CLASSES)
    for curve in found.curves:
        assert curve.signal_efficiency[0] == 0
        assert curve.signal_efficiency[-1] == 1
        assert (np.diff(curve.background_efficiency) >= 0).all()
        assert curve.background_efficiency[-1] <= 1
    rejection = found.witnesses[0].classes[0].rejection
    assert rejection is not None
    middle = found.curves[0].background_efficiency[50]
    assert 1 / middle == pytest.approx(rejection.value, rel=1e-6)


def test_a_class_that_the_sample_lacks_has_no_figures() -> None:
    logits, labels = sample(300)
    found = compare(None, None, logits[labels != 3], labels[labels != 3], CLASSES)
    missing = found.witnesses[0].classes[3]
    assert (missing.signal, missing.auc, missing.rejection) == (0, None, None)
    assert len(found.curves) == 4
    assert not any(change.metric == "auc:Z" for change in found.changes)


def test_json_holds_no_number_that_json_lacks() -> None:
    labels = np.array([0] * 300 + [1] * 50)
    text = json.dumps(compare(None, None, labels * 1.0, labels).to_json(), allow_nan=False)
    assert json.loads(text)["witnesses"][0]["classes"][0]["rejection"]["value"] is None


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros((0, 5)), np.zeros(0), r"labels: must be one number an event, found .*\(0,\)"),
        (np.zeros((3, 5)), np.zeros(4), r"have shape \(3, 5\), the labels ask for \(4, 5\)"),
        (np.zeros((2, 5)), np.array([0, 5]), "run over 0 to 5, the scores have 5 columns"),
        (np.zeros((2, 5)), np.array([0, -1]), "run over -1 to 0"),
        (np.zeros((2, 5)), np.array([0, 0.5]), "must be whole numbers"),
        (np.zeros((2, 5)), np.zeros((2, 5)), "must be one number an event"),
        (np.full((2, 5), np.nan), np.zeros(2), "hold values that are not finite"),
        (np.zeros((2, 5, 1)), np.zeros(2), r"have shape \(2, 5, 1\)"),
    ],
)
def test_unusable_events_are_refused(logits: np.ndarray, labels: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        measure(logits, labels)


def test_wrong_settings_are_refused() -> None:
    logits, labels = sample(50)
    with pytest.raises(DataError, match="class_names: must be 5 names, found 2"):
        measure(logits, labels, ("a", "b"))
    with pytest.raises(DataError, match="working_point: must be between 0 and 1, is 1"):
        measure(logits, labels, working_point=1.0)
    with pytest.raises(DataError, match="resamples: must be 20 or more, is 1"):
        measure(logits, labels, resamples=1)


def test_a_hundred_thousand_events_take_seconds() -> None:
    logits, labels = sample(100_000)
    start = time.process_time()
    measure(logits, labels, CLASSES)
    assert time.process_time() - start < 10
