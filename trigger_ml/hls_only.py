"""A model as hls4ml's project alone: no RTL, and a C simulation that is held to the model.

For networks with recurrent layers, which RTL has not, and for every other that compiles. Such a
project need not equal the model, so the verdicts say how close it is: tables of tanh and sigmoid,
and rounding.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml import __version__
from trigger_ml.artifacts import HlsProject, SourceModel, Vectors, Verdict
from trigger_ml.build_check import CheckOutcome
from trigger_ml.check.closeness import Closeness, Decision, judge_closeness, measure_closeness
from trigger_ml.check.lock import file_digests
from trigger_ml.config import Config, OutputKind
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.events import Events, read_events, require_readable
from trigger_ml.float_models import choose_types, is_float
from trigger_ml.frontends.client import Frontend, open_model, reading_title, top_name
from trigger_ml.frontends.recurrent_client import HlsLayer, open_recurrent, write_project
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.opaque_operation import Opaque
from trigger_ml.hls_only_records import HLS_FOLDER, load_hls_build, save_hls_build
from trigger_ml.hls_only_report import HlsInputs, build_hls_report
from trigger_ml.pipeline import Request
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.report.hls_only import HlsReport, load_hls_report
from trigger_ml.report.hls_only_words import hls_markdown
from trigger_ml.simulate import csim
from trigger_ml.simulate.vectors import EVENTS, make_vectors
from trigger_ml.synth.devices import find_device
from trigger_ml.toolrun import require_tool
from trigger_ml.workspace import open_workspace

__all__ = ["HlsOutcome", "check_hls_only", "compile_hls_only"]

PACKAGES: Final = ("hls4ml", "numpy")
INTEL: Final = "quartus"
"""The backend that is not for parts of AMD."""
RECURRENT_EVENTS: Final = 10_000
"""Vectors for a network with recurrent layers where nobody sets a count."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HlsOutcome:
    """The report and the folder it was left in: the build, or beside it if a verdict failed."""

    report: HlsReport
    folder: Path


@dataclass(frozen=True, slots=True, eq=False)
class _Converted:
    """A model as a project. ports: what goes in and comes out. source, csim: outputs."""

    source_model: SourceModel
    ports: FixedGraph
    project: HlsProject
    layers: tuple[HlsLayer, ...]
    config: Config
    vectors: Vectors
    source: Values

    @property
    def steps(self) -> Values:
        """Step of each output's type."""
        return np.array([kind.step for kind in self.ports.output_types])

    def run(self, project: HlsProject, scratch: Path, clock: Stopwatch) -> Values:
        """Outputs of the C simulation of a project."""
        with clock.stage("csim_build", "C simulation: compile"):
            simulation = csim.build(project, self.ports, scratch / "csim")
        with clock.stage("csim", "C simulation: run") as stage:
            codes = simulation.run(self.vectors.codes, stage.moved).codes
            stage.note = f"{len(codes):,} vectors"
        kinds = self.ports.output_types
        return np.stack([kind.decode(codes[:, k]) for k, kind in enumerate(kinds)], axis=1)


def compile_hls_only(request: Request, listener: Listener | None = None) -> HlsOutcome:
    """Compile a model file into a build directory with hls4ml's project and no RTL.

    Raises TriggerMLError for bad input and failing tools; a build whose verdicts fail is left in
    ``<output>.failed`` and the last good one stays as it is.
    """
    _require(request.config)
    if request.data is not None:
        require_readable(request.data)
    top = top_name(request.output or request.model)
    clock = Stopwatch(listener or Quiet())
    with open_workspace(request.output or Path("build") / top) as workspace:
        stage, scratch = workspace.stage, workspace.scratch
        file, config = _fixed_point(request, scratch, clock)
        found = _convert(file, config, request.data, None, stage / HLS_FOLDER, top, scratch, clock)
        outputs = found.run(found.project, scratch, clock)
        save_hls_build(stage, file, found.config, found.vectors, found.source, outputs)
        report = _report(request, found, outputs, stage, clock)
        (stage / "report.json").write_text(report.to_text(), encoding="utf-8")
        (stage / "summary.md").write_text(hls_markdown(report), encoding="utf-8")
        return HlsOutcome(report, workspace.publish(report.passed))


