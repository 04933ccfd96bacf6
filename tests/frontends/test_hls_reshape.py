"""Weights of a dense layer that take over the order of axes before it."""

from __future__ import annotations

from itertools import permutations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hls4ml.model.optimizer.passes.convert_to_channels_last import RemoveTransposeBeforeFlatten
from hls4ml.model.types import FixedPrecisionType, WeightVariable

from trigger_ml.frontends.hls_reshape import register_reshape

SHAPE = (2, 3, 4)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_dense_layer_computes_the_same_without_the_permutation(order: tuple[int, ...]) -> None:
    register_reshape()
    register_reshape()
    random = np.random.default_rng(1)
    weight = random.integers(-7, 8, (24, 5))
    image = random.integers(-7, 8, SHAPE)
    kept: dict[str, Any] = {}
    variable = WeightVariable("w1", "weight_t", FixedPrecisionType(8, 8), weight.copy(), index=1)
    dense = SimpleNamespace(index=1, get_weights=lambda name: variable, set_attr=kept.__setitem__)
    shape = [SHAPE[axis] for axis in order]
    turned = SimpleNamespace(
        get_output_variable=lambda: SimpleNamespace(shape=shape),
        get_attr={"perm": list(order)}.__getitem__,
    )
    row = SimpleNamespace(get_input_node=lambda: turned, get_output_nodes=lambda: [dense])
    removed: list[Any] = []
    model = SimpleNamespace(remove_node=removed.append)
    assert RemoveTransposeBeforeFlatten().transform(model, row)
    assert removed == [turned]
    expected = image.transpose(order).reshape(-1) @ weight
    assert np.array_equal(image.reshape(-1) @ kept["weight"].data, expected)
