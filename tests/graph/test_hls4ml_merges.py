"""hls4ml's joins, reshapes and layers of the family of ReLU: what is read, what is refused."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hls4ml.model.types import FixedPrecisionType

from trigger_ml.errors import ModelError
from trigger_ml.graph.hls4ml_merges import read_dot, read_merge, read_reshape
from trigger_ml.graph.hls4ml_rectify import read_clipped_relu, read_parametrized, read_prelu
from trigger_ml.graph.hls4ml_values import NO_PADDING, Reading
from trigger_ml.graph.merge_operations import Add, Average, Dot, Maximum, Minimum, Subtract
from trigger_ml.graph.model import Multiply, Operation
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.types import FixedType

KIND = FixedType(6, 3)
READING = Reading(KIND, (2, 2), NO_PADDING)


def typed(width: int, integer: int, signed: bool = True) -> SimpleNamespace:
    return SimpleNamespace(precision=FixedPrecisionType(width, integer, signed))


def layer(weights: dict[str, Any] | None = None, **attributes: Any) -> Any:
    variable = SimpleNamespace(type=typed(6, 3), shape=(2, 2))
    return SimpleNamespace(
        name="it",
        weights=weights or {},
        get_output_variable=lambda: variable,
        get_attr=lambda key, default=None: attributes.get(key, default),
    )


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("add", Add),
        ("subtract", Subtract),
        ("multiply", Multiply),
        ("average", Average),
        ("maximum", Maximum),
        ("Minimum", Minimum),
    ],
)
def test_merges(name: str, operation: type[Operation]) -> None:
    found, out = read_merge(layer(op=name), [READING, READING], KIND)
    assert type(found) is operation and out == KIND


def test_merges_and_shapes_that_are_refused() -> None:
    with pytest.raises(ModelError, match=r"it: hls4ml's merge of kind dot2d (?s:.*)use one of add"):
        read_merge(layer(op="dot2d"), [READING, READING], KIND)
    with pytest.raises(ModelError, match="it: carries fixed<6,3> as fixed<5,3>"):
        read_reshape(layer(), [READING], FixedType(5, 3))
    found, _ = read_dot(layer(accum_t=typed(12, 6)), [READING, READING], KIND)
    assert isinstance(found, Dot) and found.accumulator == FixedType(12, 6)


def rectified(read: Any, *arguments: Any) -> Rectify:
    found, out = read(*arguments, [READING], KIND)
    assert isinstance(found, Rectify) and out == KIND
    return found


def test_a_relu_with_a_bound() -> None:
    found = rectified(read_clipped_relu, layer(bound=6))
    assert (found.bound, found.threshold, found.fraction) == (6, 0, 0)
    assert found.slope.tolist() == [[0, 0], [0, 0]]


def test_numbers_are_those_of_hls4mls_types() -> None:
    options = {"activ_param": 0.375, "param_t": typed(2, -1, False)}
    leaky = rectified(read_parametrized, layer(activation="LeakyReLU", **options))
    assert leaky.slope_type.decode(leaky.slope).tolist() == [[0.375, 0.375], [0.375, 0.375]]
    assert (leaky.bound, leaky.threshold) == (None, 0)
    options = {"activ_param": 1.5, "param_t": typed(3, 1, False)}
    cut = rectified(read_parametrized, layer(activation="ThresholdedReLU", **options))
    assert cut.threshold * 2.0**-cut.fraction == 1.5 and not cut.slope.any()
    options["param_t"] = typed(2, 2, False)
    with pytest.raises(ModelError, match=r"gives its parameter 1\.5 the type ufixed<2,2>"):
        read_parametrized(layer(activation="LeakyReLU", **options), [READING], KIND)
    with pytest.raises(ModelError, match="the activation elu is not known"):
        read_parametrized(layer(activation="ELU", activ_param=1.0, param_t=typed(2, 2)), [], KIND)


def test_slopes_of_their_own() -> None:
    data = np.array([0.5, -0.25, 1, 0])
    variable = SimpleNamespace(type=typed(4, 2), data=data)
    found = rectified(read_prelu, layer({"param": variable}))
    assert found.slope_type.decode(found.slope).ravel().tolist() == data.tolist()
