"""The types that are set in a network with recurrent layers hold every value that can occur."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.frontends.keras_json import keras_input, layer, quantizer
from tests.recurrent_models import GATES, recurrent
from trigger_ml.frontends.quantizers import activation_quantizer
from trigger_ml.frontends.recurrent_plan import Plan, planned

STEPS, UNITS = 6, 2


@dataclass
class Fake:
    """A layer of Keras as far as the plan asks."""

    arrays: list[np.ndarray]
    input_shape: tuple[int | None, ...] = (None, STEPS, 1)

    @property
    def cell(self) -> "Fake":
        return self

    def get_weights(self) -> list[np.ndarray]:
        return self.arrays


class Model:
    """A model of Keras as far as the plan asks."""

    def __init__(self, layers: dict[str, Fake]) -> None:
        self._layers = layers

    def get_layer(self, name: str) -> Fake:
        return self._layers.get(name, Fake([]))


def plan(kind: str, weight: float, **options: Any) -> Plan:
    """Inputs of -4 to 3.97, a cell whose weights are all the same, and two logits."""
    gates = GATES[kind]
    bias = (2, gates * UNITS) if kind == "GRU" else (gates * UNITS,)
    arrays = [np.full(shape, weight, np.float32) for shape in ((1, gates * UNITS),)]
    arrays += [np.full((UNITS, gates * UNITS), weight, np.float32)]
    if options.get("use_bias", True):
        arrays += [np.full(bias, 2.0, np.float32)]
    grid = quantizer("grid", "x", "quantized_bits(8,2,alpha=1)")
    grid["config"]["activation"] = activation_quantizer(grid["config"]["activation"], "grid")
    cell = layer(kind, "rec", ("grid",))
    cell["config"] |= {**recurrent(kind, **options), "units": UNITS}
    dense = layer("Dense", "out", ("rec",), units=2, use_bias=False, activation="linear")
    items = [keras_input("x", STEPS, 1), grid, cell, dense]
    out = np.array([[3.0, 0.5], [-3.0, 0.5]], np.float32)
    model = Model({"rec": Fake(arrays), "out": Fake([out])})
    return planned(model, json.dumps({"config": {"layers": items}}), 18)


def test_the_input_has_the_type_of_its_quantizer() -> None:
    assert plan("GRU", 0.5).types["x"] == plan("GRU", 0.5).types["grid"]
    assert str(plan("GRU", 0.5).types["x"]["result"]) == "fixed<8,3,RND_CONV,SAT>"


@pytest.mark.parametrize(("kind", "state"), [("GRU", 1.0), ("LSTM", 6.0)])
def test_a_state_has_the_bits_that_it_can_need(kind: str, state: float) -> None:
    """Of an LSTM: at each step the sum of one product of two functions of at most one."""
    types = plan(kind, 0.5).types["rec"]
    result = types["result"]
    assert result.max_code * result.step >= state
    assert result.max_code * result.step < 2 * state + 1
    # Input, state and one bias, or two in a GRU, all at their largest.
    summed = 0.5 * 4 + 2 * 0.5 * state + (4.0 if kind == "GRU" else 2.0)
    accumulator = types["accum"]
    assert summed <= accumulator.max_code * accumulator.step < 4 * summed
    assert accumulator.fraction == 16


def test_logits_cannot_overflow() -> None:
    result = plan("GRU", 0.5).types["out"]["result"]
    assert (result.width, result.integer) == (18, 4)


def test_a_relu_in_a_cell_saturates_where_its_state_grows_too_large() -> None:
    small, large = (plan("SimpleRNN", w, activation="relu").types["rec"] for w in (0.125, 8.0))
    assert small["result"].integer < large["result"].integer
    # It reads and gives values of one type, which holds the inputs' fraction too.
    assert large["result"].integer == 9
    assert large["result"].overflow.value == "SAT"


def test_a_simple_rnn_reads_what_it_gives() -> None:
    found = plan("SimpleRNN", 0.5)
    assert found.types["rec_cast"]["result"] == found.types["rec"]["result"]
    assert [entry.name for entry in found.changes["rec"]] == ["rec_cast", "rec"]


def test_a_bias_of_zeros_is_added() -> None:
    found = plan("LSTM", 0.5, use_bias=False)
    assert found.arrays["rec"][2].shape == (4 * UNITS,)
    assert not found.arrays["rec"][2].any()


def test_float_weights_are_written_as_their_type_holds_them() -> None:
    found = plan("LSTM", 0.1)
    kind = found.types["rec"]["weight"]
    written = found.arrays["rec"][0]
    assert (kind.width, kind.integer) == (18, 1)
    assert np.array_equal(kind.decode(kind.encode(written)), written)
    assert np.abs(written - 0.1).max() <= kind.step / 2
