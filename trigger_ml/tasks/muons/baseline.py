"""The field's own way to find muons in this chamber: the pattern finder of the CMS ME0 trigger.

Follows the emulator of the firmware, github.com/cms-sw/cmssw, L1Trigger/L1TGEM: a set of patterns,
each a window of channels in every layer around a centre; at every channel of every partition the
pattern with most layers hit (then most hits, then the straightest) becomes a segment when enough
layers are hit (``ME0StubAlgoPatUnit.cc``, windows from ``ME0StubAlgoMask.cc``). Seven further
finders look at two partitions at a time: the inner one's first layers, both in the middle, the
outer one's last layers, which is how a track crosses (``ME0StubAlgoChamber.cc``). Ghosts go: of
segments near each other in a finder the best stays.

What differs, each time to the good of the finder: CMS counts segments, here the answer is a mask,
the cells whose hits lie in the pattern of a segment. So a window may be widened to hold a whole
cluster, strips need not be joined in pairs, and of one track seen in a partition and across two
both segments stay unless ``cancel_across`` is set, as in CMS: cancelling loses the hits of the
other partition, and with them a fifth of all crossing tracks. CMS cancels ghosts in groups of
eight channels, here within ``ghosts`` channels, which parts close muons better. It keeps four
segments of a chamber, here all stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.check.segmentation import Cells, count_cells
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.tasks.muons.chamber import LAYERS, PARTITIONS, STRIPS
from trigger_ml.tasks.muons.images import Images, Words, unpack

__all__ = [
    "FINDERS",
    "MASK_BATCH",
    "THRESHOLDS",
    "Finder",
    "Threshold",
    "count_found",
    "find_masks",
    "pattern_windows",
]

Bools = NDArray[np.bool_]
Qualities = NDArray[np.uint32]

SLOPES: Final = ((-0.4, 0.4), (0.2, 0.9), (0.9, 1.7), (1.4, 2.3))
"""Least and most slope of a pattern in channels per layer; all but the first have a mirror image
(``ME0StubAlgoMask.h``; wider ones are there, but the emulator drops what they find)."""
CROSSING: Final = ((1,), (1,), (0, 1), (0, 1), (0,), (0,))
"""Partitions that a crossing track may hit in each layer: 0 the outer, 1 the inner of a pair."""
FEWEST_LAYERS: Final = 3
REACH_ACROSS: Final = 4
"""Channels within which segments of different finders cancel each other, as in CMS."""
MASK_BATCH: Final = 64
"""Images worked on at once: few enough that they stay in a processor's cache."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Fewest layers of a segment in one partition, and in one across two: 3 to 6.

    CMS asks for 4 and 5 (``me0Stubs_cfi.py``).
    """

    inside: int = 4
    across: int = 4

    def __post_init__(self) -> None:
        _require(
            ("inside", self.inside, FEWEST_LAYERS, LAYERS),
            ("across", self.across, FEWEST_LAYERS, LAYERS),
        )

    @property
    def name(self) -> str:
        """In a few words, for tables."""
        across = "" if self.across == self.inside else f", {self.across} across"
        return f"{self.inside} of {LAYERS} layers{across}"


@dataclass(frozen=True, slots=True)
class Finder:
    """How the finder is set.

    pitch: strips that are joined to one channel, 1 or 2; CMS joins two.
    slopes: patterns on either side of the straight one, 0 to 3; CMS has 3.
    widen: channels added to both sides of every window.
    ghosts: channels within which one segment of a finder is kept.
    cancel_across: of segments near each other in a partition and across two, keep the one across
        when both partitions have one, else the one in a partition.
    """

    pitch: int = 1
    slopes: int = 1
    widen: int = 1
    ghosts: int = 4
    cancel_across: bool = False

    def __post_init__(self) -> None:
        _require(
            ("pitch", self.pitch, 1, 2),
            ("slopes", self.slopes, 0, len(SLOPES) - 1),
            ("widen", self.widen, 0, 8),
            ("ghosts", self.ghosts, 0, 64),
        )

    @property
    def name(self) -> str:
        """In a few words, for tables."""
        number = 2 * self.slopes + 1
        patterns = "1 pattern" if number == 1 else f"{number} patterns"
        words = [f"{patterns} of {'strips' if self.pitch == 1 else 'strip pairs'}"]
        words += [f"{self.widen} wider"] if self.widen else []
        words += ["cancelling across"] if self.cancel_across else []
        return ", ".join(words)


def _require(*spans: tuple[str, int, int, int]) -> None:
    blockers = [
        Blocker(name, f"must be {low} to {high}, found {value}")
        for name, value, low, high in spans
        if not low <= value <= high
    ]
    if blockers:
        raise ConfigError(blockers)


THRESHOLDS: Final = (
    Threshold(3, 3),
    Threshold(4, 4),
    Threshold(4, 5),
    Threshold(5, 5),
    Threshold(6, 6),
)
FINDERS: Final = (
    Finder(slopes=0),
    Finder(slopes=1),
    Finder(slopes=1, widen=2),
    Finder(slopes=2),
    Finder(pitch=2, slopes=3, widen=0),
    Finder(pitch=2, slopes=3, widen=0, cancel_across=True),
)
"""Settings worth comparing, from narrow patterns to wide ones; the last is CMS's own."""


