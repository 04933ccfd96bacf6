"""A build's measurements once more, held to its lock."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from trigger_ml import records
from trigger_ml.artifacts import Verdict
from trigger_ml.check.lock import codes_digest, compare_locks, read_lock
from trigger_ml.config import Config
from trigger_ml.design import Design
from trigger_ml.frontends.client import firmware_graph, open_model, reading_title
from trigger_ml.lower.build import trace_firmware
from trigger_ml.measure import check_source, measure
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.requirements import require_programs
from trigger_ml.synth.devices import find_device

__all__ = ["CheckOutcome", "check_build"]


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """All verdicts of a check, those of the measurements and those against the lock."""

    verdicts: tuple[Verdict, ...]
    divergence: str | None

    @property
    def passed(self) -> bool:
        """Whether there are verdicts and none failed."""
        return bool(self.verdicts) and all(verdict.passed for verdict in self.verdicts)


def check_build(
    build: Path,
    listener: Listener | None = None,
    *,
    synthesis: bool = True,
    synth_cache: bool = True,
) -> CheckOutcome:
    """Repeat a build's measurements from what it holds and compare them with its lock.

    The model file is converted again; C simulation and RTL are those in the build, as they are
    on disk now. synthesis: also repeat open synthesis where the build had it. synth_cache: what was
    mapped before need not be mapped again, where the build allowed it.
    Raises BuildError when the folder is not a whole build.
    """
    lock = read_lock(build)
    stored = records.load_build(build)
    config = _recheck_config(stored.config, synthesis, synth_cache)
    device = find_device(config.target.part)
    require_programs(config)
    clock = Stopwatch(listener or Quiet())
    with tempfile.TemporaryDirectory(prefix="trigger-ml.") as folder:
        scratch = Path(folder)
        with clock.stage("load", reading_title(stored.model)):
            frontend = open_model(stored.model, config, scratch)
        with frontend:
            network, _ = frontend.convert(config, scratch / "hls", stored.network.name)
            source = check_source(frontend, network, stored.vectors, clock)
        firmware = firmware_graph(network, config)
        with clock.stage("lower_rtl", "alkaid"):
            logic = trace_firmware(firmware, config)
        design = Design(
            config,
            device,
            network,
            firmware,
            stored.hls,
            logic,
            stored.rtl,
            stored.vectors,
            stored.float_scores,
            stored.class_names,
        )
        found = measure(design, source, scratch, clock)
    now = records.make_lock(build, frontend.source.sha256, design, found)
    if not synthesis:
        kept = {name: lock.resources[name] for name in lock.resources if name in now.resources}
        lock = replace(lock, resources=kept)
    stored_outputs = codes_digest(stored.expected) == lock.outputs
    verdicts = (
        *found.verdicts,
        *compare_locks(lock, now),
        Verdict("lock:expected", stored_outputs, "expected outputs in vectors.npz"),
    )
    return CheckOutcome(verdicts, str(found.divergence) if found.divergence else None)


def _recheck_config(config: Config, synthesis: bool, synth_cache: bool) -> Config:
    asked = {
        "synthesis": synthesis and config.verify.synthesis,
        "synth_cache": synth_cache and config.verify.synth_cache,
    }
    return config.model_copy(update={"verify": config.verify.model_copy(update=asked)})
