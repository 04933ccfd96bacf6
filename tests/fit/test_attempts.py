"""Candidates of small networks are what a compilation would count."""

from functools import cache
from pathlib import Path

import pytest

from tests.lower.stream.networks import chain
from trigger_ml.config import Config, load_config
from trigger_ml.errors import ConfigError
from trigger_ml.fit import attempts
from trigger_ml.fit.attempts import attempt
from trigger_ml.fit.candidate import Candidate, Settings
from trigger_ml.fit.run import Fit, fit_graph, fit_model
from trigger_ml.fit.table import useful
from trigger_ml.frontends.direct import direct_graph
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.inspect.cost import traced_cost
from trigger_ml.progress import Quiet, Stopwatch
from trigger_ml.synth.devices import find_device

TINY = Path(__file__).parents[1] / "data" / "tiny_qkeras.h5"
GRAPH = direct_graph(read_keras(TINY), None).graph
IMAGES = chain(1, (4, 30, 2))
NO_SYNTHESIS = {"verify.synthesis": False}


@cache
def fit(**changes: object) -> Fit:
    config = load_config(None, {**NO_SYNTHESIS, **changes})
    return fit_graph(GRAPH, config, find_device("VU13P"), Stopwatch(Quiet()))


def same(found: Candidate, graph: object, config: Config) -> None:
    """As the flow itself counts the settings."""
    firmware = config.firmware.model_copy(update=found.settings.to_keys())
    cost = traced_cost(graph, config.model_copy(update={"firmware": firmware}))  # type: ignore[arg-type]
    assert (found.latency_cycles, found.ii_cycles) == (cost.latency_cycles, cost.ii_cycles)
    assert found.lut == pytest.approx(cost.lut)


def test_figures_are_those_of_a_compilation() -> None:
    found = fit()
    assert found.candidates[0].settings == Settings(1.5, 2)
    for item in (found.candidates[0], found.candidates[-1]):
        same(item, GRAPH, found.config)


def test_figures_of_a_stream_are_those_of_a_compilation() -> None:
    config = load_config(None, {**NO_SYNTHESIS, "budget.ii_ns": 6.0})
    found = attempt(IMAGES, config).candidates
    assert found[0].settings == Settings(1.5, 2, 15)
    lanes = {item.settings.columns_per_clock for item in found}
    assert {1, 15, 30} <= lanes
    assert [item.ii_cycles for item in found if item.settings == Settings(1.0, 0, 30)] == [1]
    one = next(item for item in found if item.settings == Settings(1.0, 0, 1))
    for item in (found[0], one):
        same(item, IMAGES, config)


def test_fewer_columns_take_fewer_luts_and_more_time() -> None:
    found = attempt(IMAGES, load_config(None, NO_SYNTHESIS)).candidates
    own = [item for item in found if item.settings.routing_margin == 1.5]
    own = [item for item in own if item.settings.adder_depth == 2]
    own.sort(key=lambda item: item.settings.columns_per_clock or 0)
    assert [item.lut for item in own] == sorted(item.lut for item in own)
    assert own[0].latency_cycles > own[-1].latency_cycles


def test_a_throughput_that_the_budget_cannot_pay_is_refused_with_what_there_is() -> None:
    config = load_config(None, {**NO_SYNTHESIS, "budget.ii_ns": 3.0, "budget.lut_share": 1e-5})
    found = fit_graph(IMAGES, config, find_device("VU13P"), Stopwatch(Quiet()))
    with pytest.raises(ConfigError) as raised:
        found.fitted()
    assert {problem.where for problem in raised.value.blockers} == {"budget.lut_share"}
    assert "columns_per_clock 1" in str(raised.value)


def test_a_budget_with_room_keeps_the_margin() -> None:
    found = fit(**{"budget.latency_ns": 100.0})
    assert found.chosen is not None
    assert found.chosen.margin >= 1.5
    assert found.chosen.lut == min(item.lut for item in found.candidates if item.margin >= 1.5)
    firmware = found.fitted().firmware
    assert firmware.routing_margin == found.chosen.settings.routing_margin
    assert firmware.adder_depth == found.chosen.settings.adder_depth
    assert not firmware.fit


def test_a_latency_that_needs_the_margin_is_met_without_it() -> None:
    free = fit()
    best = min(item.latency_ns for item in free.candidates)
    kept = min(item.latency_ns for item in free.candidates if item.margin >= 1.5)
    assert best < kept
    found = fit(**{"budget.latency_ns": best})
    assert found.chosen is not None
    assert found.chosen.latency_ns == best
    assert found.blockers == []


def test_a_latency_that_cannot_be_met() -> None:
    best = min(item.latency_ns for item in fit().candidates)
    found = fit(**{"budget.latency_ns": best - 1})
    assert found.chosen is None
    with pytest.raises(ConfigError, match=f"at best {best:.1f} ns with routing_margin"):
        found.fitted()
    assert found.to_json()["chosen"] is None
    assert len(found.to_json()["problems"]) == 1


def test_what_the_configuration_gives_stays_as_it_is() -> None:
    found = fit(**{"firmware.routing_margin": 1.25, "firmware.adder_depth": 1})
    assert [item.settings for item in found.candidates] == [Settings(1.25, 1)]
    config = load_config(None, {**NO_SYNTHESIS, "firmware.columns_per_clock": 10})
    columns = {item.settings.columns_per_clock for item in attempt(IMAGES, config).candidates}
    assert columns == {10}


def test_luts_are_what_the_build_is_judged_by() -> None:
    by_model, by_yosys = fit(), fit(**{"verify.synthesis": True})
    assert by_model.candidates[0].lut != by_yosys.candidates[0].lut
    assert "yosys" in by_yosys.counted
    low, value = by_yosys.candidates[0].lut_low, by_yosys.candidates[0].lut
    assert 0.5 * value < low < value


def test_a_large_network_is_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PATIENCE_S", 0.0)
    found = fit.__wrapped__()
    assert {item.settings.adder_depth for item in found.candidates} == {2}
    assert "adder_depth -1, 0 was not tried" in found.notes[0]


def test_the_table_shows_each_latency_once_and_the_choice() -> None:
    found = fit()
    shown = useful(found)
    assert found.chosen in shown
    assert found.candidates[0] in shown
    assert {item.latency_cycles for item in shown} == {i.latency_cycles for i in found.candidates}
    assert len(shown) < len(found.candidates)


def test_a_project_without_rtl_has_nothing_to_choose() -> None:
    with pytest.raises(ConfigError, match="none of the choices"):
        fit_model(TINY, load_config(None, {"firmware.rtl": False}))