def pattern_windows(finder: Finder) -> NDArray[np.int64]:
    """First and last channel of every window around the centre, shape (patterns, 6, 2).

    The straight pattern comes last, the steepest first: a later one is preferred.
    """
    slopes = [SLOPES[0]]
    for low, high in SLOPES[1 : finder.slopes + 1]:
        slopes += [(-high, -low), (low, high)]
    depth = np.arange(LAYERS) - (LAYERS - 1) / 2.0
    edges = np.array(slopes[::-1])[:, None, :] * depth[:, None]
    edges[np.abs(edges) < 0.1] = 0.0
    first, last = np.floor(edges.min(axis=-1)), np.ceil(edges.max(axis=-1))
    return np.stack([first - finder.widen, last + finder.widen], axis=-1).astype(np.int64)


def count_found(
    images: Images, finder: Finder, thresholds: Sequence[Threshold | int] = THRESHOLDS
) -> tuple[Cells, ...]:
    """What the finder marks in images, for each threshold."""
    parts: list[list[Cells]] = [[] for _ in thresholds]
    start = 0
    for masks in find_masks(images.hits, finder, thresholds):
        truth = images.truth[start : start + masks.shape[1]]
        start += masks.shape[1]
        for part, mask in zip(parts, masks, strict=True):
            part.append(count_cells(mask, truth))
    return tuple(Cells.joined(part) for part in parts)


def find_masks(
    hits: Words, finder: Finder, thresholds: Sequence[Threshold | int] = (Threshold(),)
) -> Iterator[Bools]:
    """Yield the masks of MASK_BATCH images after the other, (thresholds, images, 8, 384).

    hits: (images, 8, 384) words. thresholds: a number stands for as many layers in one partition
    and across two. One search serves all of them.
    """
    asked = [Threshold(item, item) if isinstance(item, int) else item for item in thresholds]
    windows = pattern_windows(finder)
    for start in range(0, len(hits), MASK_BATCH):
        planes = unpack(hits[start : start + MASK_BATCH]).transpose(3, 0, 1, 2).copy()
        quality = _kept(_search(planes, windows, finder.pitch), finder.ghosts)
        left = (_passing(quality, threshold, finder.cancel_across) for threshold in asked)
        yield np.stack([_mask(planes, found, windows, finder.pitch) for found in left])


