"""Masks of several witnesses: changes on the same images, bins, and what is drawn."""

import json
from itertools import pairwise

import numpy as np
import pytest

from trigger_ml.artifacts import MaskLabels
from trigger_ml.check.masks import MaskComparison, _paired_shares, compare_masks, show_image
from trigger_ml.errors import DataError

IMAGES = 60


def truth() -> np.ndarray:
    """Images of 4 x 10: two neighbouring true cells in all but the last ten."""
    true = np.zeros((IMAGES, 4, 10), bool)
    true[:50, 1, 3:5] = True
    return true


def compared(**labels: object) -> MaskComparison:
    """The float model finds all; the quantized one and the firmware miss 5 and mark a fake."""
    true = truth()
    worse = true.copy()
    worse[:5, 1, 3] = False
    worse[55:57, 0, 0] = True
    masks = {"float": true.copy(), "quantized": worse, "firmware": worse.copy()}
    return compare_masks(masks, MaskLabels(true, **labels), threshold=0.25)  # type: ignore[arg-type]


def test_figures_of_every_witness() -> None:
    found = compared()
    assert [row.witness for row in found.witnesses] == ["float", "quantized", "firmware"]
    good, bad, same = (row.figures for row in found.witnesses)
    assert (good.efficiency.passed, good.efficiency.total) == (50, 50)
    assert (bad.efficiency.passed, bad.efficiency.total) == (45, 50)
    assert bad == same
    assert (bad.empty, bad.empty_firing.passed) == (10, 2)
    assert bad.fakes.value == pytest.approx(2 / IMAGES)
    assert (found.empty_by, found.float_threshold) == ("truth", 0.25)


def test_muons_tell_empty_images() -> None:
    muons = np.ones(IMAGES, np.int64)
    muons[58:] = 0
    found = compared(muons=muons)
    assert (found.empty_by, found.witnesses[0].figures.empty) == ("muons", 2)


def test_changes_are_paired() -> None:
    found = compared()
    flips = found.flipped("quantized", "firmware")
    assert flips is not None
    assert (flips.cells, flips.images) == (0, 0)
    flips = found.flipped("float", "firmware")
    assert flips is not None
    assert (flips.cells, flips.images) == (7, 7)
    changes = {(c.metric, c.left, c.right): c for c in found.changes}
    change = changes["efficiency", "float", "firmware"]
    assert change.value == pytest.approx(-0.1)
    # Bonett and Price: (0 + 1 - (5 + 1)) / 52, and 1.96 times the root of its variance.
    half = 1.959964 * np.sqrt((7 / 52 - (5 / 52) ** 2) / 52)
    assert (change.low, change.high) == pytest.approx((-5 / 52 - half, -5 / 52 + half), abs=1e-6)
    same = changes["efficiency", "quantized", "firmware"]
    assert (same.value, same.low + same.high) == (0, pytest.approx(0))
    fakes = changes["fakes", "float", "firmware"]
    spread = np.std([1.0] * 2 + [0.0] * 58, ddof=1) / np.sqrt(IMAGES)
    assert fakes.value == pytest.approx(2 / IMAGES)
    assert fakes.high == pytest.approx(2 / IMAGES + 1.959964 * spread)


def test_the_interval_covers() -> None:
    rng = np.random.default_rng(5)
    found = [_paired_shares(rng.random(80) < 0.9, rng.random(80) < 0.8) for _ in range(2000)]
    covered = sum(low <= -0.1 <= high for _, low, high in found) / len(found)
    assert 0.94 <= covered <= 0.97


def test_bins_hold_every_image_with_one_muon() -> None:
    pt = np.full((IMAGES, 2), np.nan)
    pt[:40, 0] = np.linspace(5.5, 55, 40)
    pt[40:50] = 20.0  # Two muons: no momentum of the image.
    background = np.where(np.arange(IMAGES) < 25, 1.0, 10.0)
    found = compared(pt=pt, eta=pt / 20, background=background)
    bins = found.witnesses[-1].bins
    assert set(bins) == {"pt", "eta", "background"}
    for name in ("pt", "eta"):
        assert sum(item.efficiency.total for item in bins[name]) == 40
        assert all(a.high == b.low for a, b in pairwise(bins[name]))
    assert (bins["pt"][0].low, bins["pt"][-1].high) == (5, 100)
    assert bins["eta"][0].low <= 5.5 / 20 and bins["eta"][-1].high > 55 / 20
    assert len(bins["eta"]) <= 10
    values = [(b.low, b.high, b.efficiency.passed, b.efficiency.total) for b in bins["background"]]
    assert values == [(1, 1, 20, 25), (10, 10, 25, 25)]
    many = compared(background=np.arange(IMAGES, dtype=float)).witnesses[0].bins["background"]
    assert sum(item.efficiency.total for item in many) == 50
    assert len(many) <= 10


def test_unknown_quantities_have_no_bins() -> None:
    nothing = np.full((IMAGES, 1), np.nan)
    assert compared(pt=nothing, eta=nothing).witnesses[0].bins == {}
    assert compared().witnesses[0].bins == {}


def test_json_and_lock() -> None:
    found = compared(background=np.ones(IMAGES))
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert data["kind"] == "mask"
    assert data["witnesses"][2]["bins"]["background"][0]["efficiency"]["total"] == 50
    figures = found.lock_figures()
    assert len(figures) == 12
    assert figures["efficiency firmware"] == 0.9
    assert figures["empty_firing quantized"] == 0.2
    full = compare_masks({"firmware": truth()[:50]}, MaskLabels(truth()[:50]), threshold=0.0)
    assert set(full.lock_figures()) == {
        "efficiency firmware", "fakes firmware", "fake_share firmware",
    }  # fmt: skip


def test_what_cannot_be_compared() -> None:
    with pytest.raises(DataError, match=r"must have the shape \(60, 4, 10\), found b \(60, 40\)"):
        compare_masks({"b": truth().reshape(60, 40)}, MaskLabels(truth()), threshold=0.0)
    with pytest.raises(DataError, match="found none"):
        compare_masks({}, MaskLabels(truth()), threshold=0.0)
    nothing = np.zeros((3, 2, 2), bool)
    with pytest.raises(DataError, match="no image has a true cell"):
        compare_masks({"a": nothing}, MaskLabels(nothing), threshold=0.0)


def test_an_image_to_draw() -> None:
    channels = np.zeros((4, 10, 3), np.int64)
    channels[1, 3, 2] = channels[0, 0, 0] = 1
    found = show_image(7, channels, truth()[0], truth()[0])
    assert found is not None
    assert (found.number, found.shape, found.hits) == (7, (4, 10, 3), (0, 41))
    assert found.true == found.marked == (13, 14)
    assert show_image(7, np.ones_like(channels), truth()[0], truth()[0]) is None
    assert show_image(7, channels[:, :5], truth()[0], truth()[0]) is None
