"""What a candidate costs in firmware, to the figures that its compilation would report.

The graph is traced and cut for the target clock as :func:`trigger_ml.pipeline.compile_model`
does, and the same cost model counts it; nothing is written and nothing is simulated.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from trigger_ml.artifacts import Hdl
from trigger_ml.config import Config, OutputKind
from trigger_ml.errors import Blocker, ConfigError, DataError
from trigger_ml.frontends.client import firmware_graph
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.operations import Softmax
from trigger_ml.lower.rtl import pipeline, trace_graph
from trigger_ml.lower.wrapper import Core, write_wrapper
from trigger_ml.synth.cost_model import estimate

__all__ = ["Cost", "measure_cost"]

TOP: Final = "candidate"


@dataclass(frozen=True, slots=True)
class Cost:
    """Resources and latency of one candidate.

    lut: as reported, with the LUTs of shift registers and with sums of three fused.
    lut_binary_adders: of the logic alone, without that fusing. ff: flip-flops, the valid bits
    among them. latency_cycles: clocks from input valid to output valid; latency_ns: at the target
    clock. worst_stage_ns: longest estimated logic delay of a stage. by_layer: LUTs of the logic
    with binary adders, by layer; activations count with the layer before them. seconds: that the
    measurement took.
    """

    lut: float
    lut_binary_adders: float
    ff: float
    latency_cycles: int
    latency_ns: float
    worst_stage_ns: float
    by_layer: Mapping[str, float] = field(hash=False)
    seconds: float = field(compare=False)

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Cost:
        """Read :meth:`to_json`. Raises DataError naming every wrong or missing key."""
        try:
            return TypeAdapter(cls).validate_python(data)
        except ValidationError as error:
            raise DataError(
                [
                    Blocker(".".join(("cost", *map(str, item["loc"]))), item["msg"])
                    for item in error.errors()
                ]
            ) from error


def measure_cost(graph: FixedGraph, config: Config) -> Cost:
    """Trace, cut and count a network.

    graph: the network without the decision that ``config.firmware.output`` asks for, which is
    added here as a compilation adds it. Takes seconds for thousands of LUTs.

    Raises ModelError for what cannot be traced or has no live bit, and ConfigError for a softmax
    in firmware that the graph does not have: its tables are the front end's.
    """
    started = time.perf_counter()
    if config.firmware.output is OutputKind.SOFTMAX and not any(
        isinstance(node.operation, Softmax) for node in graph.output_nodes
    ):
        raise ConfigError(
            Blocker(
                "firmware.output",
                "softmax is asked for, and the candidates of a search end in logits",
                "search with firmware.output: logits and compile the chosen model with softmax",
            )
        )
    firmware = firmware_graph(graph, config)
    logic = trace_graph(firmware, config.firmware.adder_depth)
    fsm = pipeline(logic, config.target, config.firmware.routing_margin)
    core = Core.of_fsm(f"{TOP}_core", fsm)
    # The texts are not needed; a network that cannot have a top must not look cheap.
    write_wrapper(TOP, core, firmware.input_types, firmware.output_types, Hdl.VERILOG)
    cycles = core.latency_cycles
    found = estimate(logic.program, fsm, layer_lut=logic.layer_cost, extra_ff=cycles)
    total = found.total
    assert total.lut is not None and total.ff is not None
    return Cost(
        lut=float(total.lut),
        lut_binary_adders=float(logic.program.cost),
        ff=float(total.ff),
        latency_cycles=cycles,
        latency_ns=cycles * 1e3 / config.target.clock_mhz,
        worst_stage_ns=float(found.details["worst_stage_ns"]),
        by_layer={name: float(cost) for name, cost in logic.layer_cost.items()},
        seconds=time.perf_counter() - started,
    )
