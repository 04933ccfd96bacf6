"""Images per second against the batch size: Keras, hls4ml's C simulation, our graph, the firmware.

    python benchmarks/muon_throughput.py BUILD [--output FOLDER] [--batches 2048] [--seconds 35]

BUILD is what `trigger-ml compile` made of a network on images. The first three run here, one after
the other, on the build's own vectors; the firmware's rate is the interval that cocotb measured,
in clock cycles, at the target clock. Ratios are against the faster of Keras' two ways at the same
batch size, in one and the same run: absolute rates are this machine's. Writes ``throughput.json``,
``.md`` and ``.png`` into FOLDER. At most four minutes: a batch that would take too long is left
out, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rates import measure_rates

from trigger_ml.errors import Blocker, DataError
from trigger_ml.files import appearing, write_text
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.types import Codes
from trigger_ml.progress import Stopwatch
from trigger_ml.records import Stored, load_build
from trigger_ml.report.schema import Report, load_report
from trigger_ml.report.themes import LIGHT
from trigger_ml.simulate import csim
from trigger_ml.simulate.vectors import EVENTS
from trigger_ml.terminal import listener
from trigger_ml.toolrun import Command, run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PEER: Final = Path(__file__).with_name("keras_rate.py")
PREDICT: Final = "Keras, predict"
TRACED: Final = "Keras, traced function"
CSIM: Final = "hls4ml C simulation"
GRAPH: Final = "graph interpreter"
FIRMWARE: Final = "firmware"
KERAS: Final = (PREDICT, TRACED)
CROSSINGS_HZ: Final = 40e6
"""Bunch crossings of the LHC."""
BATCHES: Final = 2048
SECONDS: Final = 35.0


@dataclass(frozen=True, slots=True)
class Firmware:
    """What was measured of the RTL. latency_cycles: of an image, first group in to last mask
    out. ii_cycles: from one image to the next."""

    latency_cycles: int
    ii_cycles: int
    clock_mhz: float

    @property
    def sustained(self) -> float:
        """Images per second without an end."""
        return self.clock_mhz * 1e6 / self.ii_cycles

    def rate(self, batch: int) -> float:
        """Images per second of so many back to back, from the first column to the last mask."""
        cycles = self.latency_cycles + (batch - 1) * self.ii_cycles
        return batch * self.clock_mhz * 1e6 / cycles


def batch_sizes(most: int) -> list[int]:
    """1, 2, 4, ... up to ``most``."""
    return [2**k for k in range(most.bit_length()) if 2**k <= most]


def read_firmware(report: Report) -> Firmware:
    """Raises DataError where the RTL was not measured."""
    latency = report.latency
    if latency.cycles is None or not latency.ii_cycles:
        raise DataError(
            Blocker("report.json", "holds no measured latency and interval", "compile it again")
        )
    return Firmware(latency.cycles, latency.ii_cycles, report.target.clock_mhz)


def images(stored: Stored, count: int) -> Codes:
    """Input codes of so many images: the build's events, or all its vectors, over and over."""
    rows = stored.vectors.rows(EVENTS)
    codes = stored.vectors.codes[rows] if rows.stop > rows.start else stored.vectors.codes
    return np.resize(codes, (count, codes.shape[1]))


def measure(
    stored: Stored, batches: list[int], seconds: float, work: Path, watch: Stopwatch
) -> tuple[dict[str, dict[int, float]], dict[str, str]]:
    """Rates of all that runs here, and the versions of what ran."""
    codes = images(stored, batches[-1])
    found: dict[str, dict[int, float]] = {}
    with watch.stage("keras", "Keras, in its own process"):
        values = stored.network.decode_inputs(codes).astype(np.float32)
        file = work / "images.npy"
        np.save(file, values.reshape(-1, *stored.network.input_nodes[0].shape))
        arguments = (str(stored.model), str(file), str(seconds), *map(str, batches))
        command = (sys.executable, str(PEER), *arguments)
        done = run(Command(command, Path.cwd(), "run the model in Keras"))
        answer = json.loads(done.output.splitlines()[-1])
        for name, key in ((PREDICT, "predict"), (TRACED, "traced")):
            found[name] = {int(batch): rate for batch, rate in answer["rates"][key].items()}
    with watch.stage("csim_build", "C simulation: build"):
        simulation = csim.build(stored.hls, stored.network, work / "csim")
    with watch.stage("csim", CSIM):
        found[CSIM] = measure_rates(lambda n: simulation.run(codes[:n]), batches, seconds)
    with watch.stage("graph", GRAPH):
        found[GRAPH] = measure_rates(
            lambda n: evaluate(stored.firmware, codes[:n]), batches, seconds
        )
    return found, answer["versions"]


def ratios(series: Mapping[str, Mapping[int, float]]) -> dict[str, dict[int, float]]:
    """Every series over the faster of Keras' two, at each batch size that both have."""
    reference = {
        batch: max(series[name].get(batch, 0.0) for name in KERAS)
        for name in KERAS
        for batch in series[name]
    }
    return {
        name: {batch: rate / reference[batch] for batch, rate in own.items() if batch in reference}
        for name, own in series.items()
    }


