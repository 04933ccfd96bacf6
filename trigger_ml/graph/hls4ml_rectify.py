"""hls4ml's layers of the family of ReLU, read into the graph's operation."""

from __future__ import annotations

from typing import Any

import numpy as np

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.hls4ml_values import Read, Reading, fixed_type, output_shape, read_weights
from trigger_ml.graph.model import frozen_codes
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.types import FixedType

__all__ = ["read_clipped_relu", "read_parametrized", "read_prelu"]

BIT = FixedType(1, 1, signed=False)


def read_clipped_relu(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    """0 below zero, and no more than a whole number."""
    zeros = frozen_codes(np.zeros(output_shape(layer)))
    return Rectify(zeros, BIT, 0, int(layer.get_attr("bound")), 0), out


def read_parametrized(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    """LeakyReLU: a slope below zero. ThresholdedReLU: nothing up to a threshold."""
    function = str(layer.get_attr("activation")).lower()
    value = float(layer.get_attr("activ_param"))
    kind = fixed_type(layer.get_attr("param_t").precision, f"{layer.name} parameter")
    code = kind.encode(np.array([value]))
    if kind.decode(code)[0] != value:
        what = f"hls4ml gives its parameter {value} the type {kind}"
        raise ModelError(Blocker(layer.name, what, "use a number of fewer bits"))
    shape = output_shape(layer)
    match function:
        case "leakyrelu":
            return Rectify(frozen_codes(np.full(shape, code[0])), kind, 0, None, 0), out
        case "thresholdedrelu":
            zeros = frozen_codes(np.zeros(shape))
            threshold, fraction = int(code[0]), kind.fraction
            return Rectify(zeros, BIT, threshold, None, fraction), out
        case _:
            what = f"the activation {function} is not known"
            raise ModelError(Blocker(layer.name, what, "use LeakyReLU or ThresholdedReLU"))


def read_prelu(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    """A slope below zero for each element."""
    slopes, kind = read_weights(layer, "param")
    return Rectify(frozen_codes(slopes.reshape(output_shape(layer))), kind, 0, None, 0), out
