"""Physics of the images: what is drawn must follow from the constants of the chamber."""

from __future__ import annotations

import numpy as np
import pytest

from trigger_ml.tasks.muons import chamber, simulate
from trigger_ml.tasks.muons.images import Images, unpack
from trigger_ml.tasks.muons.recipe import SampleRecipe
from trigger_ml.tasks.muons.store import chunk_seed

WHOLE = {"dead_strips": 0.0, "dead_layers": 0.0}


def drawn(images: int = 4000, **sections: object) -> Images:
    recipe = SampleRecipe.model_validate({"damage": WHOLE, **sections})
    return simulate.simulate(images, recipe, chunk_seed(3, 0))


@pytest.fixture(scope="module")
def single() -> Images:
    """One muon an image, nothing broken, nominal background."""
    return drawn(
        8000, muons={"shares": (0, 1, 0, 0)}, background={"multiples": [1], "weights": [1]}
    )


def centres(images: Images) -> np.ndarray:
    """Middle of the true hits in each layer, (images, 6), NaN without any."""
    channels = unpack(images.truth).any(axis=1)
    count = channels.sum(axis=1)
    strips = np.arange(384)[:, None] + 0.5
    with np.errstate(invalid="ignore"):
        return (channels * strips).sum(axis=1) / count


def test_images_are_well_formed(single: Images) -> None:
    assert single.hits.shape == single.truth.shape == (8000, 8, 384)
    assert not (single.truth & ~single.hits).any()
    assert (np.isfinite(single.pt).sum(axis=1) == single.muons).all()
    assert (single.background == 1).all() and not single.dead_layers.any()


@pytest.mark.parametrize(("low", "high", "median"), [(5, 7, 3.0), (10, 15, 1.5), (50, 100, 0.5)])
def test_bending_over_the_stack(single: Images, low: float, high: float, median: float) -> None:
    centre = centres(single)
    chosen = (single.pt[:, 0] > low) & (single.pt[:, 0] < high)
    shift = np.abs(centre[chosen, 5] - centre[chosen, 0])
    assert np.nanmedian(shift) == pytest.approx(median, abs=0.5)


def test_bending_follows_the_charge(single: Images) -> None:
    centre = centres(single)
    shift = centre[:, 5] - centre[:, 0]
    soft = (single.pt[:, 0] < 8) & np.isfinite(shift)
    assert (np.sign(shift[soft]) == single.charge[soft, 0])[shift[soft] != 0].mean() > 0.95


def test_muons_pass_where_the_labels_say(single: Images) -> None:
    centre = np.nanmean(centres(single), axis=1)
    assert np.nanmedian(np.abs(centre - single.strip[:, 0])) < 0.4
    partition = unpack(single.truth).sum(axis=(2, 3)).argmax(axis=1)
    radius = chamber.LAYER_Z_CM.mean() / np.sinh(single.eta[:, 0])
    assert (np.abs(partition - chamber.partition_at(radius)) <= 1).all()
    assert (partition == chamber.partition_at(radius)).mean() > 0.9


def test_tracks_leave_towards_outer_partitions(single: Images) -> None:
    layers = unpack(single.truth).any(axis=2)
    both = layers[:, :, 0].any(axis=1) & layers[:, :, 5].any(axis=1)
    first, last = layers[both, :, 0].argmax(axis=1), layers[both, :, 5].argmax(axis=1)
    assert set(np.unique(first - last)) == {0, 1}
    assert 0.15 < (first != last).mean() < 0.45, "the stack is a third of a partition deep"


def test_efficiency_of_a_layer(single: Images) -> None:
    inside = np.abs(single.eta[:, 0] - 2.4) < 0.3
    seen = unpack(single.truth[inside]).any(axis=(1, 2))
    expected, error = chamber.EFFICIENCY, np.sqrt(0.96 * 0.04 / inside.sum())
    assert seen.mean(axis=0) == pytest.approx(expected, abs=5 * error)


def test_cluster_sizes(single: Images) -> None:
    inside = np.abs(single.strip[:, 0] - 192) < 170
    strips = unpack(single.truth[inside]).sum(axis=(1, 2)).ravel()
    shares = np.bincount(strips[strips > 0], minlength=10)[1:] / (strips > 0).sum()
    assert shares == pytest.approx(chamber.MUON_WIDTHS, abs=0.012)