def record(
    report: Report,
    firmware: Firmware,
    series: Mapping[str, Mapping[int, float]],
    versions: Mapping[str, str],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Everything, for throughput.json."""
    best = max(rate for name in KERAS for rate in series[name].values())
    return {
        "model": {"file": report.model.file, "sha256": report.model.sha256},
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {**versions, "hls4ml": report.versions.get("hls4ml")},
        "firmware": {
            "latency_cycles": firmware.latency_cycles,
            "ii_cycles": firmware.ii_cycles,
            "clock_mhz": firmware.clock_mhz,
            "images_per_s": firmware.sustained,
            "measured_by": report.latency.measured_by,
            "clock": report.pipeline.timing,
        },
        "images_per_s": series,
        "ratio_to_keras": ratios(series),
        "best_to_best_keras": {
            **{name: max(own.values()) / best for name, own in series.items()},
            FIRMWARE: firmware.sustained / best,
        },
        "seconds": seconds,
    }


def table(found: Mapping[str, Any]) -> str:
    """throughput.md."""
    series, times = found["images_per_s"], found["ratio_to_keras"]
    firmware, machine = found["firmware"], found["machine"]
    names, sizes = list(series), sorted({batch for own in series.values() for batch in own})
    lines = [
        f"Images per second of `{found['model']['file']}` on {machine['cpu']}, "
        f"{machine['cores']} cores. In brackets: over the faster of Keras' two at that batch size.",
        "",
        f"| batch | {' | '.join(names)} |",
        f"|{'---:|' * (len(names) + 1)}",
    ]
    for size in sizes:
        cells = [_cell(series[name].get(size), times[name].get(size)) for name in names]
        lines.append(f"| {size:,} | {' | '.join(cells)} |")
    best = [f"{name} {_times(ratio)}" for name, ratio in found["best_to_best_keras"].items()]
    word = {"estimate": "an estimate, no vendor tool has closed timing"}
    lines += [
        "",
        f"Without an end the firmware takes {firmware['images_per_s'] / 1e6:.2f} million images "
        f"per second: one every {firmware['ii_cycles']} clocks ({firmware['measured_by']}) at "
        f"{firmware['clock_mhz']:g} MHz ({word.get(firmware['clock'], firmware['clock'])}). Its "
        "column is for that many images back to back, from the first column in to the last mask "
        "out.",
        "",
        f"Best of each over the best of Keras: {', '.join(best)}.",
        "",
        "A dash is a batch that would not have ended in the time given.",
    ]
    return "\n".join(lines)


def figure(found: Mapping[str, Any]) -> Figure:
    """Images per second against the batch size, both logarithmic."""
    from trigger_ml.report.plots import canvas, ink_legend

    drawn, axes = canvas(4.4, LIGHT)
    for (name, own), colour in zip(found["images_per_s"].items(), LIGHT.series, strict=False):
        axes.plot(list(own), list(own.values()), "o-", ms=4, lw=1.6, color=colour, label=name)
    axes.axhline(CROSSINGS_HZ, color=LIGHT.muted, lw=1, ls="--")
    axes.annotate(
        "LHC crossings, 40 MHz", (1, CROSSINGS_HZ), (0, 4),
        textcoords="offset points", color=LIGHT.muted,
    )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    sizes = sorted({batch for own in found["images_per_s"].values() for batch in own})
    axes.set_xticks(sizes, [f"{size}" for size in sizes])
    axes.set_xlabel("images at once", color=LIGHT.muted)
    axes.set_ylabel("images per second", color=LIGHT.muted)
    axes.yaxis.grid(True, color=LIGHT.line, linewidth=0.6)
    axes.set_ylim(top=CROSSINGS_HZ * 5)
    legend = drawn.legend(frameon=False, loc="outside upper left", ncols=3)
    ink_legend(legend.get_texts(), LIGHT)
    return drawn


def _cell(rate: float | None, ratio: float | None) -> str:
    if rate is None:
        return "–"
    return f"{rate:,.0f}" if ratio is None else f"{rate:,.0f} ({_times(ratio)})"


def _times(ratio: float) -> str:
    """Two digits, or all before the point."""
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _cpu() -> str:
    """The processor's name as Linux knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("build", type=Path, help="build directory of `trigger-ml compile`")
    parser.add_argument("--output", type=Path, default=Path("build/throughput"))
    parser.add_argument("--batches", type=int, default=BATCHES, help=f"largest [{BATCHES}]")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"for each series [{SECONDS:g}]"
    )
    return parser.parse_args()


def main() -> None:
    """Measure, write, print."""
    from trigger_ml.report.plots import to_png

    given = _arguments()
    stored, report = load_build(given.build), load_report(given.build)
    stored = replace(stored, model=stored.model.resolve())
    firmware, sizes = read_firmware(report), batch_sizes(given.batches)
    with listener() as hears, tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch(hears)
        series, versions = measure(stored, sizes, given.seconds, Path(folder), watch)
    series[FIRMWARE] = {batch: firmware.rate(batch) for batch in sizes}
    found = record(report, firmware, series, versions, {**watch.seconds, "total": watch.total})
    given.output.mkdir(parents=True, exist_ok=True)
    write_text(given.output / "throughput.json", json.dumps(found, indent=1))
    text = table(found)
    write_text(given.output / "throughput.md", text)
    with appearing(given.output / "throughput.png") as part:
        part.write_bytes(to_png(figure(found)))
    print(text)


if __name__ == "__main__":
    main()
