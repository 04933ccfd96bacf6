"""Which candidate is built, and what is said where none can be: by hand-made figures."""

from dataclasses import replace

import pytest

from trigger_ml.config import load_config
from trigger_ml.fit.candidate import Candidate, Limit, Settings, excess, limits_of
from trigger_ml.fit.choose import choose, refusals
from trigger_ml.synth.devices import find_device

LATENCY = Limit("budget.latency_ns", "latency_ns", "latency", 40.0, " ns")
LUT = Limit("budget.lut_share", "lut", "LUT", 1000.0, "", 10_000)
LIMITS = (LATENCY, LUT)


def made(cycles: int, lut: float, margin: float = 1.5, **more: float) -> Candidate:
    """At 250 MHz. low: LUTs to expect at least, as many where it is not given."""
    low = more.get("low", lut)
    stage = 4.0 / more.get("kept", margin)
    return Candidate(Settings(margin, 2), 4.0, cycles, 1, lut, low, more.get("ff", 0.0), 0.0, stage)


def test_a_candidate_that_meets_all_comes_before_the_margin() -> None:
    slow, large, tight = made(11, 900), made(9, 1100), made(9, 950, 1.1)
    assert choose((slow, large, tight), LIMITS, 1.5) == tight


def test_the_margin_comes_before_luts_and_these_before_latency() -> None:
    tight, kept, smaller = made(8, 500, 1.1), made(9, 900), made(10, 800)
    assert choose((tight, kept, smaller), LIMITS, 1.5) == smaller
    assert choose((tight, made(8, 600, 1.3), made(8, 550, 1.2)), LIMITS, 1.5).lut == 600  # type: ignore[union-attr]


def test_equal_luts_are_told_apart_by_latency_and_flip_flops() -> None:
    late, early, fewer = made(10, 800), made(9, 800, ff=50.0), made(9, 800, ff=40.0)
    assert choose((late, early, fewer), LIMITS, 1.5) == fewer


def test_a_stage_that_one_operation_makes_longer_keeps_no_margin() -> None:
    """It is what a stage turns out as that counts, not what was asked of the cut."""
    longer, other = made(9, 500, 1.5, kept=1.2), made(9, 900, 1.4)
    assert choose((longer, other), LIMITS, 1.5) == other


def test_more_margin_than_wanted_is_worth_nothing() -> None:
    assert choose((made(10, 800, 1.9), made(9, 790)), LIMITS, 1.5).lut == 790  # type: ignore[union-attr]


def test_what_may_turn_out_within_the_limit_is_taken_only_where_nothing_is() -> None:
    perhaps, sure = made(9, 1100, low=990), made(10, 995, 1.0)
    assert choose((perhaps, sure), LIMITS, 1.5) == sure
    assert choose((perhaps, made(12, 100)), LIMITS, 1.5) == perhaps
    assert refusals((perhaps, made(12, 100)), LIMITS, perhaps) == []


def test_nothing_is_chosen_where_a_limit_cannot_be_met() -> None:
    candidates = (made(15, 800), made(12, 900, 1.0))
    assert choose(candidates, LIMITS, 1.5) is None
    (problem,) = refusals(candidates, LIMITS, candidates[0])
    assert str(problem) == (
        "budget.latency_ns: latency 60.0 ns against 40.0 ns: at best 48.0 ns with "
        "routing_margin 1, adder_depth 2\n"
        "    -> grant 48 ns, or make the network smaller (trigger-ml compress)"
    )


def test_every_limit_that_cannot_be_met_is_told() -> None:
    candidates = (made(15, 2000), made(12, 2400, 1.0))
    found = refusals(candidates, LIMITS, candidates[0])
    assert [problem.where for problem in found] == ["budget.latency_ns", "budget.lut_share"]
    assert "and then LUT 2,400 (24.00% of the part) too" in found[0].what
    assert found[1].what.startswith("LUT 2,000 (20.00% of the part) against 1,000 (10.00% of")
    assert found[1].fix.startswith("grant 0.2 of the part, or")


def test_limits_that_are_met_alone_but_not_together() -> None:
    fast, small = made(10, 1200), made(20, 900)
    (problem,) = refusals((small, fast), LIMITS, small)
    assert problem.where == "budget.lut_share"
    assert "LUT 1,200" in problem.what
    assert "not together with the other budgets" in problem.what
    assert "then latency 80.0 ns against 40.0 ns" in problem.what


def test_a_whole_number_of_clocks_that_is_the_budget_is_within_it() -> None:
    assert excess(replace(made(10, 1), clock_ns=40.0 / 10), LIMITS) == 0
    assert excess(made(11, 1), LIMITS) == pytest.approx(0.1)


def test_a_budget_of_no_dsp_at_all() -> None:
    dsp = Limit("budget.dsp_share", "dsp", "DSP", 0.0, "", 100)
    assert dsp.met(made(1, 1))
    assert excess(replace(made(1, 1), dsp=1.0), (dsp,)) == float("inf")


def test_limits_are_the_budget_and_else_the_part() -> None:
    device = find_device("VU13P")
    config = load_config(None, {"budget.latency_ns": 60, "budget.lut_share": 0.5})
    found = {limit.figure: limit for limit in limits_of(config, device)}
    assert found["latency_ns"].most == 60
    assert found["ii_ns"].most == 25
    assert (found["lut"].most, found["lut"].key) == (device.lut / 2, "budget.lut_share")
    assert (found["dsp"].most, found["dsp"].key) == (device.dsp, "target.part")
    assert found["ff"].most == device.ff
    free = config.model_copy(
        update={"budget": config.budget.model_copy(update={"latency_ns": None, "ii_ns": None})}
    )
    assert {limit.figure for limit in limits_of(free, device)} == {"lut", "dsp", "ff"}


def test_a_limit_that_may_be_met_is_not_told_as_one_that_cannot_be() -> None:
    candidates = (made(12, 1100, low=990), made(15, 1050, low=950))
    found = refusals(candidates, LIMITS, candidates[0])
    assert [problem.where for problem in found] == ["budget.latency_ns"]
