"""The pattern finder on images made by hand, and against a slow one that follows the text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trigger_ml.errors import ConfigError
from trigger_ml.tasks.muons.baseline import (
    FINDERS,
    MASK_BATCH,
    THRESHOLDS,
    Finder,
    Threshold,
    count_found,
    find_masks,
    pattern_windows,
)
from trigger_ml.tasks.muons.images import pack, unpack
from trigger_ml.tasks.muons.recipe import SampleRecipe
from trigger_ml.tasks.muons.simulate import simulate
from trigger_ml.tasks.muons.store import chunk_seed

NARROW = Finder(slopes=2, widen=0)


def image(*hits: tuple[int, int, int]) -> np.ndarray:
    """One image with hits at (partition, strip, layer)."""
    channels = np.zeros((1, 8, 384, 6), np.uint8)
    for place in hits:
        channels[(0, *place)] = 1
    return pack(channels)


def marked(hits: np.ndarray, finder: Finder = NARROW, *thresholds: Threshold | int) -> list:
    masks = next(find_masks(hits, finder, thresholds or (4,)))
    found = [[tuple(map(int, place)) for place in np.argwhere(mask[0])] for mask in masks]
    return found if len(found) > 1 else found[0]


def test_windows_are_those_of_the_emulator() -> None:
    # Straight: 0.4 strips a layer, layers 2.5, 1.5 and 0.5 away from the middle, rounded outwards.
    assert pattern_windows(Finder(slopes=0, widen=0)).tolist() == [[[-1, 1]] * 6]
    windows = pattern_windows(Finder(slopes=1, widen=0)).tolist()
    rising = [[-3, 0], [-2, 0], [-1, 0], [0, 1], [0, 2], [0, 3]]
    assert windows == [rising, rising[::-1], [[-1, 1]] * 6]
    wide = pattern_windows(Finder(slopes=1, widen=2))
    assert (wide[..., 0] == np.array(windows)[..., 0] - 2).all()
    assert (wide[..., 1] == np.array(windows)[..., 1] + 2).all()
    assert len(pattern_windows(Finder(slopes=3))) == 7


def test_a_straight_track_is_marked() -> None:
    track = image(*((3, 100, layer) for layer in range(6)))
    assert marked(track) == [(3, 100)]
    assert marked(track, NARROW, 6) == [(3, 100)]


@pytest.mark.parametrize("direction", [1, -1])
def test_a_bent_track_is_marked_whole(direction: int) -> None:
    strips = [200 + direction * shift for shift in (0, 1, 2, 4, 5, 6)]
    track = image(*((0, strip, layer) for layer, strip in enumerate(strips)))
    assert marked(track, NARROW, 6) == [(0, strip) for strip in sorted(strips)]
    assert marked(track, Finder(slopes=0, widen=0), 6) == []


def test_layers_decide() -> None:
    for layers in (3, 4, 5):
        track = image(*((3, 100, layer) for layer in range(layers)))
        found = marked(track, NARROW, 3, 4, 5, 6)
        assert [bool(mask) for mask in found] == [layers >= least for least in (3, 4, 5, 6)]


def test_nothing_is_marked_without_hits_or_far_from_a_track() -> None:
    assert marked(image()) == []
    far = image(*((3, 100, layer) for layer in range(6)), (3, 300, 2), (4, 100, 5))
    assert marked(far) == [(3, 100)]


def test_edges_of_the_chamber() -> None:
    for strip in (0, 383):
        for partition in (0, 7):
            track = image(*((partition, strip, layer) for layer in range(6)))
            assert marked(track) == [(partition, strip)]
    split = image(*((3, 0, layer) for layer in (0, 1, 2)), *((3, 383, n) for n in (3, 4, 5)))
    assert marked(split) == [], "the strips do not close to a ring"


def test_a_track_that_crosses_partitions() -> None:
    # It moves outwards, from partition 4 to 3.
    track = image(*((4, 50, layer) for layer in (0, 1, 2)), *((3, 50, n) for n in (3, 4, 5)))
    assert marked(track, NARROW, 6) == [(3, 50), (4, 50)]
    inwards = image(*((3, 50, layer) for layer in (0, 1, 2)), *((4, 50, n) for n in (3, 4, 5)))
    assert marked(inwards, NARROW, 4) == []
    assert marked(track, NARROW, Threshold(6, 4)) == [(3, 50), (4, 50)]
    early = image((4, 50, 0), *((3, 50, layer) for layer in range(1, 6)))
    assert marked(early, NARROW, Threshold(4, 5)) == [(3, 50), (4, 50)]
    assert marked(early, NARROW, Threshold(4, 6)) == [(3, 50)]


def test_cancelling_across_partitions() -> None:
    cancels = Finder(slopes=2, widen=0, cancel_across=True)
    one = image((4, 50, 0), *((3, 50, layer) for layer in range(1, 6)))
    assert marked(one, NARROW) == [(3, 50), (4, 50)]
    assert marked(one, cancels) == [(3, 50)], "one partition explains it"
    both = image(*((p, 50, layer) for p in (3, 4) for layer in (0, 1, 2, 3, 4, 5)))
    assert marked(both, cancels) == [(3, 50), (4, 50)]


def test_the_best_of_near_segments_stays() -> None:
    good = [(3, 100, layer) for layer in range(6)]
    poor = [(3, 103, layer) for layer in range(4)]
    straight = Finder(slopes=0, widen=0)
    inside = Threshold(4, 6)
    assert marked(image(*good, *poor), straight, inside) == [(3, 100)]
    less = replace(straight, ghosts=1)
    assert marked(image(*good, *poor), less, inside) == [(3, 100), (3, 103)]
    assert marked(image(*good, *[(3, 110, layer) for layer in range(4)])) == [(3, 100), (3, 110)]


def test_pairs_of_strips() -> None:
    pads = Finder(pitch=2, slopes=0, widen=0)
    track = image(*((3, strip, layer) for layer, strip in enumerate((100, 103, 101, 100, 98, 101))))
    assert marked(track, pads, 6) == [(3, strip) for strip in (98, 100, 101, 103)]


def naive(words: np.ndarray, layers: int) -> np.ndarray:
    """The straight finder of one partition at a time, loop by loop, no ghosts cancelled."""
    channels = unpack(words).astype(bool)
    mask = np.zeros(words.shape, bool)
    for partition in range(8):
        for centre in range(384):
            span = slice(max(centre - 2, 0), centre + 3)
            window = channels[partition, span]
            if window.any(axis=0).sum() >= layers:
                mask[partition, span] |= window.any(axis=1)
    return mask


def test_against_loops() -> None:
    recipe = SampleRecipe.model_validate({"background": {"multiples": [30], "weights": [1]}})
    images = simulate(6, recipe, chunk_seed(2, 0))
    finder = Finder(slopes=0, widen=1, ghosts=0)
    masks = next(find_masks(images.hits, finder, [Threshold(4, 6)]))[0]
    crossing = next(find_masks(images.hits, finder, [Threshold(6, 6)]))[0]
    for found, also, words in zip(masks, crossing, images.hits, strict=True):
        expected = naive(words, 4)
        assert expected.any()
        assert (found & ~also == expected & ~also).all()
        assert (expected & ~found).sum() == 0


def test_batches_and_thresholds_hang_together() -> None:
    images = simulate(MASK_BATCH + 9, SampleRecipe(), chunk_seed(4, 0))
    finder = Finder()
    masks = list(find_masks(images.hits, finder, (3, 4, 6)))
    assert [mask.shape for mask in masks] == [(3, MASK_BATCH, 8, 384), (3, 9, 8, 384)]
    alone = next(find_masks(images.hits[MASK_BATCH:], finder, (4,)))
    assert np.array_equal(masks[1][1], alone[0])
    counted = count_found(images, finder, (3, 4, 6))
    assert [len(cells) for cells in counted] == [MASK_BATCH + 9] * 3
    whole = np.concatenate(masks, axis=1)
    for mask, cells in zip(whole, counted, strict=True):
        assert np.array_equal(cells.found, (mask & (images.truth > 0)).sum(axis=(1, 2)))
    assert (counted[0].marked >= counted[1].marked).all()
    assert not (whole & (images.hits == 0)).any(), "only hits are marked"


def test_it_finds_muons() -> None:
    recipe = SampleRecipe.model_validate(
        {
            "muons": {"shares": (0, 1, 0, 0), "pt_min_gev": 10},
            "background": {"multiples": [1], "weights": [1]},
            "damage": {"dead_layers": 0, "dead_strips": 0},
        }
    )
    images = simulate(300, recipe, chunk_seed(5, 0))
    assert count_found(images, Finder(), (4,))[0].matched.mean() > 0.97


def test_names_tell_the_settings_apart() -> None:
    assert len({finder.name for finder in FINDERS}) == len(FINDERS)
    assert len({threshold.name for threshold in THRESHOLDS}) == len(THRESHOLDS)
    assert Finder().name == "3 patterns of strips, 1 wider"
    assert Threshold(4, 5).name == "4 of 6 layers, 5 across"


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ConfigError) as caught:
        Finder(pitch=3, slopes=4, widen=-1)
    assert [blocker.where for blocker in caught.value.blockers] == ["pitch", "slopes", "widen"]
    with pytest.raises(ConfigError, match="inside: must be 3 to 6, found 2"):
        next(find_masks(image(), NARROW, (Threshold(2, 7),)))
