"""Choosing hits, and spreading them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trigger_ml.tasks.tracks.detector import BARREL
from trigger_ml.tasks.tracks.hits import EventHits, measured, select_hits, wrapped


def test_what_is_chosen() -> None:
    layer = np.array([0, 0, 1, -1, 0, 1, 0])
    x = np.array([32.0, 31.5, 72, 90, -32, 0, 32])
    y = np.array([0.0, 0, -4, 0, 0, -72, 1])
    particle = np.array([7, 7, 7, 7, 2**60, 2**60 + 1, 9])
    px = np.array([3.0, 3, 3, 3, 0, 0.6, np.nan])
    py = np.array([4.0, 4, 4, 4, 2, 0.7, 1])
    pz = np.array([0.0, 0, 0, 0, -2, 1, 1])
    found = select_hits(layer, (x, y, x), particle, (px, py, pz), 1.0)
    assert found.layer.tolist() == [0, 0, 1]
    assert found.r.tolist() == [32.0, 31.5, pytest.approx(np.hypot(72, 4))], "the innermost of two"
    assert found.phi.tolist() == pytest.approx([-np.pi, 0, -np.arctan(4 / 72)])
    assert found.particle.tolist() == [1, 0, 0] and found.pt.tolist() == [2, 5, 5]
    assert found.eta[0] == pytest.approx(-np.arcsinh(1)) and not list(found.faults())
    assert len(select_hits(layer, (x, y, x), particle, (px, py, pz), 9.0)) == 0


def test_spread(helices: object) -> None:
    event: EventHits = helices(5.0, phi=np.linspace(-3, 3, 4000))  # type: ignore[operator]
    seen = measured(event, np.random.default_rng(1))
    assert np.array_equal(measured(event, np.random.default_rng(1)).z, seen.z)
    assert not list(seen.faults())
    steps = np.diff(seen.phi)[np.diff(seen.layer) == 0]
    assert (np.diff(seen.layer.astype(int)) >= 0).all() and (steps >= 0).all()
    for number in (0, 5, 9):
        rows = (event.layer == number, seen.layer == number)
        before, after = (
            hits[row][np.argsort(hits[row].particle)]
            for hits, row in zip((event, seen), rows, strict=True)
        )
        assert np.array_equal(before.particle, after.particle)
        around = wrapped(after.phi.astype(float) - before.phi) * before.r
        expected = BARREL[number].resolution_mm
        assert around.std() == pytest.approx(expected[0], rel=0.05)
        assert (after.z - before.z).std() == pytest.approx(expected[1], rel=0.05)


def test_azimuth() -> None:
    assert wrapped(np.array([np.pi, -np.pi, 7.0, -1e-17])).tolist() == pytest.approx(
        [-np.pi, -np.pi, 7 - 2 * np.pi, 0]
    )
    just_below = np.nextafter(-np.pi, -4)
    assert -np.pi <= wrapped(np.array([just_below]))[0] < np.pi


def test_faults(events: list[EventHits]) -> None:
    event = events[0]
    assert not [fault for event in events for fault in event.faults()]
    assert list(replace(event, r=event.r[1:]).faults()) == [
        "columns must be equally long, found [299, 300] rows"
    ]
    wrong = replace(event, layer=event.layer + 5, particle=event.particle - 1)
    text = "\n".join(replace(wrong, pt=event.pt * np.nan).faults())
    assert "layer must be 0 to 9, found 14" in text and "pt must be finite" in text
    assert "particle must be 0 or more, found -1" in text
    twice = replace(event, particle=np.zeros_like(event.particle))
    assert list(twice.faults()) == ["a particle has more than one hit in a layer"]
