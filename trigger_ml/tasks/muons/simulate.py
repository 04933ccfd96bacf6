"""Chamber images, drawn at random: muons, what they knock loose, background, and damage.

A hit of a muon is *true* where the muon's own cluster fired a working strip. Electrons that it
knocks out and cross-talk to a neighbouring partition are not: they lie where no muon passed, and
a fit would be misled by them. Not simulated: showers of muons above 100 GeV, hits of other
crossings, chambers out of place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.tasks.muons import chamber
from trigger_ml.tasks.muons.chamber import LAYERS, PARTITIONS, STRIPS
from trigger_ml.tasks.muons.images import MOST_MUONS, SHAPE, Images, Words
from trigger_ml.tasks.muons.recipe import Damage, Muons, SampleRecipe

__all__ = ["simulate"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MARGIN: Final = 4.0
"""Strips at either side that no muon passes in the middle of the stack: it would leave the
chamber within it."""
ETA_MARGIN: Final = 0.02
"""The same in pseudorapidity."""
CLOSE_STRIPS: Final = 24.0
CLOSE_ETA: Final = 0.1
"""How near to the first the ``close`` muons of a recipe pass."""


@dataclass(frozen=True, slots=True)
class _Clusters:
    """Clusters of neighbouring strips: image, layer, partition, first strip, strips; each (n,)."""

    image: Ints
    layer: Ints
    partition: Ints
    first: Ints
    width: Ints

    def hits(self) -> tuple[Ints, Ints]:
        """Place in the flat array of words, and layer, of every strip inside the chamber."""
        total = int(self.width.sum())
        row = np.repeat(np.arange(len(self.width)), self.width)
        offset = np.arange(total) - np.repeat(np.cumsum(self.width) - self.width, self.width)
        strip, partition = self.first[row] + offset, self.partition[row]
        inside = (strip >= 0) & (strip < STRIPS) & (partition >= 0) & (partition < PARTITIONS)
        place = (self.image[row] * PARTITIONS + partition) * STRIPS + strip
        return place[inside], self.layer[row][inside]


def simulate(count: int, recipe: SampleRecipe, rng: np.random.Generator) -> Images:
    """Draw ``count`` images. Equal generators give equal images."""
    number = rng.choice(MOST_MUONS + 1, count, p=_normalized(recipe.muons.shares))
    weights = _normalized(recipe.background.weights)
    multiple = rng.choice(np.array(recipe.background.multiples), count, p=weights)
    pt, eta, strip, charge = _muons(number, recipe.muons, rng)
    truth, hits = np.zeros((2, count * PARTITIONS * STRIPS), np.uint8)
    passing = _passing(pt, eta, strip, charge, recipe.damage.efficiency, rng)
    _mark(truth, passing)
    hits |= truth
    for clusters in (*_companions(passing, rng), *_background(multiple, rng)):
        _mark(hits, clusters)
    dead = rng.random((count, LAYERS)) < recipe.damage.dead_layers
    dead_layers = np.packbits(dead, axis=1, bitorder="little")[:, 0]
    hits, truth = hits.reshape(count, *SHAPE), truth.reshape(count, *SHAPE)
    hits &= ~dead_layers[:, None, None]
    _kill_strips(hits, recipe.damage, rng)
    truth &= hits
    pt32, eta32, strip32, charge32 = (
        column.astype(np.float32) for column in (pt, eta, strip, charge)
    )
    return Images(
        hits,
        truth,
        number.astype(np.uint8),
        pt32,
        eta32,
        strip32,
        charge32,
        multiple.astype(np.float32),
        dead_layers,
    )


def _normalized(weights: tuple[float, ...]) -> Floats:
    return np.array(weights) / sum(weights)


def _mark(words: Words, clusters: _Clusters) -> None:
    """Set the bits of clusters in a flat array of words."""
    place, layer = clusters.hits()
    for bit in range(LAYERS):
        words[place[layer == bit]] |= np.uint8(1 << bit)


def _muons(
    number: Ints, recipe: Muons, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats, Floats]:
    """pT, eta, strip and charge, each (images, 3), NaN beyond ``number``."""
    shape = (len(number), MOST_MUONS)
    span = np.log(recipe.pt_min_gev), np.log(recipe.pt_max_gev)
    pt = np.exp(rng.uniform(*span, shape))
    eta_span = chamber.ETA_EDGES[0] + ETA_MARGIN, chamber.ETA_EDGES[-1] - ETA_MARGIN
    strip_span = MARGIN, STRIPS - MARGIN
    close = rng.random(shape) < recipe.close
    close[:, 0] = False
    eta = _near(close, CLOSE_ETA, eta_span, rng)
    strip = _near(close, CLOSE_STRIPS, strip_span, rng)
    charge = rng.choice((-1.0, 1.0), shape)
    absent = np.arange(MOST_MUONS) >= number[:, None]
    for column in (pt, eta, strip, charge):
        column[absent] = np.nan
    return pt, eta, strip, charge


def _near(
    close: NDArray[np.bool_], reach: float, span: tuple[float, float], rng: np.random.Generator
) -> Floats:
    """Flat in ``span``, or within ``reach`` of the first muon where ``close`` is set."""
    first = rng.uniform(*span, (len(close), 1))
    low = np.where(close, np.maximum(first - reach, span[0]), span[0])
    high = np.where(close, np.minimum(first + reach, span[1]), span[1])
    drawn = rng.uniform(low, high)
    drawn[:, :1] = first
    return drawn


def _passing(
    pt: Floats,
    eta: Floats,
    strip: Floats,
    charge: Floats,
    efficiency: float,
    rng: np.random.Generator,
) -> _Clusters:
    """The clusters that muons make where they pass."""
    image, which = np.nonzero(~np.isnan(pt))
    pt, eta, strip, charge = (column[image, which] for column in (pt, eta, strip, charge))
    track = strip[:, None] + _deflection(pt, eta, charge, rng)
    radius = chamber.LAYER_Z_CM / np.sinh(eta)[:, None]
    fired = rng.random(track.shape) < efficiency
    width = 1 + rng.choice(len(chamber.MUON_WIDTHS), track.shape, p=chamber.MUON_WIDTHS)
    muon, layer = np.nonzero(fired)
    # A wider cluster takes in the neighbour nearer to the track first.
    first = np.floor(track - (width - 1) / 2.0).astype(np.int64)
    partition = chamber.partition_at(radius)
    return _Clusters(image[muon], layer, partition[fired], first[fired], width[fired])


def _deflection(pt: Floats, eta: Floats, charge: Floats, rng: np.random.Generator) -> Floats:
    """Strips between a track at each layer and its place in the middle, shape (n, 6)."""
    momentum = pt * np.cosh(eta)
    per_angle = chamber.kick_in_strips(eta)
    upstream = rng.normal(size=len(pt)) * chamber.scattering_angle(momentum, chamber.UPSTREAM_X0)
    slope = charge * chamber.bending(pt, eta) + upstream * per_angle
    width = chamber.scattering_angle(momentum, chamber.LAYER_X0) * per_angle
    kicks = np.cumsum(rng.normal(size=(len(pt), LAYERS - 1)) * width[:, None], axis=1)
    wander = np.concatenate([np.zeros((len(pt), 1)), np.cumsum(kicks, axis=1)], axis=1)
    wander -= wander.mean(axis=1, keepdims=True)
    return np.asarray(slope[:, None] * (np.arange(LAYERS) - (LAYERS - 1) / 2.0) + wander)


def _companions(passing: _Clusters, rng: np.random.Generator) -> tuple[_Clusters, _Clusters]:
    """Cross-talk to a neighbouring partition, and electrons knocked out of the gas."""
    clusters = len(passing.width)
    talk = rng.random(clusters) < chamber.CROSS_TALK
    side = rng.choice((-1, 1), clusters)
    ray = rng.random(clusters) < chamber.DELTA_RAY
    away = rng.integers(1, chamber.DELTA_RAY_REACH + 1, clusters) * rng.choice((-1, 1), clusters)
    ones = np.ones(clusters, np.int64)

    def copies(chosen: NDArray[np.bool_], partition: Ints, first: Ints, width: Ints) -> _Clusters:
        places = passing.image, passing.layer, partition, first, width
        return _Clusters(*(column[chosen] for column in places))

    return (
        copies(talk, passing.partition + side, passing.first, passing.width),
        copies(ray, passing.partition, passing.first + away, ones),
    )


def _background(multiple: Floats, rng: np.random.Generator) -> tuple[_Clusters, _Clusters]:
    """Clusters without a muon, and those of them that a second layer sees.

    All layers together have, on average, ``multiple`` times the nominal rate of clusters.
    """
    per_particle = 1.0 + chamber.NEUTRON_SHARE * chamber.NEUTRON_TWO_LAYERS
    mean = chamber.clusters_per_crossing() * LAYERS / per_particle
    drawn = rng.poisson(multiple[:, None] * mean)
    flat = np.repeat(np.arange(drawn.size), drawn.ravel())
    image, partition = np.divmod(flat, PARTITIONS)
    particles = len(flat)
    layer = rng.integers(0, LAYERS, particles)
    centre = rng.uniform(0, STRIPS, particles)
    wide = rng.random(particles) < chamber.NEUTRON_SHARE
    narrow = 1 + (rng.random(particles) >= chamber.BACKGROUND_WIDTHS[0])
    widths = 1 + rng.choice(len(chamber.NEUTRON_WIDTHS), particles, p=chamber.NEUTRON_WIDTHS)
    width = np.where(wide, widths, narrow)
    first = np.floor(centre - (width - 1) / 2.0).astype(np.int64)
    both = wide & (rng.random(particles) < chamber.NEUTRON_TWO_LAYERS)
    # The first and the last layer have one neighbour each.
    step = np.where(
        layer == LAYERS - 1, -1, np.where(layer == 0, 1, rng.choice((-1, 1), particles))
    )
    shift = rng.integers(-1, 2, particles)
    return (
        _Clusters(image, layer, partition, first, width),
        _Clusters(
            image[both], (layer + step)[both], partition[both], (first + shift)[both], width[both]
        ),
    )


def _kill_strips(hits: Words, damage: Damage, rng: np.random.Generator) -> None:
    """Clear the bits of dead strips, chosen for each image."""
    strips = len(hits) * PARTITIONS * STRIPS * LAYERS
    dead = rng.integers(0, max(strips, 1), rng.binomial(strips, damage.dead_strips))
    place, layer = np.divmod(dead, LAYERS)
    flat = hits.reshape(-1)
    for bit in range(LAYERS):
        flat[place[layer == bit]] &= np.uint8(~(1 << bit) & 0xFF)
