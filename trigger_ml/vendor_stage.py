"""The stage of a compilation that runs a vendor tool, and what of it a build keeps."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from trigger_ml.artifacts import Hdl, RtlProject, Synthesis
from trigger_ml.config import Config
from trigger_ml.design import Design
from trigger_ml.progress import Stopwatch
from trigger_ml.synth.vendor_run import SCRIPT_NAME, run_vitis, run_vivado, vivado_script

__all__ = ["VENDOR_FOLDER", "save_vendor", "vendor_synthesis"]

VENDOR_FOLDER: Final = "vendor"
"""Of a build: the Tcl that places and routes it, and the reports of a vendor tool that ran."""
KEPT: Final = (".rpt", ".log", "csynth.xml")


def vendor_synthesis(design: Design, work: Path, clock: Stopwatch) -> Synthesis:
    """Count and time by the tool that ``verify.synth`` names.

    Raises as :func:`trigger_ml.synth.vendor_run.run_vivado`.
    """
    verify, target = design.config.verify, design.config.target
    if verify.engine == "vivado":
        with clock.stage("synth", "synthesis, placement and routing: Vivado") as stage:
            project = design.rtl[Hdl.VERILOG]
            found = run_vivado(project, target.part, design.device, work, verify.synth_timeout_s)
            stage.note = f"{found.total.lut:,.0f} LUT, slack {found.details['slack_ns']} ns"
    else:
        with clock.stage("synth", "C synthesis: Vitis HLS") as stage:
            found = run_vitis(
                design.hls, target.clock_mhz, design.device, work, verify.synth_timeout_s
            )
            stage.note = f"{found.total.lut:,.0f} LUT"
    return found


def save_vendor(stage: Path, project: RtlProject, config: Config, work: Path) -> None:
    """Write the Tcl into a build, and the reports that a vendor tool left in ``work``."""
    folder = stage / VENDOR_FOLDER
    folder.mkdir()
    names = [source.name for source in project.sources]
    place = ("..", "rtl", "verilog")
    script = vivado_script(project.top, config.target.part, config.target.clock_mhz, names, place)
    (folder / SCRIPT_NAME).write_text(script, encoding="utf-8")
    if config.verify.engine not in ("vivado", "vitis"):
        return
    for path in sorted(work.rglob("*")):
        if path.is_file() and path.name.endswith(KEPT):
            kept = folder / path.relative_to(work)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, kept)
