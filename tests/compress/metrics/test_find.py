"""Metrics by name, against values worked out by hand or by scikit-learn."""

from __future__ import annotations

import math
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from trigger_ml.compress.metrics.find import find_metric
from trigger_ml.errors import ConfigError, DataError

CLASSES = ("g", "q", "w", "z", "t")
RNG = np.random.default_rng(11)
LABELS = RNG.integers(0, 5, 800)
SCORES = np.round(RNG.normal(size=(800, 5)) + 1.2 * np.eye(5)[LABELS], 1)
FOLDER = Path(__file__).parent


def test_accuracy_by_hand() -> None:
    scores = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    assert find_metric("accuracy", ())(scores, np.array([0, 1, 1, 1])) == 0.5
    assert find_metric("accuracy", ())(np.array([1.0, -1.0, 0.0]), np.array([1, 1, 0])) == 2 / 3
    assert find_metric("accuracy", ())(np.array([[1.0], [-1.0]]), np.array([[1], [1]])) == 0.5


def test_auc_by_hand() -> None:
    # Signal 3, 1; background 2, 1, 0: of six pairs four are in order and one is a tie.
    scores, labels = np.array([3.0, 1.0, 2.0, 1.0, 0.0]), np.array([1, 1, 0, 0, 0])
    assert find_metric("auc", ())(scores, labels) == pytest.approx(4.5 / 6)
    assert find_metric("auc:0", ())(scores, labels) == pytest.approx(4.5 / 6)
    assert find_metric("auc:signal", ("rest", "signal"))(scores, labels) == pytest.approx(4.5 / 6)


def test_auc_of_many_classes_is_scikit_learns() -> None:
    learn = pytest.importorskip("sklearn.metrics")
    # Without ties: what is equal here, softmax and its rounding may tell apart.
    scores = SCORES + 0.01 * RNG.normal(size=SCORES.shape)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    one = [learn.roc_auc_score(np.equal(LABELS, k), shares[:, k]) for k in range(5)]
    assert find_metric("auc", CLASSES)(scores, LABELS) == pytest.approx(np.mean(one), abs=1e-12)
    for k, name in enumerate(CLASSES):
        assert find_metric(f"auc:{name}", CLASSES)(scores, LABELS) == pytest.approx(one[k])
        assert find_metric(f"auc:{k}", ())(scores, LABELS) == pytest.approx(one[k])


def test_rejection_by_hand() -> None:
    # Ten of signal and forty of background; three of signal lie above all but two of background.
    score = np.concatenate([np.full(3, 9.0), np.full(7, 1.0), np.full(2, 10.0), np.full(38, 0.0)])
    labels = np.repeat([1, 0], [10, 40])
    assert find_metric("rejection@0.3", ())(score, labels) == pytest.approx(20)
    two = np.stack([np.zeros(50), score], axis=1)
    assert find_metric("rejection@0.3:sig", ("bkg", "sig"))(two, labels) == pytest.approx(20)
    assert find_metric("rejection@0.3:1", ())(two, labels) == pytest.approx(20)
    # The other class ranks the other way round: 38 of its 40 are the lowest scores of all.
    assert find_metric("rejection@0.9:0", ())(two, labels) == math.inf
    assert find_metric("rejection@0.3", ())(-score, 1 - labels) == math.inf


def test_rejection_takes_the_last_class_unless_told() -> None:
    last = find_metric("rejection@0.3", CLASSES)(SCORES, LABELS)
    assert last == find_metric("rejection@0.3:t", CLASSES)(SCORES, LABELS)
    assert last != find_metric("rejection@0.3:g", CLASSES)(SCORES, LABELS)


EDGES = np.array([[2.0, -1.0, 0.0, -3.0], [1.0, 1.0, -1.0, -1.0]])
TRUE_EDGES = np.array([[1, 1, 0, 0], [1, 0, 0, 0]])


def test_edges_by_hand() -> None:
    # Accepted at 0.5: logits 2, 0 | 1, 1; of these 2 and the first 1 are true.
    assert find_metric("edge_purity", ())(EDGES, TRUE_EDGES) == 2 / 4
    assert find_metric("edge_efficiency", ())(EDGES, TRUE_EDGES) == 2 / 3
    # sigmoid(2) = 0.88 alone reaches 0.8; sigmoid(1) = 0.731.
    assert find_metric("edge_purity@0.8", ())(EDGES, TRUE_EDGES) == 1
    assert find_metric("edge_efficiency@0.8", ())(EDGES, TRUE_EDGES) == 1 / 3
    assert find_metric("edge_purity@0.99", ())(EDGES, TRUE_EDGES) == 0
    # Images of edges, or one score an event, are the same edges.
    shaped = EDGES.reshape(2, 2, 2, 1), TRUE_EDGES.reshape(2, 2, 2)
    assert find_metric("edge_purity", ())(*shaped) == 2 / 4
    assert find_metric("edge_purity", ())(EDGES.ravel(), TRUE_EDGES.ravel()) == 2 / 4


