"""The barrel as it is written down, against the geometry that simulates."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from trigger_ml.tasks.tracks.detector import BARREL, LAYERS, layer_at, layer_of

MODULES = """
import collections, json, sys
import acts, numpy as np
from acts import examples

extent = collections.defaultdict(lambda: [1e9, 0.0, 0.0, 0])
detector = examples.GenericDetector(examples.GenericDetector.Config())
context = acts.GeometryContext.dangerouslyDefaultConstruct()

def look(surface):
    place = surface.geometryId
    if place.volume not in (8, 13, 17):
        return
    found = extent[f"{place.volume} {place.layer}"]
    found[3] += 1
    x, z = surface.bounds.values()[2:]
    for at in np.linspace(-1, 1, 21):
        point = surface.localToGlobal(context, acts.Vector2(at * x, z), acts.Vector3(1, 0, 0))
        r = float(np.hypot(point[0], point[1]))
        found[0], found[1] = min(found[0], r), max(found[1], r)
        found[2] = max(found[2], float(point[2]))

detector.trackingGeometry().visitSurfaces(look)
print("FOUND" + json.dumps(extent))
"""


def test_layers_are_where_the_modules_are() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODULES], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.split("FOUND")[1])
    assert len(found) == LAYERS and sum(modules for *_, modules in found.values()) == 14_000
    for layer in BARREL:
        inner, outer, length, _ = found[f"{layer.volume} {layer.layer}"]
        assert layer.radius_mm - layer.stagger_mm < inner < layer.radius_mm
        assert layer.radius_mm + layer.stagger_mm - 1 < outer
        assert outer < layer.radius_mm + layer.stagger_mm
        assert layer.half_length_mm == pytest.approx(length)


def test_numbers_of_layers() -> None:
    assert [layer.number for layer in BARREL] == list(range(10))
    assert np.all(np.diff([layer.radius_mm for layer in BARREL]) > 0)
    volume = np.array([8, 17, 13, 7, 8, 200, -24, 8], np.int64)
    layer = np.array([2, 4, 8, 2, 3, 2, 2, 99], np.uint64)
    assert layer_of(volume, layer).tolist() == [0, 9, 7, -1, -1, -1, -1, -1]


def test_nearest_layer() -> None:
    radii = np.array([layer.radius_mm for layer in BARREL])
    assert layer_at(radii + 6).tolist() == layer_at(radii - 6).tolist() == list(range(10))
    assert layer_at(np.array([0.0, 739.0, 741.0, 5000.0])).tolist() == [0, 7, 8, 9]


def test_resolution_is_that_of_a_cell() -> None:
    spread = np.random.default_rng(0).uniform(-0.5, 0.5, 100_000).std()
    for layer in BARREL:
        assert layer.resolution_mm == pytest.approx(np.array(layer.pitch_mm) * spread, rel=0.01)
