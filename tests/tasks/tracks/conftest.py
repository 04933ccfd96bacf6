"""Events without a simulation: helices through the nominal layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from trigger_ml.tasks.tracks.detector import BARREL
from trigger_ml.tasks.tracks.hits import COLUMNS, EventHits, in_order, wrapped

Helices = Callable[..., EventHits]


def _helices(
    pt: object, *, phi: object = 0.0, eta: object = 0.0, z: object = 0.0, field: float = 2.0
) -> EventHits:
    """Hits of positive particles from the beam line; each argument (particles,) or one number."""
    pt, phi, eta, z = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(column, float)) for column in (pt, phi, eta, z))
    )
    number, layer = (axis.ravel() for axis in np.mgrid[: len(pt), : len(BARREL)])
    r = np.array([at.radius_mm for at in BARREL])[layer]
    half = r / 2 / (pt[number] / 0.299792458 / field * 1000)
    turn = np.arcsin(half)
    height = z[number] + r * turn / half * np.sinh(eta[number])
    columns = (layer, r, wrapped(phi[number] - turn), height, number, pt[number], eta[number])
    return in_order(
        EventHits(*(c.astype(kind) for c, kind in zip(columns, COLUMNS.values(), strict=True)))
    )


@pytest.fixture(scope="session")
def helices() -> Helices:
    return _helices


@pytest.fixture(scope="session")
def events() -> list[EventHits]:
    rng = np.random.default_rng(5)
    return [
        _helices(
            rng.uniform(1, 10, tracks),
            phi=rng.uniform(-np.pi, np.pi, tracks),
            eta=rng.uniform(-0.6, 0.6, tracks),
            z=rng.normal(0, 50, tracks),
        )
        for tracks in (30, 1, 0, 60)
    ]