def check_hls_only(build: Path, listener: Listener | None = None) -> CheckOutcome:
    """Run a build's project again, as it is on disk now, and hold it to the model and the report.

    The model is evaluated again as well. Raises BuildError when the folder is no whole build.
    """
    report, stored = load_hls_report(build), load_hls_build(build)
    _require(stored.config)
    clock = Stopwatch(listener or Quiet())
    with tempfile.TemporaryDirectory(prefix="trigger-ml.") as folder:
        scratch, top = Path(folder), report.project.top
        found = _convert(
            stored.model, stored.config, None, stored.vectors, scratch / "hls", top, scratch, clock
        )
        project = replace(found.project, directory=build.resolve() / HLS_FOLDER)
        outputs = found.run(project, scratch, clock)
    files = file_digests(build, (HLS_FOLDER,))
    changed = sorted(
        name
        for name in {*files, *report.provenance.files}
        if files.get(name) != report.provenance.files.get(name)
    )
    model = found.source_model.sha256
    return CheckOutcome(
        (
            *_judged(found, outputs),
            Verdict("lock:model", model == report.model.sha256, f"the model file: {model[:12]}"),
            _same("lock:source", "the model's outputs", found.source, stored.source),
            _same("lock:outputs", "the C simulation's outputs", outputs, stored.csim),
            Verdict("lock:files", not changed, _files(changed, len(files))),
        ),
        None,
    )


def _require(config: Config) -> None:
    """Raise ConfigError for what needs more than a project, ToolMissingError without g++."""
    if config.verify.engine in ("vivado", "vitis"):
        what = f"{config.verify.engine} is asked for, and without RTL nothing is synthesized here"
        fix = "leave it out, and run build_prj.tcl in the build's hls folder"
        raise ConfigError(Blocker("verify.synth", what, fix))
    if config.firmware.backend.lower() != INTEL:
        find_device(config.target.part)
    elif _is_known(config.target.part):
        what = f"{config.target.part} is no part of Intel, for which Quartus makes projects"
        raise ConfigError(Blocker("target.part", what, "use --part Arria10"))
    for program in ("g++", "bash"):
        require_tool(program, "build the C simulation")


def _is_known(part: str) -> bool:
    try:
        find_device(part)
    except ConfigError:
        return False
    return True


def _fixed_point(request: Request, scratch: Path, clock: Stopwatch) -> tuple[Path, Config]:
    """The file to compile, and how: a float model of dense layers gets types from the events."""
    if request.data is None or not is_float(request.model):
        return request.model, request.config
    with clock.stage("types", "fixed-point types from the events") as stage:
        found = choose_types(request.model, request.data, request.config, scratch)
        stage.note = f"{found.bits} bits"
    return found.file, request.config.without_input_type()


def _convert(
    file: Path,
    config: Config,
    data: Path | None,
    vectors: Vectors | None,
    directory: Path,
    top: str,
    scratch: Path,
    clock: Stopwatch,
) -> _Converted:
    """Read, convert and evaluate a model. vectors: made anew where there are none."""
    layers: tuple[HlsLayer, ...] = ()
    with clock.stage("load", reading_title(file)):
        recurrent = open_recurrent(file, config, scratch)
        frontend = recurrent or open_model(file, config, scratch)
    with frontend:
        top = frontend.free_name(top)
        with clock.stage("lower_hls", f"hls4ml project ({config.firmware.backend})"):
            if recurrent is not None:
                ports, project, layers = write_project(frontend, config, directory, top)
            else:
                ports, project = frontend.convert(config, directory, top)
        config = _counts(config, ports, project)
        if vectors is None:
            vectors = _vectors(ports, data, config)
        with clock.stage("source", "source model in its own framework") as stage:
            source = _evaluated(frontend, ports, vectors, config)
            stage.note = f"{len(source):,} vectors"
    return _Converted(frontend.source, ports, project, layers, config, vectors, source)


def _counts(config: Config, ports: FixedGraph, project: HlsProject) -> Config:
    """The configuration with the default counts of vectors that suit the network."""
    verify = config.verify
    if any(isinstance(node.operation, Opaque) for node in ports.nodes):
        unset = {"events", "random_events"} - verify.model_fields_set
        verify = verify.model_copy(update=dict.fromkeys(unset, RECURRENT_EVENTS))
    elif project.io_type == "io_stream":
        verify = verify.on_images(ports.input_size)
    return config.model_copy(update={"verify": verify})