def test_muons_by_hand() -> None:
    truth = np.zeros((4, 6), dtype=np.int64)
    truth[0, :5] = truth[1, :5] = truth[2, :2] = 1
    scores = np.full((4, 6), -1.0)
    scores[0, :4] = 1  # 4 of 5 hits: found
    scores[1, :3] = 1  # 3 of 5 are not more than 0.6
    scores[1, 5] = 1  # a fake
    scores[2, :2] = 1  # found
    scores[3, 0:2] = 1  # two fakes in an empty image
    assert find_metric("muon_efficiency", ())(scores, truth) == 2 / 3
    fakes = find_metric("muon_fake_rate", ())
    assert fakes(scores, truth) == -3 / 4
    assert fakes.direction == -1
    assert find_metric("muon_efficiency", ()).direction == 1
    silent = fakes(np.full((4, 6), -1.0), truth)
    assert silent == 0
    assert math.copysign(1, silent) == 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("acuracy", "did you mean accuracy?"),
        ("efficiency", "there is no such metric"),
        ("", "there is no such metric"),
        ("auc:T", "there is no class 'T'\n    -> did you mean t?"),
        ("auc:5", "there is no class '5'"),
        ("auc:top", "did you mean t?"),
        ("auc@0.5", "write auc, or auc:CLASS"),
        ("accuracy:t", "write accuracy"),
        ("rejection", "write rejection@0.3"),
        ("rejection@1", "'1' is not a number between 0 and 1"),
        ("rejection@nan", "'nan' is not a number between 0 and 1"),
        ("rejection@:t", "'' is not a number"),
        ("edge_purity@half", "'half' is not a number"),
        ("edge_purity@0.5:t", "write edge_purity, or edge_purity@0.5"),
        ("acc:function", "module acc cannot be imported"),
        ("edge_puritty:x", "did you mean edge_purity?"),
        ("os.path:nope", "os.path has no nope"),
        ("os.path:joins", "did you mean join?"),
        ("os.path:sep", "sep is a str, not a function"),
        ("__import__('os'):x", "there is no such metric"),
        ("os:system('x')", "there is no such metric"),
    ],
)
def test_what_cannot_be_meant_is_told(text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_metric(text, CLASSES)
    assert what in str(caught.value)


def test_a_function_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    before = list(sys.path)
    mine = find_metric("metrics_of_mine:share_right", CLASSES)
    assert sys.path == before
    kept = SCORES.copy()
    assert mine(SCORES, LABELS) == find_metric("accuracy", ())(SCORES, LABELS)
    assert np.array_equal(kept, SCORES), "a function that writes into its arguments spoils nothing"
    assert find_metric("metrics_of_mine:Nested.mean_label", ())(SCORES, LABELS) == LABELS.mean()
    with pytest.raises(ConfigError, match="is a int, not a function"):
        find_metric("metrics_of_mine:NUMBER", ())
    with pytest.raises(ConfigError, match="TypeError"):
        find_metric("metrics_of_mine:nothing", ())(SCORES, LABELS)
    with pytest.raises(ConfigError, match="returned nan"):
        find_metric("metrics_of_mine:not_a_number", ())(SCORES, LABELS)


def test_a_module_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_metric.py").write_text("raise ValueError('not today')")
    (tmp_path / "leaving_metric.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="ValueError: not today"):
        find_metric("broken_metric:f", ())
    with pytest.raises(ConfigError, match="SystemExit"):
        find_metric("leaving_metric:f", ())


@pytest.mark.parametrize(
    ("text", "scores", "labels", "what"),
    [
        ("accuracy", SCORES[:9], LABELS, r"scores of shape \(9, 5\) for labels of shape"),
        ("accuracy", SCORES[:0], LABELS[:0], "one row of each"),
        ("accuracy", np.where(SCORES > 2, np.nan, SCORES), LABELS, "are NaN or infinite"),
        ("accuracy", SCORES, LABELS + 1, "class numbers 1..5, expected 0..4"),
        ("accuracy", SCORES, LABELS + 0.5, "not whole numbers"),
        ("accuracy", EDGES, TRUE_EDGES, "one class number an event"),
        ("auc", SCORES, LABELS * 0, "800 of 800 events are of class 0"),
        ("auc:4", SCORES, LABELS % 4, "0 of 800 events are of class 4"),
        ("edge_purity", SCORES, LABELS, "a label for every score"),
        ("edge_purity", EDGES, 2 * TRUE_EDGES, "a label for every score, 0 or 1"),
        ("edge_efficiency", EDGES, 0 * TRUE_EDGES, "no label is 1"),
        ("muon_efficiency", EDGES, 0 * TRUE_EDGES, "no label is 1"),
    ],
)
def test_events_that_do_not_fit(text: str, scores: object, labels: object, what: str) -> None:
    with pytest.raises(DataError, match=what):
        find_metric(text, ())(scores, labels)


def test_a_class_that_the_scores_do_not_have() -> None:
    for text in ("auc:7", "rejection@0.3:7"):
        with pytest.raises(ConfigError, match=r"class 7 is asked for, the scores have .* 0\.\.4"):
            find_metric(text, ())(SCORES, LABELS)


def test_metrics_travel_to_other_processes() -> None:
    for text in ("accuracy", "auc:t", "rejection@0.3:t", "edge_purity@0.4", "muon_fake_rate"):
        metric = find_metric(text, CLASSES)
        assert metric.name == text
        back = pickle.loads(pickle.dumps(metric))
        assert back == metric
        assert back.direction == metric.direction
