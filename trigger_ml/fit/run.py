"""Fit a model to its budget: read it, try candidates, choose one or say why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trigger_ml.config import Config, OutputKind
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.fit.attempts import attempt
from trigger_ml.fit.candidate import Candidate, Limit, limits_of
from trigger_ml.fit.choose import choose, refusals
from trigger_ml.graph.model import FixedGraph, Softmax
from trigger_ml.inspect.run import Request, read_with_types
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.synth.devices import Device, find_device

__all__ = ["Fit", "fit_graph", "fit_model"]


@dataclass(frozen=True, slots=True)
class Fit:
    """What was tried for a configuration, and what was chosen.

    candidates: the first is that of the configuration as it is. chosen: None where no candidate
    keeps within all limits. counted: what stands behind the LUTs. notes: sentences.
    """

    config: Config
    limits: tuple[Limit, ...]
    candidates: tuple[Candidate, ...]
    chosen: Candidate | None
    counted: str
    notes: tuple[str, ...] = ()

    @property
    def blockers(self) -> list[Blocker]:
        """Which budgets cannot be met, and by how much; empty where all are."""
        return refusals(self.candidates, self.limits, self.candidates[0])

    def fitted(self) -> Config:
        """The configuration with what was chosen in it. Raises ConfigError where nothing was."""
        if self.chosen is None:
            raise ConfigError(self.blockers)
        keys = {**self.chosen.settings.to_keys(), "fit": False}
        firmware = self.config.firmware.model_copy(update=keys)
        return self.config.model_copy(update={"firmware": firmware})

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON, every figure with its unit in the key."""
        return {
            "clock_mhz": self.config.target.clock_mhz,
            "lut_counted_by": self.counted,
            "limits": [asdict(limit) for limit in self.limits],
            "chosen": None if self.chosen is None else self._plain(self.chosen),
            "candidates": [self._plain(item) for item in self.candidates],
            "problems": [str(blocker) for blocker in self.blockers],
            "notes": list(self.notes),
        }

    def _plain(self, item: Candidate) -> Mapping[str, Any]:
        figures = asdict(item)
        missed = [limit.key for limit in self.limits if not limit.met(item)]
        times = {"latency_ns": item.latency_ns, "ii_ns": item.ii_ns, "margin": item.margin}
        return {**figures, **times, "missed": missed}


def fit_model(
    model: Path, config: Config, data: Path | None = None, listener: Listener | None = None
) -> Fit:
    """Fit a model file to the budget of its configuration; nothing is written.

    data: events, from which a float model gets its types. Raises BlockedError with everything
    that a compilation would refuse as well.
    """
    if not config.firmware.rtl:
        what = "hls4ml's project has none of the choices that a fit makes"
        raise ConfigError(Blocker("firmware.rtl: false", what, "leave --fit and firmware.fit out"))
    device = find_device(config.target.part)
    clock = Stopwatch(listener or Quiet())
    network = read_with_types(Request(model, config, data), clock)
    if network.unknown or _lacks_softmax(network.graph, config):
        network = read_with_types(Request(model, config, data, full=True), clock)
    return fit_graph(network.graph, config, device, clock)


def _lacks_softmax(graph: FixedGraph, config: Config) -> bool:
    """Whether firmware has a softmax that a graph read without frameworks may lack."""
    wanted = config.firmware.output is OutputKind.SOFTMAX
    return wanted and not any(isinstance(node.operation, Softmax) for node in graph.nodes)


def fit_graph(graph: FixedGraph, config: Config, device: Device, clock: Stopwatch) -> Fit:
    """Fit the graph that firmware is made from."""
    with clock.stage("fit", "try candidates by the cost model") as stage:
        tried = attempt(graph, config, stage.moved)
        stage.note = f"{len(tried.candidates)} candidates"
    limits = limits_of(config, device)
    chosen = choose(tried.candidates, limits, config.firmware.routing_margin)
    counted = "cost model"
    if config.verify.engine == "yosys":
        counted = "what the cost model predicts of yosys"
    return Fit(config, limits, tried.candidates, chosen, counted, tried.notes)
