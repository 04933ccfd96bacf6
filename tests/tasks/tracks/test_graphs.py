"""Hit graphs, against counting by hand and against all pairs of hits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from trigger_ml.tasks.tracks.graphs import HitGraph, build, cot_theta, phi_slope, z_intercept
from trigger_ml.tasks.tracks.hits import COLUMNS, EventHits, in_order
from trigger_ml.tasks.tracks.recipe import Cuts

Helices = Callable[..., EventHits]


def pairs(graph: HitGraph) -> set[tuple[int, int]]:
    return set(zip(graph.senders.tolist(), graph.receivers.tolist(), strict=True))


def by_all_pairs(event: EventHits, cuts: Cuts) -> tuple[set[tuple[int, int]], ...]:
    """Edges, true ones of them, and lost segments, without any cleverness."""
    edges, true, lost = set(), set(), set()
    for i in range(len(event)):
        for j in np.flatnonzero(event.layer == event.layer[i] + 1).tolist():
            dr = float(event.r[j]) - float(event.r[i])
            dphi = float(event.phi[j]) - float(event.phi[i])
            dphi = min((dphi, dphi - 2 * np.pi, dphi + 2 * np.pi), key=abs)
            z0 = float(event.z[i]) - float(event.r[i]) * (float(event.z[j]) - event.z[i]) / dr
            passes = abs(dphi / dr) < cuts.phi_slope_max and abs(z0) < cuts.z0_max_mm
            same = event.particle[i] == event.particle[j]
            if passes:
                edges.add((i, j))
            if same:
                (true if passes else lost).add((i, j))
    return edges, true, lost


def random_event(hits: int, seed: int) -> EventHits:
    """Hits without rhyme or reason, some of the azimuth's end, at most one a particle and layer."""
    rng = np.random.default_rng(seed)
    place = rng.permutation(hits * 3)[:hits]
    particle, layer = np.divmod(place, 10)
    r = 40 + 100 * layer + rng.uniform(-5, 5, hits)
    phi = np.where(
        rng.random(hits) < 0.3,
        rng.choice((-3.14159, 3.14159), hits),
        rng.uniform(-np.pi, np.pi, hits),
    )
    columns = (layer, r, phi, rng.normal(0, 150, hits), particle, r, r)
    return in_order(
        EventHits(*(c.astype(kind) for c, kind in zip(columns, COLUMNS.values(), strict=True)))
    )


@pytest.mark.parametrize(
    "cuts",
    [
        Cuts(),
        Cuts(phi_slope_max=0.005, z0_max_mm=100),
        Cuts(phi_slope_max=0.04, z0_max_mm=1000),
        Cuts(phi_slope_max=1, z0_max_mm=100_000),
    ],
    ids=["default", "loose", "looser", "all"],
)
def test_against_all_pairs(cuts: Cuts) -> None:
    kept = 0
    for seed in range(4):
        event = random_event(150, seed)
        graph = build(event, cuts)
        edges, true, lost = by_all_pairs(event, cuts)
        assert pairs(graph) == edges and graph.edges == len(edges)
        chosen = graph.truth
        found = zip(graph.senders[chosen].tolist(), graph.receivers[chosen].tolist(), strict=True)
        assert set(found) == true
        assert set(map(tuple, graph.lost.tolist())) == lost
        kept += len(edges)
    assert kept > 10


def test_tracks_are_whole(helices: Helices) -> None:
    event = helices([2, 3, 5], phi=[0.1, 2, 3.1], eta=[0.3, -0.5, 0])
    graph = build(event, Cuts())
    assert graph.nodes == 30 and graph.edges == 27 and graph.truth.all() and not len(graph.lost)
    assert (graph.layer[graph.receivers] == graph.layer[graph.senders] + 1).all()
    assert (np.diff(graph.layer[graph.senders].astype(int)) >= 0).all()
    missing = event[(event.layer != 4) | (event.particle != 1)]
    assert build(missing, Cuts()).edges == 25


def test_slope_of_a_helix(helices: Helices) -> None:
    """A particle of charge e in a field B bends by 0.3 B / (2 pT) radians a metre."""
    for pt in (1.0, 2.0, 20.0):
        slope = phi_slope(build(helices(pt, phi=np.pi), Cuts()))
        assert -slope == pytest.approx(0.299792458 * 2 / (2 * pt) / 1000, rel=0.06)
    assert -slope == pytest.approx(0.299792458 * 2 / (2 * pt) / 1000, rel=2e-3)


def test_line_of_a_track(helices: Helices) -> None:
    graph = build(helices(100, eta=1.0, z=30), Cuts(z0_max_mm=1000))
    assert z_intercept(graph) == pytest.approx(30, abs=0.01)
    assert cot_theta(graph) == pytest.approx(np.sinh(1.0), rel=1e-4)


def test_lost_segments(helices: Helices) -> None:
    graph = build(helices([0.4, 5.0, 5.0], phi=[0, 1, 2], z=[0, 0, 200]), Cuts())
    assert graph.edges == 9 and set(graph.particle[graph.senders]) == {1}
    assert len(graph.lost) == 18
    inner, outer = graph.lost.T
    assert (graph.layer[outer] == graph.layer[inner] + 1).all()
    assert (graph.particle[inner] == graph.particle[outer]).all()
    assert sorted(set(graph.particle[inner].tolist())) == [0, 2]


def test_across_the_end_of_azimuth(helices: Helices) -> None:
    event = helices(1.0, phi=np.pi)
    event = replace(event, phi=np.where(event.layer % 2, -3.1415, 3.1415).astype(np.float32))
    graph = build(event, Cuts())
    assert graph.edges == 9 and np.abs(phi_slope(graph)).max() < 1e-5


def test_nothing(helices: Helices) -> None:
    empty = helices(np.zeros(0))
    graph = build(empty, Cuts())
    assert graph.nodes == graph.edges == 0 and graph.lost.shape == (0, 2)
    assert len(phi_slope(graph)) == len(z_intercept(graph)) == len(cot_theta(graph)) == 0
    inside_out = helices(5.0)
    swapped = replace(inside_out, r=(2000 - inside_out.r).astype(np.float32))
    assert build(swapped, Cuts()).edges == 0
    straight = replace(swapped, phi=np.zeros_like(swapped.phi))
    assert build(straight, Cuts()).edges == 0, "radii fall"
