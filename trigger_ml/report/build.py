"""From artifacts to report.json: a pure function. What is missing stays missing, and fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trigger_ml.config import Config
from trigger_ml.graph.model import Node
from trigger_ml.graph.operations import WEIGHTED
from trigger_ml.report.edge_sections import EdgeDetail
from trigger_ml.report.gaps import missing
from trigger_ml.report.hls_estimate import hls_section
from trigger_ml.report.image_sections import MaskDetail
from trigger_ml.report.inputs import ReportInputs
from trigger_ml.report.measured import (
    cosim_events,
    fidelity_section,
    latency_section,
    pipeline_section,
    resources_section,
)
from trigger_ml.report.schema import Report
from trigger_ml.report.sections import (
    Layer,
    Model,
    Physics,
    PhysicsDetail,
    Provenance,
    TargetSection,
    VerdictRow,
)
from trigger_ml.report.sources import with_sources

__all__ = ["ReportInputs", "build_report"]

STAGES: Final = (
    "load",
    "lower_hls",
    "csim_build",
    "csim",
    "lower_rtl",
    "rtl_build",
    "rtl_sim",
    "synth",
    "total",
)
"""Keys that timing_s always has."""


def build_report(inputs: ReportInputs) -> Report:
    """Put the report together.

    The verdicts given are kept; one that fails is added for every measurement that is missing
    and for every figure that breaks its budget without a verdict saying so.
    """
    fidelity = fidelity_section(inputs)
    latency = latency_section(inputs)
    resources = resources_section(inputs)
    pipeline = pipeline_section(inputs)
    physics = _physics(inputs.physics)
    given = tuple(
        VerdictRow(name=v.name, passed=v.passed, message=v.message) for v in inputs.verdicts
    )
    added = missing(
        given,
        fidelity,
        latency,
        resources,
        pipeline,
        labelled=inputs.vectors.labelled,
        physics=physics,
        cosim_events=cosim_events(inputs.cosim),
    )
    verdicts = given + added
    report = Report(
        passed=bool(verdicts) and all(verdict.passed for verdict in verdicts),
        model=Model.of(inputs.source),
        target=_target(inputs.config),
        fidelity=fidelity,
        latency=latency,
        resources=resources,
        physics=physics,
        timing_s={**dict.fromkeys(STAGES), **inputs.timing_s},
        versions={**_simulators(inputs), **inputs.source.versions, **inputs.versions},
        verdicts=verdicts,
        pipeline=pipeline,
        device=inputs.device,
        layers=tuple(_layer(node, inputs) for node in inputs.graph.nodes),
        hls_estimate=hls_section(inputs.hls_estimate),
        provenance=Provenance(
            graph_sha256=inputs.graph.digest,
            seed=inputs.vectors.seed,
            commands=inputs.commands,
            files=dict(inputs.files),
            config=inputs.config.model_dump(mode="json"),
            created_utc=inputs.created_utc,
        ),
    )
    return with_sources(report)


def _simulators(inputs: ReportInputs) -> dict[str, str]:
    simulations = (*((inputs.cosim,) if inputs.cosim else ()), *inputs.cross)
    return {item.simulator: item.simulator_version for item in simulations}


def _target(config: Config) -> TargetSection:
    return TargetSection(
        part=config.target.part,
        clock_mhz=config.target.clock_mhz,
        latency_budget_ns=config.budget.latency_ns,
        ii_budget_ns=config.budget.ii_ns,
        lut_share_budget=config.budget.lut_share,
        dsp_share_budget=config.budget.dsp_share,
    )


def _physics(data: Mapping[str, Any] | None) -> Physics | None:
    if data is None:
        return None
    if data.get("kind") == "mask":
        return _masks(MaskDetail.model_validate(data))
    if data.get("kind") == "edge":
        return _edges(EdgeDetail.model_validate(data))
    detail = PhysicsDetail.model_validate(data)
    accuracy = {row.witness: row.accuracy for row in detail.witnesses}
    return _headline("accuracy", accuracy, detail.working_point, detail=detail)


def _masks(detail: MaskDetail) -> Physics | None:
    values = {row.witness: row.figures.efficiency for row in detail.witnesses}
    return _headline("efficiency", values, detail.match, masks=detail)


def _edges(detail: EdgeDetail) -> Physics | None:
    values = {row.witness: row.figures.purity for row in detail.witnesses}
    return _headline("purity", values, detail.threshold, edges=detail)


def _headline(
    metric: str, values: Mapping[str, Any], working_point: Any, **detail: Any
) -> Physics | None:
    """The section whose headline is one share of every witness; None without the firmware's.

    values: shares with their intervals, by witness.
    """
    firmware = values.get("firmware")
    if firmware is None or None in (firmware.value, firmware.low, firmware.high):
        return None
    return Physics.model_validate(
        {
            "metric": metric,
            "float": values["float"].value if "float" in values else None,
            "quantized": values["quantized"].value if "quantized" in values else None,
            "firmware": firmware.value,
            "interval": (firmware.low, firmware.high),
            "working_point": working_point,
            **detail,
        }
    )


def _layer(node: Node, inputs: ReportInputs) -> Layer:
    cost = next((s for s in inputs.synthesis if s.origin == "cost_model"), None)
    mine = cost.by_layer.get(node.name) if cost else None
    seen = inputs.ranges.get(node.name)
    weights = zeros = weight_type = None
    if isinstance(node.operation, WEIGHTED):
        weights = node.operation.weight.size + node.operation.bias.size
        zeros = int((node.operation.weight == 0).sum() + (node.operation.bias == 0).sum())
        weight_type = str(node.operation.weight_type)
    return Layer(
        name=node.name,
        kind=node.operation.kind,
        shape=node.shape,
        type=str(node.type),
        width=node.type.width,
        integer=node.type.integer,
        signed=node.type.signed,
        source_layer=node.source,
        weights=weights,
        zero_weights=zeros,
        weight_type=weight_type,
        cost_lut=mine.lut if mine else None,
        cost_ff=mine.ff if mine else None,
        cost_dsp=mine.dsp if mine else None,
        cost_carry8=mine.carry8 if mine else None,
        cost_delay_ns=cost.details.get("layer_delay_ns", {}).get(node.name) if cost else None,
        range=seen.to_range(node.type) if seen else None,
    )
