"""Streams that a part, or its budget, cannot hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.compress.small_networks import chain as dense_chain
from tests.lower.stream.networks import chain
from trigger_ml import requirements
from trigger_ml.artifacts import Resources, Synthesis
from trigger_ml.capacity import (
    FAR,
    Throughput,
    count_stream,
    require_room,
    require_rough_room,
    room_hint,
    slower,
)
from trigger_ml.compress.fixed_point.layer_types import DenseTypes, LayerTypes, fixed_graph
from trigger_ml.config import Config, load_config
from trigger_ml.errors import ConfigError
from trigger_ml.graph.types import FixedType
from trigger_ml.lower.build import trace_firmware
from trigger_ml.lower.stream.write import StreamLogic
from trigger_ml.pipeline import Request, compile_model
from trigger_ml.synth.devices import Device, find_device

GRAPH = chain(1, (4, 30, 2))
MODEL = Path(__file__).parent / "data" / "tiny_conv.h5"


def traced(columns: int) -> StreamLogic:
    logic = trace_firmware(GRAPH, load_config(None, {"firmware.columns_per_clock": columns}))
    assert isinstance(logic, StreamLogic)
    return logic


@pytest.fixture(scope="module")
def logic() -> StreamLogic:
    """An image every 2 clocks."""
    return traced(15)


def part(logic: StreamLogic, share: float) -> Device:
    """A part with a share of the LUTs that a stream takes."""
    lut = count_stream(logic).total.lut
    assert lut is not None
    return replace(find_device("VU13P"), name="VU0P", lut=int(lut * share))


def lut_of(columns: int) -> float:
    lut = count_stream(traced(columns)).total.lut
    assert lut is not None
    return lut


def test_the_throughput_found_is_the_highest_that_fits(logic: StreamLogic) -> None:
    """Held against tracing and counting both neighbours anew."""
    counted = count_stream(logic)
    found = slower(logic, counted, counted.total.lut * 0.5)
    assert found is not None
    faster = next(n for n in range(found.columns + 1, 31) if -(-30 // n) < found.groups)
    assert lut_of(found.columns) <= counted.total.lut * 0.5 < lut_of(faster)
    assert found.groups == -(-30 // found.columns)
    assert slower(logic, counted, counted.total.lut) == Throughput(15, 2)
    assert slower(logic, counted, 10.0) is None
    assert slower(logic, counted, counted.total.lut, ff=10.0) is None


def test_an_interval_is_one_that_the_budget_takes(logic: StreamLogic) -> None:
    """The ns that a message names lead to the columns that it names."""
    for groups in (3, 4, 7, 11, 30):
        ns = Throughput(0, groups).interval_ns(360.0)
        config = load_config(None, {"budget.ii_ns": ns})
        again = trace_firmware(GRAPH, config)
        assert isinstance(again, StreamLogic)
        assert again.plan.groups <= groups
        assert ns == pytest.approx(groups / 0.36, abs=0.01)


def test_more_than_the_part_names_what_it_holds(logic: StreamLogic) -> None:
    require_room(logic, Config(), part(logic, 1.01))
    with pytest.raises(ConfigError) as caught:
        require_room(logic, Config(), part(logic, 0.5))
    (blocker,) = caught.value.blockers
    assert blocker.where == "budget.ii_ns"
    assert "15 columns a clock, an image every 2 clocks = 5.6 ns, takes" in blocker.what
    assert "LUT, and a VU0P has" in blocker.what
    assert "it holds 6 columns a clock, an image every 5 clocks = 13.9 ns" in blocker.fix
    assert "(budget.ii_ns: 13.89)" in blocker.fix


def test_the_key_named_is_the_one_that_was_set(logic: StreamLogic) -> None:
    config = load_config(None, {"firmware.columns_per_clock": 15})
    with pytest.raises(ConfigError, match=r"\(firmware.columns_per_clock: 6\)"):
        require_room(logic, config, part(logic, 0.5))
    with pytest.raises(ConfigError, match="not even the slowest stream fits"):
        require_room(logic, config, part(logic, 0.01))


def test_flip_flops_count_too(logic: StreamLogic) -> None:
    ff = count_stream(logic).total.ff
    assert ff is not None
    with pytest.raises(ConfigError, match="flip-flops, and a VU0P has"):
        require_room(logic, Config(), replace(part(logic, 2.0), ff=int(ff / 2)))


def test_a_share_of_the_budget_gets_a_hint_scaled_to_what_counted(logic: StreamLogic) -> None:
    first = count_stream(logic)
    device = part(logic, 2.0)
    config = load_config(None, {"budget.lut_share": 0.4})
    hint = room_hint(logic, (first,), config, device)
    assert hint.startswith("about 10 columns a clock, an image every 3 clocks")
    yosys = Synthesis("yosys", "1", Resources(lut=first.total.lut * 1.5))
    assert room_hint(logic, (first, yosys), config, device).startswith("about 6 columns a clock")
    enough = load_config(None, {"budget.lut_share": 0.51})
    assert room_hint(logic, (first,), enough, device) == ""
    tiny = load_config(None, {"budget.lut_share": 0.001})
    assert room_hint(logic, (first,), tiny, device) == "no throughput stays within it"


def test_a_pipeline_far_larger_than_the_part_is_refused_untraced() -> None:
    network = dense_chain((16, 32, 5))
    kind = FixedType(9, 1)
    hidden = DenseTypes(kind, kind, FixedType(9, 3, False))
    types = {"fc0": hidden, "fc1": DenseTypes(kind, kind, None)}
    graph = fixed_graph(network, LayerTypes(FixedType(12, 4), types))
    whole = find_device("VU13P")
    said = require_rough_room(graph, Config(), whole)
    assert said.startswith("about ") and said.endswith("% of a VU13P")
    lut = float(said.split()[1].replace(",", ""))
    assert 3_000 < lut < 30_000
    require_rough_room(graph, Config(), replace(whole, lut=int(lut / FAR) + 1))
    with pytest.raises(ConfigError) as caught:
        require_rough_room(graph, Config(), replace(whole, name="VU0P", lut=int(lut / 5)))
    (blocker,) = caught.value.blockers
    assert blocker.where == "target.part"
    assert f"about {lut:,.0f} LUT by rules of thumb, 5.0 times the" in blocker.what
    assert "trigger-ml compress" in blocker.fix
    assert require_rough_room(GRAPH, Config(), replace(whole, lut=1)) == ""


@pytest.mark.slow
def test_a_compilation_that_cannot_fit_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(name: str) -> Device:
        return replace(find_device(name), lut=8000)

    monkeypatch.setattr(requirements, "find_device", small)
    changes = {"firmware.input_type": "ufixed<1,1>", "verify.random_events": 0}
    config = load_config(None, {**changes, "verify.simulator": "icarus"})
    with pytest.raises(ConfigError, match="it holds 1 column a clock"):
        compile_model(Request(MODEL, config, output=tmp_path / "build" / "m"))
    assert list((tmp_path / "build").iterdir()) == []
