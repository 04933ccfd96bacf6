"""What a design is, and everything that is found out about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import (
    CosimRun,
    Hdl,
    HlsProject,
    RtlProject,
    Run,
    Synthesis,
    Vectors,
    Verdict,
)
from trigger_ml.check.divergence import Divergence
from trigger_ml.check.edge_results import EdgeComparison
from trigger_ml.check.equality import Comparison
from trigger_ml.check.masks import MaskComparison
from trigger_ml.check.physics import PhysicsComparison
from trigger_ml.config import Config
from trigger_ml.graph.model import FixedGraph
from trigger_ml.lower.build import FirmwareLogic
from trigger_ml.report.ranges import ObservedRange
from trigger_ml.synth.devices import Device

__all__ = ["Design", "Measurements", "PhysicsFindings", "SourceCheck"]

PhysicsFindings = PhysicsComparison | MaskComparison | EdgeComparison
"""Of events with classes, of images with masks, or of graphs with true edges."""


@dataclass(frozen=True, slots=True)
class Design:
    """What is measured. network: what hls4ml's project computes; firmware: what the RTL does,
    the network and the decision after it."""

    config: Config
    device: Device
    network: FixedGraph
    firmware: FixedGraph
    hls: HlsProject
    logic: FirmwareLogic
    rtl: Mapping[Hdl, RtlProject]
    vectors: Vectors
    float_scores: NDArray[np.float64] | None
    class_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """The source model against the graph.

    run: the source's outputs as codes of the node they belong to. logits: the same as values.
    tail: its float softmax or sigmoid. graph_run: the graph's codes on that node.
    """

    run: Run
    logits: NDArray[np.float64]
    tail: NDArray[np.float64] | None
    graph_run: Run
    comparison: Comparison
    divergence: Divergence | None


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything found. graph: the firmware graph's outputs, the reference of all others."""

    graph: Run
    runs: tuple[Run, ...]
    comparisons: Mapping[str, Comparison]
    divergence: Divergence | None
    cosim: CosimRun
    cross: tuple[CosimRun, ...]
    synthesis: tuple[Synthesis, ...]
    ranges: Mapping[str, ObservedRange]
    physics: PhysicsFindings | None
    verdicts: tuple[Verdict, ...]
