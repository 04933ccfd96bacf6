"""Second-order costs against the divergence itself, and weights cut to fewer digits."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

from tests.compress.small_networks import chain
from trigger_ml.compress.fixed_point.curvature import Curvature, divergence, sensitivities
from trigger_ml.compress.fixed_point.surgery import Digits, cut_digits, signed_digits
from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork

EVENTS = 4000
CASES = [("softmax", 3, 0), ("sigmoid", 2, 0), ("sigmoid", 1, 0), ("softmax", 3, 4), ("", 1, 4)]


def changed(network: FloatNetwork, name: str, unit: int, change: np.ndarray) -> FloatNetwork:
    """The network with other weights, bias last, in one neuron."""
    layers = []
    for layer in network.layers:
        if layer.name == name:
            assert isinstance(layer, DenseLayer)
            kernel, bias = layer.kernel.copy(), layer.bias.copy()
            kernel[:, unit] += change[:-1]
            bias[unit] += change[-1]
            layer = replace(layer, kernel=kernel, bias=bias)
        layers.append(layer)
    return replace(network, layers=tuple(layers))


@pytest.mark.parametrize(("tail", "outputs", "particles"), CASES)
@pytest.mark.parametrize("name", ["fc0", "fc1", "fc2"])
def test_the_quadratic_form_is_the_divergence(
    tail: str, outputs: int, particles: int, name: str
) -> None:
    network = chain((3, 5, 4, outputs), tail=tail, particles=particles)
    binary = tail == "sigmoid" or outputs == 1
    random = np.random.default_rng(8)
    x = random.normal(size=(EVENTS, *network.input_shape))
    found = sensitivities(network, x)
    said = network.activations(x)
    read = {"fc0": x, "fc1": said["fc0"], "fc2": said["mean" if particles else "fc1"]}[name]
    curvature = found[name].curvature(read.reshape(EVENTS, -1, read.shape[-1]), 1e-7)
    layer = next(layer for layer in network.dense if layer.name == name)
    tried = 0
    for unit in range(layer.kernel.shape[1]):
        if np.trace(curvature.hessian[unit]) < 1e-3:
            continue
        own = np.append(layer.kernel[:, unit], layer.bias[unit])
        np.testing.assert_allclose(curvature.best[unit], own, atol=1e-5)
        change = 2e-3 * random.normal(size=len(own))
        quadratic = change @ curvature.hessian[unit] @ change / 2
        after = changed(network, name, unit, change).logits(x)
        assert quadratic == pytest.approx(
            divergence(network.logits(x), after, binary=binary), rel=0.05
        )
        tried += 1
    assert tried >= 1


def test_divergence_by_hand() -> None:
    a, b = np.array([[1.0, -2.0]]), np.array([[0.5, 1.0]])
    p, q = softmax(a[0]), softmax(b[0])
    assert divergence(a, b, binary=False) == pytest.approx((p * np.log(p / q)).sum())
    p, q = expit(a[0]), expit(b[0])
    both = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum()
    assert divergence(a, b, binary=True) == pytest.approx(both)
    huge = np.array([[800.0, -800.0]])
    assert divergence(huge, huge, binary=True) == pytest.approx(0, abs=1e-12)
    assert np.isfinite(divergence(huge, -huge, binary=False))


@settings(deadline=None)
@given(st.floats(-4, 4, allow_nan=False))
def test_digits_come_nearer(value: float) -> None:
    digits = Digits(-4, 1)
    found = signed_digits(np.array([value]), digits, 6)[:, 0]
    errors = np.abs(found - np.clip(value, -4, 4))
    assert (np.diff(errors) <= 1e-12).all()
    assert errors[-1] <= 2.0**-5
    steps = np.abs(np.diff(found))
    assert all(step == 0 or np.log2(step) in range(-4, 2) for step in steps)


def test_one_digit_is_the_nearest_power() -> None:
    digits = Digits(-3, 1)
    values = np.linspace(-2.9, 2.9, 400)
    powers = np.array([0.0, *(s * 2.0**e for s, e in product((-1, 1), range(-3, 2)))])
    best = np.abs(values[:, None] - powers).min(axis=1)
    found = signed_digits(values, digits)[1]
    np.testing.assert_allclose(np.abs(values - found), best, atol=1e-12)


def quadratic(seed: int, units: int, inputs: int) -> Curvature:
    random = np.random.default_rng(seed)
    x = random.normal(size=(200, inputs + 1)) @ random.normal(size=(inputs + 1, inputs + 1))
    return Curvature(
        np.stack([x.T @ (x * random.random((200, 1))) / 200 for _ in range(units)]),
        random.normal(size=(units, inputs + 1)),
    )


def cost(curvature: Curvature, weights: np.ndarray) -> np.ndarray:
    change = weights - curvature.best
    return np.einsum("ui,uij,uj->u", change, curvature.hessian, change) / 2


def count(weights: np.ndarray, digits: Digits) -> int:
    return int((np.diff(signed_digits(weights[:, :-1], digits), axis=0) != 0).sum())


@pytest.mark.parametrize("seed", range(5))
def test_the_others_make_up_for_what_is_rounded(seed: int) -> None:
    curvature, digits = quadratic(seed, 20, 8), Digits(-2, 2)
    careful = cut_digits(curvature, digits, 0.0, 2.0**-10)
    plain = curvature.best.copy()
    plain[:, :-1] = np.rint(plain[:, :-1] * 4) / 4
    assert (careful[:, :-1] * 4 == np.rint(careful[:, :-1] * 4)).all(), "on the grid"
    assert (careful[:, -1] * 1024 == np.rint(careful[:, -1] * 1024)).all()
    assert cost(curvature, careful).sum() < 0.5 * cost(curvature, plain).sum()


def test_a_higher_price_leaves_fewer_digits() -> None:
    curvature, digits = quadratic(3, 20, 8), Digits(-6, 2)
    counts, costs = [], []
    for price in (0.0, 1e-3, 1e-2, 1e-1, 1.0, 1e6):
        found = cut_digits(curvature, digits, price, 2.0**-10)
        counts.append(count(found, digits))
        costs.append(cost(curvature, found).sum())
    assert counts == sorted(counts, reverse=True) and counts[0] > 2 * counts[3] > 0
    assert costs == sorted(costs)
    assert counts[-1] == 0, "at a price that nothing is worth, every weight is zero"


def test_digits_go_where_they_cost_least() -> None:
    """Better than the same number of digits by magnitude."""
    curvature, digits = quadratic(4, 20, 8), Digits(-6, 2)
    found = cut_digits(curvature, digits, 0.05, 2.0**-10)
    kept = int(np.count_nonzero(found[:, :-1]))
    small = curvature.best.copy()
    order = np.argsort(np.abs(small[:, :-1]), axis=None)[: 160 - kept]
    small[:, :-1].ravel()[order] = 0
    flat = small[:, :-1].copy().ravel()
    flat[order] = 0
    small[:, :-1] = flat.reshape(20, 8)
    assert cost(curvature, found).sum() < 0.7 * cost(curvature, small).sum()
