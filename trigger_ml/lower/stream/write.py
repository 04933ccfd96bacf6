"""A streamed network on disk: the kernels' pipelines, the hand-written modules, the top."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.columns import StreamPorts
from trigger_ml.config import Firmware, Target
from trigger_ml.graph.types import Codes
from trigger_ml.lower.rtl import write_core
from trigger_ml.lower.stream.kernels import Kernel, trace_kernel
from trigger_ml.lower.stream.layout import StreamPlan
from trigger_ml.lower.stream.predict import predict_stream
from trigger_ml.lower.stream.schedule import schedule
from trigger_ml.lower.stream.shell import Shell, count_shell
from trigger_ml.lower.stream.statements import kernel_module
from trigger_ml.lower.stream.verilog import MODULES, top_module
from trigger_ml.packaged import packaged_folder

__all__ = ["StreamLogic", "trace_stream", "write_stream"]


@dataclass(frozen=True, slots=True)
class StreamLogic:
    """A plan with its traced kernels, by name. flag_bits: of the flags of every image."""

    plan: StreamPlan
    kernels: Mapping[str, Kernel]
    flag_bits: int = 0

    @property
    def shell(self) -> Shell:
        """What stands around the kernels."""
        return count_shell(self.plan, schedule(self.plan, self.kernels), self.flag_bits)

    def predict(self, codes: Codes) -> Codes:
        """alkaid's own interpreter, kernel by kernel, on flat images of input codes."""
        return predict_stream(self.plan, self.kernels, codes)

    @property
    def pipeline_cycles(self) -> int:
        """Registers from a group of input columns to the same step of the output."""
        return 1 + schedule(self.plan, self.kernels).total

    @property
    def latency_cycles(self) -> int:
        """Clocks from the edge that takes an image's first group to the one that can take its
        last mask, at full rate."""
        return self.plan.groups - 1 + self.plan.flush + self.pipeline_cycles


def trace_stream(plan: StreamPlan, target: Target, firmware: Firmware) -> StreamLogic:
    """Trace every kernel once. Raises ModelError for what alkaid cannot express."""
    kernels = {
        part.name: trace_kernel(part, target, firmware.routing_margin, firmware.adder_depth)
        for part in plan.kernels
    }
    return StreamLogic(plan, kernels, firmware.flag_bits)


def write_stream(logic: StreamLogic, target: Target, top: str, directory: Path) -> RtlProject:
    """Write a streamed network as Verilog. directory: a new folder for the sources."""
    directory.mkdir(parents=True)
    sources: dict[str, Path] = {}
    modules = {}
    for number, (name, kernel) in enumerate(logic.kernels.items()):
        module = f"{top}_kernel{number}_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"
        core, files = write_core(
            kernel.fsm, target, f"{module}_core", module, Hdl.VERILOG, directory
        )
        sources.update({path.name: path for path in files})
        modules[name] = module
        _add(sources, directory / f"{module}.v", kernel_module(module, core, kernel))
    folder = packaged_folder("firmware")
    for name in MODULES:
        path = folder / f"trigger_ml_stream_{name}.v"
        _add(sources, directory / path.name, path.read_text(encoding="utf-8"))
    text = top_module(top, logic.plan, logic.kernels, modules, logic.flag_bits)
    _add(sources, directory / f"{top}.v", text)
    source, result = logic.plan.source, logic.plan.result
    return RtlProject(
        directory,
        Hdl.VERILOG,
        top,
        top,
        tuple(sources.values()),
        logic.latency_cycles,
        source.lanes * source.column_bits,
        result.lanes * result.column_bits,
        target.clock_mhz,
        stream=StreamPorts(
            logic.plan.groups,
            source.layout,
            result.layout,
            {modules[part.name]: part.instances for part in logic.plan.kernels},
            logic.flag_bits,
        ),
    )


def _add(sources: dict[str, Path], path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    sources[path.name] = path
