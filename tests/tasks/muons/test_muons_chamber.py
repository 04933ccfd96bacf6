"""Formulas of the chamber against numbers worked out by hand or taken from their sources."""

import numpy as np
import pytest

from trigger_ml.tasks.muons import chamber


def test_geometry() -> None:
    assert pytest.approx(0.918e-3, rel=1e-3) == chamber.STRIP_PITCH_RAD
    assert chamber.LAYER_Z_CM.tolist() == pytest.approx([527.0, 530.4, 533.8, 537.2, 540.6, 544.0])
    assert (np.diff(chamber.RADIUS_EDGES_CM) < 0).all(), "partition 0 is the outermost"
    # tan(2 atan(exp(-eta))) = 1 / sinh(eta): the textbook form of the polar angle.
    outer = 535.5 * np.tan(2 * np.arctan(np.exp(-2.03)))
    assert chamber.RADIUS_EDGES_CM[0] == pytest.approx(outer)


def test_partitions_follow_the_radius() -> None:
    edges = chamber.RADIUS_EDGES_CM
    middles = (edges[1:] + edges[:-1]) / 2
    assert chamber.partition_at(middles).tolist() == list(range(8))
    assert chamber.partition_at([edges[0] + 0.1, edges[-1] - 0.1]).tolist() == [-1, 8]


def test_bending_is_that_of_a_helix() -> None:
    # Two points of the helix itself: its radius is pT / (0.3 B), and it turns by z tan(theta) / R.
    pt, eta, z = 6.0, 2.4, np.array([5.27, 5.304])
    radius_m = pt / (0.3 * chamber.FIELD_TESLA)
    turned = z / np.sinh(eta) / radius_m
    azimuth = np.arctan2(1 - np.cos(turned), np.sin(turned))
    strips = np.diff(azimuth)[0] / chamber.STRIP_PITCH_RAD
    assert float(chamber.bending(pt, eta)) == pytest.approx(strips, rel=1e-6)
    assert float(chamber.bending(pt, eta)) * 5 == pytest.approx(3.0, abs=0.2)


def test_scattering() -> None:
    # One radiation length at 10 GeV: 1.36 mrad, no logarithm.
    assert float(chamber.scattering_angle(10.0, 1.0)) == pytest.approx(1.36e-3)
    assert float(chamber.scattering_angle(10.0, 100.0)) == pytest.approx(1.36e-2 * 1.175, rel=1e-3)
    # 1 mrad over 3.4 cm along the beam at 90 cm from it moves the track 38 um / 90 cm and more.
    eta = np.arcsinh(535.5 / 90.0)
    path = 3.4 / np.tanh(eta)
    expected = 1e-3 * path / 90.0 / 0.918e-3
    assert 1e-3 * float(chamber.kick_in_strips(eta)) == pytest.approx(expected, rel=1e-3)


def test_background_rate_is_what_the_fit_gives() -> None:
    # By hand from the eight numbers of muonME0Digis_cfi.py at 100 cm, where R^1.5 = 1000.
    neutral, electrons = 220.085 + 16627.7 - 10209.8, 230.347 + 710.909 - 432.725
    expected = 1.5 * (neutral + electrons)
    assert float(chamber.background_rate(100.0)) == pytest.approx(expected, rel=1e-3)
    inner, outer = chamber.background_rate([65.4, 143.1])
    assert 5e4 < inner < 2e5 and 1e3 < outer < 4e3, "kHz/cm2 inside, a few outside"
    assert 5.0 < 6 * chamber.clusters_per_crossing().sum() < 6.0


@pytest.mark.parametrize(
    "shares", [chamber.MUON_WIDTHS, chamber.BACKGROUND_WIDTHS, chamber.NEUTRON_WIDTHS]
)
def test_cluster_sizes_are_probabilities(shares: np.ndarray) -> None:
    assert (shares >= 0).all() and shares.sum() == pytest.approx(1.0)