@pytest.mark.parametrize("multiple", [2.0, 10.0])
def test_occupancy_follows_the_rate(multiple: float) -> None:
    empty = drawn(
        3000, muons={"shares": (1, 0, 0, 0)}, background={"multiples": [multiple], "weights": [1]}
    )
    strips = unpack(empty.hits).sum(axis=(0, 2, 3)) / len(empty) / chamber.LAYERS
    narrow = chamber.BACKGROUND_WIDTHS @ np.arange(1, 3)
    wide = chamber.NEUTRON_WIDTHS @ np.arange(1, 9)
    twice = chamber.NEUTRON_SHARE * (1 + chamber.NEUTRON_TWO_LAYERS)
    width = ((1 - chamber.NEUTRON_SHARE) * narrow + twice * wide) / (
        1 + chamber.NEUTRON_SHARE * chamber.NEUTRON_TWO_LAYERS
    )
    expected = multiple * chamber.clusters_per_crossing() * width
    # Clusters that overlap, and those that the edges cut, take up to 1 %.
    assert strips.sum() == pytest.approx(expected.sum() * 0.993, rel=0.012)
    assert strips == pytest.approx(expected, rel=0.1)
    assert not empty.truth.any()


def test_multiples_and_muons_have_their_shares() -> None:
    images = drawn(
        4000,
        muons={"shares": (0.1, 0.2, 0.3, 0.4), "close": 0.0},
        background={"multiples": [0, 2], "weights": [1, 3]},
    )
    assert np.bincount(images.muons) / 4000 == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.03)
    assert (images.background == 2).mean() == pytest.approx(0.75, abs=0.03)
    quiet = (images.background == 0) & (images.muons == 0)
    assert quiet.sum() > 50 and not images.hits[quiet].any()


def test_logarithm_of_pt_is_flat(single: Images) -> None:
    shares = np.histogram(np.log(single.pt[:, 0]), bins=4, range=np.log([5, 100]))[0] / 8000
    assert shares == pytest.approx([0.25] * 4, abs=0.02)


def test_close_muons_are_close() -> None:
    images = drawn(1000, muons={"shares": (0, 0, 1, 0), "close": 1.0})
    assert np.abs(images.strip[:, 0] - images.strip[:, 1]).max() <= 24
    assert np.abs(images.eta[:, 0] - images.eta[:, 1]).max() <= 0.1001
    apart = drawn(1000, muons={"shares": (0, 0, 1, 0), "close": 0.0})
    assert np.abs(apart.strip[:, 0] - apart.strip[:, 1]).mean() > 100


def test_dead_layers_are_dark_and_named() -> None:
    images = drawn(2000, damage={"dead_strips": 0.0, "dead_layers": 0.3})
    dead = unpack(images.dead_layers[:, None])[:, 0]
    assert dead.mean() == pytest.approx(0.3, abs=0.02)
    assert not unpack(images.hits).any(axis=(1, 2))[dead == 1].any()


def test_dead_strips_take_their_share() -> None:
    shares = {"muons": {"shares": (0, 1, 0, 0)}}
    whole = drawn(2000, **shares).truth
    half = drawn(2000, **shares, damage={"dead_strips": 0.5, "dead_layers": 0.0}).truth
    # Half of the strips drawn with replacement: exp(-1/2) of them are not hit.
    left = unpack(half).sum() / unpack(whole).sum()
    assert left == pytest.approx(np.exp(-0.5), abs=0.02)


def test_companions_are_no_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chamber, "CROSS_TALK", 1.0)
    monkeypatch.setattr(chamber, "DELTA_RAY", 1.0)
    images = drawn(
        500, muons={"shares": (0, 1, 0, 0)}, background={"multiples": [0], "weights": [1]}
    )
    true, found = unpack(images.truth), unpack(images.hits)
    extra = found & ~true
    assert extra.any(axis=(1, 2, 3)).all()
    reach = np.nonzero(extra.any(axis=(1, 3)))[1]
    centre = np.nanmean(centres(images), axis=1)[np.nonzero(extra.any(axis=(1, 3)))[0]]
    assert np.abs(reach - centre).max() < 8 + 12, "near the track"
