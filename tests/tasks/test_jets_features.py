"""The 16 features against fjcontrib, against loops, and against jets computed by hand."""

from __future__ import annotations

from itertools import combinations

import awkward as ak
import fastjet
import numpy as np
import pytest
import vector
from numpy.typing import NDArray

from trigger_ml.tasks.jets.features import (
    Particles,
    correlators,
    groom,
    high_level_features,
)
from trigger_ml.tasks.jets.names import FEATURES

vector.register_awkward()

Floats = NDArray[np.float64]


def massless(pt: Floats, eta: Floats, phi: Floats) -> Floats:
    return np.stack(
        [pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], axis=1
    )


def toy_jet(random: np.random.Generator, count: int) -> Floats:
    """Two prongs and soft wide-angle radiation, across the seam at phi = pi."""
    pt = random.exponential(20.0, count) + 0.5
    prong = random.integers(0, 2, count)
    eta = 0.4 + 0.15 * prong + random.normal(0, 0.1, count)
    phi = np.pi + 0.1 * prong + random.normal(0, 0.1, count)
    return massless(pt, eta, (phi + np.pi) % (2 * np.pi) - np.pi)


def toy_jets(*counts: int) -> Particles:
    random = np.random.default_rng(7)
    jets = [toy_jet(random, count) for count in counts]
    return Particles(np.array(counts, np.int64), np.concatenate(jets))


def contrib(p4: Floats, func: str, points: int = 0, beta: float = 1.0, alpha: float = 1.0,
            angles: int = -1) -> float:  # fmt: skip
    """The same number from fjcontrib's EnergyCorrelator, through the fastjet wheel."""
    columns = {name: p4[None, :, i] for i, name in enumerate(("px", "py", "pz", "E"))}
    event = ak.zip({k: ak.Array(v) for k, v in columns.items()}, with_name="Momentum4D")
    event = ak.from_regular(event)
    definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, 1.5)
    value = fastjet.ClusterSequence(event, definition).exclusive_jets_energy_correlator(
        njets=1, npoint=points, beta=beta, alpha=alpha, angles=angles, func=func
    )
    return float(np.asarray(ak.flatten(value, axis=None))[0])


def loops(p4: Floats, beta: float, angles: int) -> tuple[float, float]:
    """e2(beta) and e3(angles, beta) as the papers write them."""
    pt = np.hypot(p4[:, 0], p4[:, 1])
    z, phi = pt / pt.sum(), np.arctan2(p4[:, 1], p4[:, 0])
    y = np.arctanh(p4[:, 2] / p4[:, 3])

    def theta(i: int, j: int) -> float:
        turn = abs(phi[i] - phi[j])
        return float(np.hypot(y[i] - y[j], min(turn, 2 * np.pi - turn)))

    count = range(len(p4))
    e2 = sum(z[i] * z[j] * theta(i, j) ** beta for i, j in combinations(count, 2))
    e3 = 0.0
    for i, j, k in combinations(count, 3):
        smallest = sorted((theta(i, j), theta(i, k), theta(j, k)))[:angles]
        e3 += z[i] * z[j] * z[k] * np.prod(smallest) ** beta
    return e2, e3


@pytest.mark.parametrize("count", [2, 3, 5, 17, 70])
def test_correlators_equal_fjcontrib(count: int) -> None:
    p4 = toy_jets(count).p4
    found = correlators(p4)
    for beta in (1, 2):
        assert found.e2[beta - 1] == pytest.approx(contrib(p4, "generalized", 2, beta), rel=1e-12)
        for v in (1, 2, 3):
            expected = contrib(p4, "generalized", 3, beta, angles=v)
            assert found.e3[v - 1][beta - 1] == pytest.approx(expected, rel=1e-12), (v, beta)


@pytest.mark.parametrize("angles", [1, 2, 3])
@pytest.mark.parametrize("beta", [1, 2])
def test_correlators_equal_the_papers_sums(beta: int, angles: int) -> None:
    p4 = toy_jets(12).p4
    e2, e3 = loops(p4, beta, angles)
    found = correlators(p4)
    assert found.e2[beta - 1] == pytest.approx(e2, rel=1e-12)
    assert found.e3[angles - 1][beta - 1] == pytest.approx(e3, rel=1e-12)


def test_more_triples_than_one_block() -> None:
    p4 = toy_jets(60).p4  # 34,220 triples: three blocks
    assert correlators(p4).e3[2][0] == pytest.approx(loops(p4, 1, 3)[1], rel=1e-11)


def test_a_small_jet_after_a_large_one() -> None:
    small = toy_jets(6).p4
    before = correlators(small)
    correlators(toy_jets(150).p4)
    assert correlators(small) == before


