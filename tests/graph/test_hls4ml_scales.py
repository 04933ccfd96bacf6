"""hls4ml's normalizations and tables, read into the graph's operations."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hls4ml.model.types import FixedPrecisionType

from trigger_ml.errors import ModelError
from trigger_ml.graph.hls4ml_scales import read_scale, read_unary_table
from trigger_ml.graph.hls4ml_values import NO_PADDING, Reading
from trigger_ml.graph.model import Lookup
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.graph.types import FixedType


def typed(width: int, integer: int) -> SimpleNamespace:
    return SimpleNamespace(precision=FixedPrecisionType(width, integer, True))


def layer(weights: dict[str, tuple[list[float], int, int]], **attributes: Any) -> Any:
    variable = SimpleNamespace(type=typed(8, 4), shape=(2, 2, 2))
    return SimpleNamespace(
        name="it",
        weights={
            name: SimpleNamespace(data=np.array(values), type=typed(width, integer))
            for name, (values, width, integer) in weights.items()
        },
        get_output_variable=lambda output=None: variable,
        get_attr=lambda key, default=None: attributes.get(key, default),
    )


def test_a_scale_for_each_channel() -> None:
    made, _ = read_scale(
        layer({"scale": ([0.5, -1.25], 6, 2), "bias": ([3.0, 0.25], 6, 3)}), [], FixedType(8, 4)
    )
    assert isinstance(made, Scale)
    assert made.scale.tolist() == [8, -20]
    assert (made.bias.tolist(), str(made.bias_type)) == ([24, 2], "fixed<6,3>")
    with pytest.raises(ModelError, match="not on the grid"):
        read_scale(
            layer({"scale": ([0.3, 1], 6, 2), "bias": ([0.0, 0], 6, 3)}), [], FixedType(8, 4)
        )


@pytest.mark.parametrize(("signed", "entries"), [(True, [4, 6, 0, 2]), (False, [0, 2, 4, 6])])
def test_a_table_in_the_order_of_codes(signed: bool, entries: list[int]) -> None:
    own = layer({"table": ([0, 0.5, 1, 1.5], 4, 3)}, table_t=typed(4, 3))
    reading = Reading(FixedType(2, 2, signed), (2, 2, 2), NO_PADDING)
    made, _ = read_unary_table(own, [reading], FixedType(6, 4))
    assert isinstance(made, Lookup)
    assert made.table.tolist() == entries
