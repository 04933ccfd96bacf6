"""Where every figure of a report is from: what was looked at, and the tool that looked.

A pure function of the report, so that reports of before there was such a table have one too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from trigger_ml.report.schema import Report
from trigger_ml.report.sections import Origin, Pair
from trigger_ml.report.trace_sections import Source
from trigger_ml.report.words import MISSING, count, ns, origin_name, percent, share, witness_name

__all__ = ["report_sources", "with_sources"]

VECTORS: Final = "vectors.npz"
RTL: Final = "rtl/verilog/"
FIRMWARE: Final = "firmware.json"
OURS: Final = "trigger_ml"
UNKNOWN: Final = "not recorded"
COUNTED: Final = ("lut", "ff", "dsp", "bram36", "carry8")
VHDL_SIMULATORS: Final = ("ghdl",)


def with_sources(report: Report) -> Report:
    """The same report with the table that follows from it."""
    return report.model_copy(update={"sources": report_sources(report)})


def report_sources(report: Report) -> tuple[Source, ...]:
    """One row for every figure or table of figures that was measured."""
    return (
        *_model(report),
        *(_pair(pair, report) for pair in report.fidelity.pairs if pair.mismatches is not None),
        *_physics(report),
        *_latency(report),
        *(row for origin in report.resources.origins for row in _origin(origin)),
        *_device(report),
        *_layers(report),
        *_clockwork(report),
    )


def _own(report: Report) -> tuple[str, str]:
    return OURS, report.versions.get(OURS, UNKNOWN)


def _reader(report: Report) -> tuple[str, str]:
    """The framework that evaluated the source model, with its version."""
    names = ("QKeras", "HGQ2", "qkeras", "onnxruntime", "keras", "tf_keras", "tensorflow")
    wanted = report.model.format.lower()
    ordered = sorted(names, key=lambda name: name.lower() not in wanted)
    if "onnx" in wanted or "qonnx" in wanted or "qcdq" in wanted:
        ordered = ["onnxruntime", *ordered]
    found = next((name for name in ordered if name in report.versions), "")
    return (found, report.versions[found]) if found else (report.model.format, UNKNOWN)


def _model(report: Report) -> Iterator[Source]:
    yield Source(
        key="model",
        figure="parameters and their zeros",
        value=f"{count(report.model.parameters)}, {count(report.model.nonzero)} not zero",
        file=f"model/{report.model.file}",
        tool=_reader(report)[0],
        version=_reader(report)[1],
    )


def _pair(pair: Pair, report: Report) -> Source:
    left, _, right = pair.name.partition("~")
    witness = right if left == "graph" else left
    file, tool, version = _witness(witness, report)
    return Source(
        key=f"fidelity.{pair.name}",
        figure=f"events that differ: {' against '.join(map(witness_name, (left, right)))}",
        value=f"{count(pair.mismatches)} of {count(pair.events)}",
        file=f"{file}, {VECTORS}",
        tool=tool,
        version=version,
    )


def _witness(name: str, report: Report) -> tuple[str, str, str]:
    """What a witness is made from, and what evaluates it."""
    versions = report.versions
    match name:
        case "source":
            return f"model/{report.model.file}", *_reader(report)
        case "csim":
            compiler = f"g++ {versions.get('g++', UNKNOWN)}"
            return "hls/", "hls4ml, g++", f"hls4ml {versions.get('hls4ml', UNKNOWN)}, {compiler}"
        case "alkaid":
            return RTL, "alkaid", versions.get("alkaid", UNKNOWN)
        case "rtl":
            return RTL, *_simulator(report)
        case "graph":
            return FIRMWARE, *_own(report)
    plain = name.removeprefix("rtl-")
    folder = "rtl/vhdl/" if plain in VHDL_SIMULATORS else RTL
    cocotb = versions.get("cocotb", UNKNOWN)
    return folder, f"cocotb on {plain}", f"cocotb {cocotb}, {plain} {versions.get(plain, UNKNOWN)}"


def _simulator(report: Report) -> tuple[str, str]:
    """cocotb and the simulator that cycles were counted in."""
    told = (report.latency.measured_by or UNKNOWN).partition(",")[0]
    name, _, version = told.partition(" ")
    cocotb = report.versions.get("cocotb", UNKNOWN)
    return f"cocotb on {name}", f"cocotb {cocotb}, {told}" if version else UNKNOWN


def _physics(report: Report) -> Iterator[Source]:
    physics = report.physics
    if physics is None:
        return
    tool, version = _own(report)
    seed = f", seed {report.provenance.seed}" if report.provenance.seed is not None else ""
    yield Source(
        key="physics",
        figure=f"{physics.metric} of float, quantized and firmware, their intervals and curves",
        value=f"{percent(physics.firmware, 2)} (firmware)",
        file=f"{VECTORS} (labelled events{seed}), {FIRMWARE}, model/{report.model.file}",
        tool=tool,
        version=version,
    )


def _latency(report: Report) -> Iterator[Source]:
    latency = report.latency
    tool, version = _simulator(report)
    rows = (
        ("latency.cycles", "latency", latency.cycles, latency.ns),
        ("latency.ii_cycles", "initiation interval", latency.ii_cycles, latency.ii_ns),
    )
    for key, figure, clocks, time in rows:
        if clocks is not None:
            value = f"{count(clocks)} {'clock' if clocks == 1 else 'clocks'}, {ns(time)}"
            yield Source(
                key=key,
                figure=figure,
                value=value,
                file=f"{RTL}, {VECTORS}",
                tool=tool,
                version=version,
            )
    alkaid = report.versions.get("alkaid", UNKNOWN)
    if latency.timeline:
        estimated = any(span.estimated for span in latency.timeline)
        yield Source(
            key="latency.timeline",
            figure="where the clocks go",
            value="",
            file=RTL,
            tool="alkaid delay model" if estimated else f"{OURS} schedule, alkaid pipelines",
            version=alkaid,
        )
    if report.pipeline.stage_delays_ns:
        yield Source(
            key="pipeline",
            figure="logic delay of each pipeline stage, estimated",
            value=f"{ns(report.pipeline.worst_stage_ns, 2)} at most",
            file=RTL,
            tool="alkaid delay model",
            version=alkaid,
        )
    yield from _mapped(report)


def _mapped(report: Report) -> Iterator[Source]:
    for origin in report.resources.origins:
        levels = origin.details.get("stage_levels")
        if origin.origin != "cost_model" and levels:
            yield Source(
                key="pipeline.mapped",
                figure="logic levels and paths of each pipeline stage, mapped",
                value=f"{max(levels)} levels at most",
                file=RTL,
                tool=f"{origin_name(origin.origin)}, wires estimated by {OURS}",
                version=origin.version,
            )


def _origin(origin: Origin) -> Iterator[Source]:
    name = origin_name(origin.origin)
    files = origin.details.get("files", {})
    version = origin.version
    for key in COUNTED:
        value = getattr(origin.total, key)
        if value is None:
            continue
        file = files.get(key) or (RTL if origin.origin != "vitis" else "hls/")
        yield Source(
            key=f"resources.{origin.origin}.{key}",
            figure=f"{key.upper()} by {name}",
            value=count(value),
            file=f"vendor/{file}" if key in files else file,
            tool=name if origin.origin != "cost_model" else f"{OURS} cost model on alkaid",
            version=version,
        )


def _device(report: Report) -> Iterator[Source]:
    device = report.device
    if device is None:
        return
    judged = report.resources.judged_by
    used = report.resources.device_share.get("lut")
    yield Source(
        key="device",
        figure=f"totals of the {device.name}, which shares are of",
        value=f"{count(device.total.lut)} LUT; {share(used)} used" if judged else MISSING,
        file=device.source,
        tool=OURS,
        version=report.versions.get(OURS, UNKNOWN),
    )


def _layers(report: Report) -> Iterator[Source]:
    tool, version = _own(report)
    seen = [layer.range for layer in report.layers if layer.range is not None]
    yield Source(
        key="layers.type",
        figure="types, shapes and weights of the layers",
        value=f"{len(report.layers)} layers",
        file=FIRMWARE,
        tool="hls4ml",
        version=report.versions.get("hls4ml", UNKNOWN),
    )
    if seen:
        yield Source(
            key="layers.range",
            figure="codes seen, bits used, values at the type's limit",
            value=f"{len(seen)} layers",
            file=f"{FIRMWARE}, {VECTORS}",
            tool=tool,
            version=version,
        )
    if any(layer.cost_lut is not None for layer in report.layers):
        cost = next((o for o in report.resources.origins if o.origin == "cost_model"), None)
        yield Source(
            key="layers.cost_lut",
            figure="LUTs of each layer",
            value="",
            file=FIRMWARE,
            tool=f"{OURS} cost model on alkaid",
            version=cost.version if cost else UNKNOWN,
        )


def _clockwork(report: Report) -> Iterator[Source]:
    tool, version = _own(report)
    if any(report.timing_s.values()):
        yield Source(
            key="timing_s",
            figure="time taken by each stage",
            value="",
            file="wall clock of this compilation",
            tool=tool,
            version=version,
        )
