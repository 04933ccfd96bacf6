"""Levels and delays of stages in a Synthesis's details."""

from __future__ import annotations

from trigger_ml.synth.yosys_paths import CLOCK_TO_Q_NS, LOCAL_NET_NS, SETUP_NS, Longest
from trigger_ml.synth.yosys_timing import joined_timing, timing_details

INSIDE = [Longest(2, 8, 1.0), Longest(3, 9, 2.0)]


def test_each_stage_and_the_worst_of_all() -> None:
    paths = {"1": Longest(4, 9, 2.5), "": Longest(1, 0, 0.6)}
    found = timing_details(["a", "b"], INSIDE, paths)
    own = 1.0 + CLOCK_TO_Q_NS + LOCAL_NET_NS + SETUP_NS
    assert found["stage_names"] == ["a", "b"]
    assert found["stage_levels"] == [2, 4]
    assert found["stage_carry_bits"] == [8, 9]
    assert found["stage_delays_ns"] == [round(own, 3), 2.5]
    assert found["wrapper"] == {"levels": 1, "carry_bits": 0, "delay_ns": 0.6}
    assert found["worst_stage"] == {
        **{"name": "b", "index": 1, "levels": 4, "carry_bits": 9, "delay_ns": 2.5},
        "max_mhz": 400.0,
    }
    assert "estimate" in found["delay_model"]


def test_what_is_around_the_stages_can_be_the_worst() -> None:
    found = timing_details(["a"], INSIDE[:1], {"": Longest(9, 0, 4.0)})
    worst = found["worst_stage"]
    assert (worst["name"], worst["index"], worst["max_mhz"]) == ("wrapper", None, 250.0)


def test_nothing_at_all() -> None:
    found = timing_details([], [], {})
    assert (found["stage_levels"], found["wrapper"], found["worst_stage"]) == ([], None, None)


def test_pipelines_are_joined_in_order() -> None:
    first = timing_details(["a"], INSIDE[:1], {"": Longest(1, 0, 0.6)})
    second = timing_details(["b"], INSIDE[1:], {"": Longest(2, 0, 1.1)})
    found = joined_timing([first, second])
    assert found["stage_names"] == ["a", "b"]
    assert found["stage_levels"] == [2, 3]
    assert found["wrapper"]["levels"] == 2
    assert found["worst_stage"]["name"] == "b"