def test_every_column_equals_fjcontrib_on_the_groomed_jet() -> None:
    jets = toy_jets(9, 25, 40)
    rows = high_level_features(jets)
    assert rows.dtype == np.float32 and rows.shape == (3, 16)
    for row, p4 in zip(rows, groom(jets).split(), strict=True):
        got = dict(zip(FEATURES, row, strict=True))
        expected = {"c1_b0_mmdt": contrib(p4, "c1", beta=0.0)}
        for b in (1, 2):
            expected |= {
                f"c1_b{b}_mmdt": contrib(p4, "c1", beta=b),
                f"c2_b{b}_mmdt": contrib(p4, "c2", beta=b),
                f"d2_b{b}_mmdt": contrib(p4, "d2", beta=b),
                f"d2_a1_b{b}_mmdt": contrib(p4, "generalizedd2", beta=b, alpha=1.0),
                f"m2_b{b}_mmdt": contrib(p4, "m2", beta=b),
                f"n2_b{b}_mmdt": contrib(p4, "n2", beta=b),
            }
        assert len(expected) == 13
        for name, value in expected.items():
            assert got[name] == pytest.approx(value, rel=2e-6), name


def cambridge_mmdt(p4: Floats) -> Floats:
    """mMDT written out: cluster by angle, undo, drop the softer branch while z < 0.1."""

    def place(v: Floats) -> tuple[float, float]:
        return float(np.arctanh(v[2] / v[3])), float(np.arctan2(v[1], v[0]))

    def distance(a: Floats, b: Floats) -> float:
        (ya, fa), (yb, fb) = place(a), place(b)
        turn = abs(fa - fb)
        return float(np.hypot(ya - yb, min(turn, 2 * np.pi - turn)))

    nodes: list[tuple[Floats, list[int], tuple[int, int] | None]]
    nodes = [(v, [i], None) for i, v in enumerate(p4)]
    alive = list(range(len(p4)))
    while len(alive) > 1:
        a, b = min(
            combinations(alive, 2), key=lambda ij: distance(nodes[ij[0]][0], nodes[ij[1]][0])
        )
        nodes.append((nodes[a][0] + nodes[b][0], nodes[a][1] + nodes[b][1], (a, b)))
        alive = [i for i in alive if i not in (a, b)] + [len(nodes) - 1]
    node = nodes[alive[0]]
    while node[2] is not None:
        left, right = (nodes[i] for i in node[2])
        pt = [float(np.hypot(*branch[0][:2])) for branch in (left, right)]
        if min(pt) / sum(pt) > 0.1:
            break
        node = left if pt[0] > pt[1] else right
    return p4[sorted(node[1])]


def test_grooming_equals_mmdt_written_out() -> None:
    jets = toy_jets(4, 11, 30)
    for whole, groomed in zip(jets.split(), groom(jets).split(), strict=True):
        expected = cambridge_mmdt(whole)
        assert len(groomed) == len(expected)
        assert np.sort(groomed[:, 3]) == pytest.approx(np.sort(expected[:, 3]), rel=1e-12)


def test_soft_wide_radiation_is_groomed_away() -> None:
    p4 = massless(np.array([500.0, 400.0, 5.0]), np.array([0.0, 0.2, 0.0]), np.array([0, 0, 0.7]))
    row = high_level_features(Particles(np.array([3]), p4))[0]
    two = p4[:2].sum(axis=0)
    assert row[FEATURES.index("mass_mmdt")] == pytest.approx(
        np.sqrt(two[3] ** 2 - (two[:3] ** 2).sum()), rel=1e-6
    )
    assert row[FEATURES.index("multiplicity")] == 3, "multiplicity is that of the ungroomed jet"
    fraction = p4[:, 3] / p4[:, 3].sum()
    assert row[0] == pytest.approx((fraction * np.log(fraction)).sum(), rel=1e-6)


@pytest.mark.parametrize(("soft", "kept"), [(0.095, 1), (0.105, 2)])
def test_the_symmetry_cut_is_a_tenth(soft: float, kept: int) -> None:
    pt = np.array([1 - soft, soft]) * 1000.0
    p4 = massless(pt, np.array([0.0, 0.3]), np.array([0.1, 0.5]))
    assert groom(Particles(np.array([2]), p4)).counts.tolist() == [kept]


def test_no_jets_give_no_rows() -> None:
    none = Particles(np.array([], np.int64), np.empty((0, 4)))
    assert none.split() == [] and high_level_features(none).shape == (0, 16)


def test_two_prongs_by_hand() -> None:
    p4 = massless(np.array([600.0, 400.0]), np.array([0.0, 0.3]), np.array([0.1, 0.5]))
    row = dict(zip(FEATURES, high_level_features(Particles(np.array([2]), p4))[0], strict=True))
    assert row["c1_b0_mmdt"] == pytest.approx(0.24)
    assert row["c1_b1_mmdt"] == pytest.approx(0.24 * 0.5)
    assert row["c1_b2_mmdt"] == pytest.approx(0.24 * 0.25)
    assert row["d2_b1_mmdt"] == row["n2_b2_mmdt"] == row["m2_b1_mmdt"] == 0.0


def test_one_particle_gives_zeros_not_nan() -> None:
    p4 = massless(np.array([1000.0]), np.array([0.5]), np.array([1.0]))
    row = high_level_features(Particles(np.array([1]), p4))[0]
    assert row[:14].tolist() == [0.0] * 14
    assert row[FEATURES.index("multiplicity")] == 1
