"""What a change of weights costs a network, to second order, without training.

The cost is the Kullback-Leibler divergence between the network's answer and the changed one's,
in nats an event. Its expansion is the Gauss-Newton form (J. Martens, arXiv:1412.1193): for
logits z and softmax p, 1/2 dz^T (diag(p) - p p^T) dz, for sigmoids 1/2 p (1 - p) dz^2. It is kept
for each neuron by itself, as in Optimal Brain Surgeon (B. Hassibi, D. Stork, NIPS 1992); what two
neurons do together is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax, xlogy

from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork

__all__ = [
    "Curvature",
    "Sensitivity",
    "divergence",
    "is_binary",
    "output_root",
    "sensitivities",
]

Values = NDArray[np.float64]


def is_binary(network: FloatNetwork) -> bool:
    """Whether every output answers a question of its own, with a sigmoid."""
    return network.tail == "sigmoid" or network.outputs == 1


def divergence(reference: Values, candidate: Values, *, binary: bool) -> float:
    """Mean Kullback-Leibler divergence of two networks' answers, in nats an event.

    reference, candidate: logits, shape (events, outputs).
    """
    if binary:
        p = expit(reference)
        # log(1 + exp) of both signs, without overflow.
        yes, no = np.logaddexp(0, -candidate), np.logaddexp(0, candidate)
        own = xlogy(p, p) + xlogy(1 - p, 1 - p)
        return float((own + p * yes + (1 - p) * no).sum(axis=1).mean())
    before, after = log_softmax(reference, axis=1), log_softmax(candidate, axis=1)
    return float((np.exp(before) * (before - after)).sum(axis=1).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Curvature:
    """Quadratic cost of one layer's weights, the bias as a last input that is always 1.

    hessian: shape (units, inputs + 1, inputs + 1). best: where the cost is least, shape
    (units, inputs + 1).
    """

    hessian: Values
    best: Values


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """How the answer follows the sums of one dense layer, on every event.

    sums: of the float network, shape (events, n, units), n being 1 or the particles. slopes:
    square roots of the divergence's weights times the derivatives of the logits by the sums,
    shape (events, outputs, n, units).
    """

    layer: DenseLayer
    sums: Values
    slopes: Values

    def curvature(self, inputs: Values, damping: float) -> Curvature:
        """The cost of this layer's weights when its inputs are these, not the float network's.

        inputs: shape (events, n, channels). damping: of the mean curvature, how much of it draws
        the weights to the float network's.
        """
        events, _, channels = inputs.shape
        ones = np.ones((*inputs.shape[:-1], 1))
        rows = np.concatenate([inputs, ones], axis=-1)
        units = self.sums.shape[-1]
        hessian = np.empty((units, channels + 1, channels + 1))
        moment = np.empty((units, channels + 1))
        for unit in range(units):
            slope, total = self.slopes[..., unit], self.sums[..., unit]
            if inputs.shape[1] == 1:
                strength = (slope[..., 0] ** 2).sum(axis=1)
                weighted = rows[:, 0] * strength[:, None]
                hessian[unit] = weighted.T @ rows[:, 0]
                moment[unit] = weighted.T @ total[:, 0]
            else:
                seen = (slope @ rows).reshape(-1, channels + 1)
                target = (slope @ total[..., None]).reshape(-1)
                hessian[unit], moment[unit] = seen.T @ seen, seen.T @ target
        hessian, moment = hessian / events, moment / events
        own = np.concatenate([self.layer.kernel, self.layer.bias[None]]).T
        # A neuron that is never active has no curvature at all; its weights then are free to go.
        scale = np.maximum(np.trace(hessian, axis1=1, axis2=2) / (channels + 1), 1e-12)
        pull = damping * scale
        hessian += pull[:, None, None] * np.eye(channels + 1)
        best = np.linalg.solve(hessian, (moment + pull[:, None] * own)[..., None])[..., 0]
        return Curvature(hessian, best)


def sensitivities(network: FloatNetwork, values: Values) -> dict[str, Sensitivity]:
    """Sensitivity to every dense layer on events of shape (events, *input_shape), by name."""
    current = values.reshape(len(values), -1, network.input_shape[-1])
    sums: dict[str, Values] = {}
    counts: list[int] = []
    for layer in network.layers:
        counts.append(current.shape[1])
        if isinstance(layer, DenseLayer):
            sums[layer.name] = current @ layer.kernel + layer.bias
            current = sums[layer.name]
            current = np.maximum(current, 0) if layer.activation == "relu" else current
        else:
            current = current.mean(axis=1, keepdims=True)
    root = output_root(network, current.reshape(len(current), -1))
    slopes = root.reshape(len(root), -1, *current.shape[1:])
    found: dict[str, Sensitivity] = {}
    for layer, count in zip(reversed(network.layers), reversed(counts), strict=True):
        if isinstance(layer, DenseLayer):
            if layer.activation == "relu":
                slopes = slopes * (sums[layer.name] > 0)[:, None]
            found[layer.name] = Sensitivity(layer, sums[layer.name], slopes)
            slopes = slopes @ layer.kernel.T
        else:
            slopes = np.repeat(slopes / count, count, axis=2)
    return found


def output_root(network: FloatNetwork, logits: Values) -> Values:
    """Square root of the divergence's second derivative by the logits.

    Shape (events, outputs, outputs): for a softmax, diag(p) - p p^T is the sum over a of
    p_a (e_a - p) (e_a - p)^T.
    """
    outputs = logits.shape[1]
    if is_binary(network):
        p = expit(logits)
        return np.asarray(np.sqrt(p * (1 - p))[:, :, None] * np.eye(outputs))
    p = softmax(logits, axis=1)
    return np.asarray(np.sqrt(p)[:, :, None] * (np.eye(outputs) - p[:, None, :]))