def _vectors(ports: FixedGraph, data: Path | None, config: Config) -> Vectors:
    """As many as the C simulation runs: corners, events, draws."""
    verify = config.verify
    events: Events | None = None
    most = verify.events if verify.csim_events is None else verify.csim_events
    if data is not None:
        events = read_events(data, ports.input_size, ports.output_size, most)
    return make_vectors(
        ports,
        events.inputs if events else None,
        events.labels if events else None,
        total=most,
        random_events=min(verify.random_events, most),
        seed=verify.seed,
    )


def _evaluated(frontend: Frontend, ports: FixedGraph, vectors: Vectors, config: Config) -> Values:
    """The model's outputs that the project gives: logits, or the softmax behind them."""
    said = frontend.evaluate(ports.decode_inputs(vectors.codes).astype(np.float32))
    softmax = config.firmware.output is OutputKind.SOFTMAX and said.tail is not None
    values = said.tail if softmax else said.logits
    assert values is not None
    return np.asarray(values, np.float64).reshape(len(vectors.codes), -1)


def _decision(found: _Converted) -> tuple[Decision, float]:
    """What counts as the decision of this model, and the cut."""
    single = len(found.ports.outputs) == 1 and len(found.ports.output_nodes[0].shape) == 1
    firmware, tail = found.config.firmware, found.source_model.float_tail
    if firmware.output is OutputKind.THRESHOLD:
        return Decision.CUT, firmware.threshold
    if "sigmoid" in tail:
        return Decision.CUT, 0.0
    asked = firmware.output is OutputKind.ARGMAX or found.vectors.labels is not None
    if single and found.ports.output_size > 1 and (asked or "softmax" in tail):
        return Decision.LARGEST, 0.0
    return Decision.NONE, 0.0


def _rows(found: _Converted, outputs: Values) -> dict[str, Closeness]:
    """Comparisons by what was compared; the verdicts are about the first."""
    decision, cut = _decision(found)
    events = found.vectors.rows(EVENTS)
    parts = {"all vectors": slice(0, len(outputs))}
    if events.stop > events.start:
        parts = {"events": events, **parts}
    return {
        name: measure_closeness(outputs[rows], found.source[rows], found.steps, decision, cut)
        for name, rows in parts.items()
    }


def _judged(found: _Converted, outputs: Values) -> tuple[Verdict, ...]:
    verify = found.config.verify
    first = next(iter(_rows(found, outputs).values()))
    return judge_closeness(
        first,
        _decision(found)[0],
        agreement=verify.decision_agreement,
        error=verify.output_error,
    )


def _report(
    request: Request, found: _Converted, outputs: Values, stage: Path, clock: Stopwatch
) -> HlsReport:
    decision, cut = _decision(found)
    return build_hls_report(
        HlsInputs(
            source_model=found.source_model,
            config=found.config,
            ports=found.ports,
            project=found.project,
            layers=found.layers,
            decision=decision,
            cut=cut,
            closeness=_rows(found, outputs),
            vectors=found.vectors,
            source=found.source,
            csim=outputs,
            verdicts=_judged(found, outputs),
            timing_s={**clock.seconds, "total": clock.total},
            versions={"trigger_ml": __version__, **{name: version(name) for name in PACKAGES}},
            commands=(request.command,) if request.command else (),
            files=file_digests(stage, (HLS_FOLDER,)),
            created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    )


def _same(name: str, what: str, now: Values, before: Values) -> Verdict:
    if now.shape != before.shape:
        return Verdict(name, False, f"{what}: {len(now):,} vectors, {len(before):,} in the build")
    off = int((now != before).any(axis=1).sum())
    text = "unchanged" if not off else f"changed on {off:,} of {len(now):,} vectors"
    return Verdict(name, not off and len(now) > 0, f"{what}: {text}")


def _files(changed: list[str], count: int) -> str:
    if not changed:
        return f"{count} files of the project unchanged"
    return f"changed: {', '.join(changed[:5])}{', ...' if len(changed) > 5 else ''}"
