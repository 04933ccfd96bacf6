"""Figures of masks on masks made by hand."""

import json

import numpy as np
import pytest
from scipy.stats import beta

from trigger_ml.check.segmentation import (
    Cells,
    Mean,
    Share,
    binned,
    count_cells,
    judge,
    largest_group,
)
from trigger_ml.errors import DataError


def drawn(*rows: str) -> np.ndarray:
    """An image out of text: what is no dot is set."""
    return np.array([[sign != "." for sign in row] for row in rows])


def test_cells_are_counted() -> None:
    truth = np.stack([drawn("xx..", "x..."), drawn("....", "....")])
    mask = np.stack([drawn("x..x", "x..."), drawn("...x", "....")])
    cells = count_cells(mask, truth)
    assert cells.true.tolist() == [3, 0]
    assert cells.marked.tolist() == [3, 1]
    assert cells.found.tolist() == [2, 0]
    assert cells.fake.tolist() == [1, 1]
    assert cells.matched.tolist() == [True, False]
    words = count_cells(mask * 3.5, truth.astype(np.uint8) * 32)
    assert words.found.tolist() == [2, 0]


@pytest.mark.parametrize(("found", "matched"), [(3, False), (4, True)])
def test_more_than_three_fifths(found: int, matched: bool) -> None:
    cells = Cells(*(np.array([number]) for number in (5, found, found, found)))
    assert cells.matched.tolist() == [matched]


def test_groups_touch_by_edge_or_corner() -> None:
    masks = np.stack(
        [
            drawn("....", "....", "...."),
            drawn("x.x.", "....", "x.x."),
            drawn("xx..", "..x.", "...x"),
            drawn("x...", "x.xx", "..x."),
        ]
    )
    assert largest_group(masks).tolist() == [0, 1, 4, 3]
    assert largest_group(np.stack([drawn("x"), drawn("x")])).tolist() == [1, 1], "not over images"


def test_interval_of_a_share_is_exact() -> None:
    share = Share.of(np.array([True] * 3 + [False] * 7))
    assert (share.passed, share.total, share.value) == (3, 10, 0.3)
    assert share.low == pytest.approx(beta.ppf(0.025, 3, 8))
    assert share.high == pytest.approx(beta.ppf(0.975, 4, 7))
    assert Share.counted(0, 100).low == 0 and Share.counted(100, 100).high == 1
    assert Share.counted(0, 0) == Share(0, 0, None, None, None), "nothing counted is no zero"


def test_interval_of_a_mean_covers() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        fakes = rng.poisson(0.5, 300) * rng.integers(0, 4, 300)
        found = Mean.of(fakes)
        assert found.low is not None and found.high is not None
        covered += found.low <= 0.75 <= found.high
    assert 0.92 < covered / 400 < 0.98


def test_interval_of_a_ratio_covers() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(400):
        marked = rng.poisson(4, 300)
        fakes = rng.binomial(marked, 0.2)
        found = Mean.of(fakes, marked)
        assert found.low is not None and found.high is not None
        covered += found.low <= 0.2 <= found.high
    assert 0.92 < covered / 400 < 0.98
    assert Mean.of(np.zeros(3), np.zeros(3)).value is None


def test_figures_of_a_mask() -> None:
    # Two muons found, one missed, one empty image quiet, one with a lone cell, one with a pair.
    cells = Cells(
        true=np.array([4, 4, 4, 0, 0, 0]),
        marked=np.array([5, 3, 1, 0, 1, 2]),
        found=np.array([4, 3, 1, 0, 0, 0]),
        group=np.array([5, 1, 1, 0, 1, 2]),
    )
    found = judge(cells, np.array([1, 2, 1, 0, 0, 0]))
    assert (found.images, found.empty, found.group) == (6, 3, 2)
    assert (found.efficiency.passed, found.efficiency.total) == (2, 3)
    assert found.fakes.value == pytest.approx(4 / 6)
    assert found.fake_share.value == pytest.approx(4 / 12)
    assert (found.empty_firing.passed, found.empty_firing.total) == (2, 3)
    assert (found.group_efficiency.passed, found.group_efficiency.total) == (1, 3)
    assert (found.group_empty_firing.passed, found.group_empty_firing.total) == (1, 3)
    plain = json.loads(json.dumps(found.to_json()))
    assert plain["efficiency"]["value"] == pytest.approx(2 / 3)


def test_muons_that_left_no_cell_are_neither_missed_nor_empty() -> None:
    cells = Cells(*(np.array(column) for column in ([3, 0], [3, 1], [3, 0], [3, 1])))
    found = judge(cells, np.array([1, 1]))
    assert found.efficiency.total == 1 and found.empty == 0
    assert found.empty_firing.value is None


def test_bins() -> None:
    cells = Cells(*(np.array(column) for column in ([4] * 4, [4, 4, 0, 4], [4, 4, 0, 4], [1] * 4)))
    bins = binned(cells, np.array([5.0, 10.0, 10.0, np.nan]), (5, 10, 20, 40))
    assert [(item.low, item.high) for item in bins] == [(5, 10), (10, 20), (20, 40)]
    assert [item.efficiency.passed for item in bins] == [1, 1, 0]
    assert [item.efficiency.total for item in bins] == [1, 2, 0]
    assert bins[2].efficiency.value is None
    with pytest.raises(DataError, match="must rise"):
        binned(cells, np.zeros(4), (5, 5))


def test_parts_are_joined() -> None:
    rng = np.random.default_rng(3)
    mask, truth = rng.random((2, 7, 4, 5)) > 0.6
    whole = count_cells(mask, truth)
    joined = Cells.joined([count_cells(mask[:3], truth[:3]), count_cells(mask[3:], truth[3:])])
    for name in ("true", "marked", "found", "group"):
        assert np.array_equal(getattr(whole, name), getattr(joined, name))
    assert len(whole[np.array([True, False] * 3 + [True])]) == 4


def test_what_cannot_be_judged() -> None:
    with pytest.raises(DataError, match=r"has the shape \(1, 2, 3\), the truth \(1, 2, 4\)"):
        count_cells(np.zeros((1, 2, 3)), np.zeros((1, 2, 4)))
    with pytest.raises(DataError):
        count_cells(np.zeros((0, 2, 3)), np.zeros((0, 2, 3)))
    with pytest.raises(DataError, match="are of 2 images, the cells of 1"):
        judge(count_cells(np.zeros((1, 2, 3)), np.zeros((1, 2, 3))), np.zeros(2))