def _search(planes: Words, windows: NDArray[np.int64], pitch: int) -> Qualities:
    """Quality of the best pattern at every channel of every finder; (images, 15, channels).

    planes: (6, images, 8, strips). The bits of a quality are, from the top: layers hit, hits,
    pattern, channel. So no two of a finder are equal, and comparing qualities is comparing in
    that order.
    """
    _, images, partitions, strips = planes.shape
    channels = strips // pitch
    joined = planes.reshape(LAYERS, images, partitions, channels, pitch).max(axis=-1)
    reach = int(np.abs(windows).max()) + 1
    sums = [_running(plane, seen, reach) for plane, seen in zip(joined, CROSSING, strict=True)]
    best = np.zeros((images, 2 * partitions - 1, channels), np.uint16)
    for number, pattern in enumerate(windows):
        layer_count, hit_count = np.zeros((2, *best.shape), np.uint8)
        for total, (first, last) in zip(sums, pattern, strict=True):
            upper = total[..., reach + last : reach + last + channels]
            found = upper - total[..., reach + first - 1 : reach + first - 1 + channels]
            layer_count += found != 0
            hit_count += found
        np.minimum(hit_count, 63, out=hit_count)
        here = layer_count.astype(np.uint16) << 9 | hit_count.astype(np.uint16) << 3
        np.maximum(best, here | np.uint16(number), out=best)
    best[best >> 9 < FEWEST_LAYERS] = 0
    return np.where(best, best.astype(np.uint32) << 9 | np.arange(channels, dtype=np.uint32), 0)


def _running(plane: Words, seen: tuple[int, ...], reach: int) -> Words:
    """Hits of a layer up to each channel, for all finders, ``reach`` channels beyond the edges.

    Sums of a byte wrap around and so do their differences: the count in a window is right.
    """
    images, partitions, channels = plane.shape
    data = np.zeros((images, 2 * partitions - 1, channels + 2 * reach), np.uint8)
    data[:, ::2, reach:-reach] = plane
    pair = plane[:, :-1], plane[:, 1:]
    data[:, 1::2, reach:-reach] = np.max([pair[side] for side in seen], axis=0)
    return np.cumsum(data, axis=-1, dtype=np.uint8)


def _kept(quality: Qualities, ghosts: int) -> Qualities:
    """The qualities that no better one is near to, 0 elsewhere."""
    from scipy.ndimage import maximum_filter1d

    best = maximum_filter1d(quality, 2 * ghosts + 1, axis=-1, mode="constant")
    return np.where(best == quality, quality, np.uint32(0))


def _near(alive: Bools) -> Bools:
    from scipy.ndimage import maximum_filter1d

    size = 2 * REACH_ACROSS + 1
    return np.asarray(maximum_filter1d(alive.view(np.uint8), size, mode="constant"), dtype=bool)


def _passing(quality: Qualities, threshold: Threshold, cancel: bool) -> Qualities:
    """The qualities of segments of enough layers, 0 elsewhere."""
    layers = quality >> 18
    alive = np.empty(quality.shape, bool)
    inside, across = alive[:, ::2], alive[:, 1::2]
    inside[:] = layers[:, ::2] >= threshold.inside
    across[:] = layers[:, 1::2] >= threshold.across
    if cancel:
        outer, inner = _near(inside[:, :-1]), _near(inside[:, 1:])
        taken = _near(across & outer & inner)
        across &= ~(outer ^ inner)
        inside[:, :-1] &= ~taken
        inside[:, 1:] &= ~taken
    return np.where(alive, quality, np.uint32(0))


def _mask(planes: Words, quality: Qualities, windows: NDArray[np.int64], pitch: int) -> Bools:
    """Cells with a hit in the pattern of a segment."""
    mask = np.zeros((planes.shape[1], PARTITIONS, STRIPS), bool)
    image, finder, channel = np.nonzero(quality)
    pattern = (quality[image, finder, channel] >> 9 & 7).astype(np.int64)
    partition, crossing = np.divmod(finder, 2)
    first = (channel[:, None] + windows[pattern, :, 0]) * pitch
    last = (channel[:, None] + windows[pattern, :, 1]) * pitch + pitch - 1
    widest = int((last - first).max(initial=0)) + 1
    for layer, seen in enumerate(CROSSING):
        for side in (0, 1):
            here = np.where(crossing == 1, side in seen, side == 0)
            for offset in range(widest):
                strip = first[:, layer] + offset
                inside = here & (strip <= last[:, layer]) & (strip >= 0) & (strip < STRIPS)
                place = image[inside], partition[inside] + side, strip[inside]
                mask[place] |= planes[layer][place].view(bool)
    return mask
