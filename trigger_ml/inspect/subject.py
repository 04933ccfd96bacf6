"""One side of a comparison: a model file, or a build with all that was measured in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from trigger_ml.check.lock import Lock, read_lock
from trigger_ml.config import Config
from trigger_ml.errors import BlockedError, Blocker, BuildError, ModelError
from trigger_ml.frontends.formats import detect
from trigger_ml.graph.model import FixedGraph
from trigger_ml.inspect.cost import rough_cost
from trigger_ml.inspect.network import BY_NUMPY, HLS4ML, Network, collect, read_network
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.report.schema import Report, load_report
from trigger_ml.synth.rough import multiplications

__all__ = ["Figures", "Subject", "read_subjects"]

Figures = Mapping[str, Any]
"""Figures by name, in the order in which they are shown."""


@dataclass(frozen=True, eq=False)
class Subject:
    """name: as the user gave it. totals: of the network. sections: of a build what was measured,
    by what it is about; empty for a model file."""

    name: str
    network: Network
    totals: Figures
    sections: Mapping[str, Figures] = field(default_factory=dict)

    @property
    def is_build(self) -> bool:
        """Whether there is more than the model."""
        return bool(self.sections)


def read_subjects(
    old: Path, new: Path, config: Config, *, full: bool, listener: Listener | None = None
) -> tuple[Subject, Subject]:
    """Read both sides. config: for model files; a build has its own.

    full: let frameworks and hls4ml read model files. Raises BlockedError with what is wrong with
    either model, and BuildError for a folder that is no whole build.
    """
    clock = Stopwatch(listener or Quiet())
    blockers: list[Blocker] = []
    found: list[Subject] = []
    for path in (old, new):
        own: list[Blocker] = []
        collect(own, lambda path=path: found.append(_read(path, config, full, clock)))  # type: ignore[misc]
        blockers += [Blocker(f"{path}: {item.where}", item.what, item.fix) for item in own]
    if blockers:
        raise ModelError(blockers)
    return found[0], found[1]


def _read(path: Path, config: Config, full: bool, clock: Stopwatch) -> Subject:
    if path.is_dir():
        return _build(path, full, clock)
    network = read_network(path, config, full=full, clock=clock)
    return Subject(str(path), network, _totals(network, config))


def _build(folder: Path, full: bool, clock: Stopwatch) -> Subject:
    report, lock = load_report(folder), read_lock(folder)
    try:
        config = Config.model_validate(yaml.safe_load((folder / "config.yaml").read_text("utf-8")))
        network = _build_network(folder, config, report, full, clock)
    except (OSError, ValueError, KeyError, TypeError, StopIteration, ValidationError) as error:
        raise BuildError(f"{folder} is not a whole build: {error}; compile it again") from error
    sections = _sections(report, lock, config)
    return Subject(str(folder), network, _totals(network, config), sections)


def _build_network(
    folder: Path, config: Config, report: Report, full: bool, clock: Stopwatch
) -> Network:
    """From the model file where that needs no framework, else the graph that hls4ml gave."""
    files = sorted((folder / "model").iterdir(), key=lambda path: (path.suffix != ".json", path))
    model = next(iter(files))
    if not full and detect(model) in BY_NUMPY:
        try:
            network = read_network(model, config, full=False, clock=clock)
        except BlockedError:
            # It was compiled once, so the graph is there; what refuses it now is newer.
            network = None
        if network is not None and not network.unknown:
            return network
    graph = FixedGraph.from_json(json.loads((folder / "firmware.json").read_text("utf-8")))
    return Network(
        model.name,
        report.model.format,
        HLS4ML,
        report.model.float_tail[0] if report.model.float_tail else "",
        graph,
        {},
        tuple(node.name for node in graph.nodes),
        {},
        report.model.parameters,
    )


def _totals(network: Network, config: Config) -> Figures:
    """Figures of the whole network; those of a network known in part are left out."""
    found: dict[str, Any] = {"parameters": network.parameters}
    if network.unknown:
        return found
    found["parameters not zero"] = network.nonzero
    found["MACs per event"] = sum(multiplications(node) for node in network.graph.nodes)
    cost = rough_cost(network.graph, config)
    found["LUT, rough"] = round(cost.lut)
    found["latency in clocks, rough"] = cost.latency_cycles
    return found


def _sections(report: Report, lock: Lock, config: Config) -> dict[str, Figures]:
    return {
        "latency": {
            "latency in clocks": lock.latency_cycles,
            "latency in ns": report.latency.ns,
            "clocks between events": lock.ii_cycles,
            "ns between events": report.latency.ii_ns,
        },
        "resources": {
            f"{origin} {key}": value
            for origin, counts in lock.resources.items()
            for key, value in counts.items()
        },
        "physics": dict(lock.physics),
        "verdicts": {row.name: "pass" if row.passed else "FAIL" for row in report.verdicts},
        "versions": {**report.versions, **lock.versions},
        "configuration": _flat(config.model_dump(mode="json")),
    }


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
