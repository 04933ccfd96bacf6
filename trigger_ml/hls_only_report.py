"""From the measurements of a build without RTL to its report: a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import HlsProject, SourceModel, Vectors, Verdict
from trigger_ml.check.closeness import Closeness, Decision
from trigger_ml.config import Config
from trigger_ml.frontends.recurrent_client import HlsLayer
from trigger_ml.graph.model import FixedGraph, Node
from trigger_ml.report.hls_only import (
    Accuracy,
    CloseRow,
    HlsReport,
    PortRow,
    ProjectSection,
    TypeRow,
)
from trigger_ml.report.sections import Model, Provenance, Segment, VerdictRow
from trigger_ml.simulate.vectors import EVENTS

__all__ = ["HlsInputs", "build_hls_report"]

TABLES: Final = (
    "tanh and sigmoid are tables in the project and functions in the model, so the two cannot be "
    "equal everywhere"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HlsInputs:
    """Everything that the report is made from.

    ports: inputs and outputs of the project. layers: what was set in it, empty where hls4ml's
    bit-exact pass set everything. decision, cut: what counts as one. closeness: by what was
    compared; the verdicts are about the first. source, csim: outputs, (vectors, outputs).
    """

    source_model: SourceModel
    config: Config
    ports: FixedGraph
    project: HlsProject
    layers: tuple[HlsLayer, ...]
    decision: Decision
    cut: float
    closeness: Mapping[str, Closeness]
    vectors: Vectors
    source: NDArray[np.float64]
    csim: NDArray[np.float64]
    verdicts: tuple[Verdict, ...]
    timing_s: Mapping[str, float]
    versions: Mapping[str, str]
    commands: tuple[str, ...]
    files: Mapping[str, str]
    created_utc: str


def build_hls_report(inputs: HlsInputs) -> HlsReport:
    """Put the report together; without verdicts it has not passed."""
    verdicts = tuple(
        VerdictRow(name=v.name, passed=v.passed, message=v.message) for v in inputs.verdicts
    )
    tables = (TABLES,) if any(layer.table_size for layer in inputs.layers) else ()
    cut = f" ({inputs.cut:g})" if inputs.decision is Decision.CUT else ""
    return HlsReport(
        passed=bool(verdicts) and all(verdict.passed for verdict in verdicts),
        model=Model.of(inputs.source_model, *tables),
        project=_project(inputs),
        decision=f"{inputs.decision.value}{cut}",
        closeness=tuple(
            _row(name, item, judged=position == 0)
            for position, (name, item) in enumerate(inputs.closeness.items())
        ),
        accuracy=_accuracy(inputs),
        segments=tuple(
            Segment(name=item.name, events=item.stop - item.start)
            for item in inputs.vectors.segments
        ),
        timing_s=dict(inputs.timing_s),
        versions={**inputs.source_model.versions, **inputs.versions},
        verdicts=verdicts,
        provenance=Provenance(
            graph_sha256=None,
            seed=inputs.vectors.seed,
            commands=inputs.commands,
            files=dict(inputs.files),
            config=inputs.config.model_dump(mode="json"),
            created_utc=inputs.created_utc,
        ),
    )


def _project(inputs: HlsInputs) -> ProjectSection:
    project, target = inputs.project, inputs.config.target
    return ProjectSection(
        top=project.top,
        backend=project.backend,
        io_type=project.io_type,
        part=target.part,
        clock_mhz=target.clock_mhz,
        exact=not inputs.layers,
        inputs=tuple(_port(node) for node in inputs.ports.input_nodes),
        outputs=tuple(_port(node) for node in inputs.ports.output_nodes),
        layers=tuple(
            TypeRow(layer=item.layer, types=dict(item.types), table_size=item.table_size)
            for item in inputs.layers
        ),
    )


def _port(node: Node) -> PortRow:
    return PortRow(name=node.name, shape=node.shape, type=str(node.type))


def _row(name: str, item: Closeness, *, judged: bool) -> CloseRow:
    error = item.error if item.error is not None and isfinite(item.error) else None
    return CloseRow(name=name, judged=judged, error=error, **asdict(item))


def _accuracy(inputs: HlsInputs) -> Accuracy | None:
    """Where events have a class each, and the largest output is the decision."""
    labels, rows = inputs.vectors.labels, inputs.vectors.rows(EVENTS)
    if labels is None or inputs.decision is not Decision.LARGEST:
        return None
    right = [(values[rows].argmax(axis=1) == labels) for values in (inputs.source, inputs.csim)]
    source, csim = (float(item.mean()) for item in right)
    return Accuracy(events=len(labels), source=source, csim=csim)
