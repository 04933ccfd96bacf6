"""Compile a case with every witness on full-range vectors, and say what each of them found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from tests.layers.case import GROUPS, Case, cases
from trigger_ml.config import Config
from trigger_ml.float_graph.source import read_source
from trigger_ml.frontends.hgq_paths import worker_environment
from trigger_ml.pipeline import Request, compile_model

__all__ = ["EVENTS", "Found", "all_cases", "build_models", "compile_case"]

EVENTS: Final = 65_536
"""Draws over the whole input type, for each witness; the corners come on top."""
DRAWN: Final = 4_000
"""Normal events that a float model gets its types from."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a compilation said. events: compared, by witness; mismatches: likewise."""

    case: Case
    events: dict[str, int]
    mismatches: dict[str, int]
    lut: float
    clocks: int

    @property
    def exact(self) -> bool:
        """Whether all witnesses saw all vectors and none differs."""
        enough = all(self.events.get(name, 0) >= EVENTS for name in ("source", "csim", "rtl"))
        return enough and not any(self.mismatches.values())


def all_cases() -> list[Case]:
    """Cases of all groups."""
    return [case for group in GROUPS for case in cases(group)]


def build_models(folder: Path, groups: tuple[str, ...] = GROUPS) -> None:
    """Write the model files, each group in a process of its own.

    The builders of groups whose name starts with ``hgq`` can import HGQ2.
    """
    for group in groups:
        command = [sys.executable, "-m", "tests.layers.build", group, str(folder)]
        more = worker_environment("numpy") if group.startswith("hgq") else {}
        subprocess.run(command, check=True, cwd=Path(__file__).parents[2], env=os.environ | more)


def compile_case(case: Case, folder: Path) -> Found:
    """Compile a case whose model file is in ``folder``, or say what was found there before."""
    done = folder / f"{Path(case.file).stem}.json"
    if done.exists():
        return Found(case, **json.loads(done.read_text()))
    settings: dict[str, Any] = yaml.safe_load(case.config) or {}
    settings["verify"] = {
        "events": EVENTS,
        "random_events": EVENTS,
        "cosim_events": EVENTS,
        "cross_simulate": 0,
        "synthesis": False,
        **settings.get("verify", {}),
    }
    settings.setdefault("budget", {"latency_ns": None})
    config = Config.model_validate(settings)
    output = folder / Path(case.file).stem
    data = _events(folder / case.file, config) if case.floats else None
    report = compile_model(Request(folder / case.file, config, data, output)).report
    pairs = {pair.name.split("~")[0]: pair for pair in report.fidelity.pairs}
    pairs["source"] = pairs.pop("graph")
    cost = report.resources.cost_model
    told = {
        "events": {name: pair.events or 0 for name, pair in pairs.items()},
        "mismatches": {
            name: EVENTS if pair.mismatches is None else pair.mismatches
            for name, pair in pairs.items()
        },
        "lut": cost.lut if cost and cost.lut is not None else 0.0,
        "clocks": report.latency.cycles or 0,
    }
    done.write_text(json.dumps(told))
    return Found(case, **told)


def _events(model: Path, config: Config) -> Path:
    """Write events for a float model beside it."""
    source = read_source(model, config).network
    size = sum(
        prod(layer.config["batch_input_shape"][1:])
        for layer in source.layers
        if layer.kind == "InputLayer"
    )
    path = model.with_suffix(".npz")
    np.savez(path, x=np.random.default_rng(7).normal(size=(DRAWN, size)).astype(np.float32))
    return path
