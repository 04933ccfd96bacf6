"""Wall time of each stage and events per second of each witness, against hls4ml's own.

    python benchmarks/stages.py [MODEL] [EVENTS]

Both run here, on the same machine, model and events, one after the other: trigger_ml's compile,
and hls4ml's convert, compile() and predict(). Absolute times are this machine's; the ratios are
what compares.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from trigger_ml.config import load_config
from trigger_ml.pipeline import Request, compile_model
from trigger_ml.report.schema import Report

ROOT = Path(__file__).resolve().parents[1]
PEER = Path(__file__).with_name("hls4ml_peer.py")


def peer(model: Path, events: Path) -> dict[str, float]:
    """hls4ml alone, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(PEER), str(model), str(events)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def rates(report: Report) -> dict[str, float]:
    """Events per second of each witness."""
    pairs = {pair.name: pair for pair in report.fidelity.pairs}
    names = {
        "graph interpreter": "graph~source",
        "C simulation": "csim~graph",
        "alkaid interpreter": "alkaid~graph",
        "cocotb, Verilator": "rtl~graph",
    }
    seconds = {label: pairs[name].seconds for label, name in names.items()}
    seconds["graph interpreter"] = report.timing_s["graph"]
    return {
        label: (pairs[names[label]].events or 0) / time
        for label, time in seconds.items()
        if time is not None
    }


def main() -> None:
    """Measure and print."""
    folder = ROOT / "models" / "jet_tagger"
    model = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "model.h5"
    events = Path(sys.argv[2]) if len(sys.argv) > 2 else folder / "events.npz"
    with tempfile.TemporaryDirectory() as output:
        request = Request(model, load_config(None), events, Path(output) / "build")
        report = compile_model(request).report
    hls4ml = peer(model, events)
    print(f"hls4ml: load and convert {hls4ml['convert_s']:.1f} s, ", end="")
    print(
        f"compile() {hls4ml['compile_s']:.1f} s, predict() {hls4ml['events_per_s']:,.0f} events/s"
    )
    print(f"\n{'stage':<16}{'s':>8}{'of hls4ml convert + compile':>30}")
    whole = hls4ml["convert_s"] + hls4ml["compile_s"]
    for stage, seconds in report.timing_s.items():
        if seconds is not None:
            print(f"{stage:<16}{seconds:>8.1f}{seconds / whole:>30.2f}")
    print(f"\n{'witness':<24}{'events/s':>12}{'of hls4ml predict':>20}")
    for witness, rate in rates(report).items():
        print(f"{witness:<24}{rate:>12,.0f}{rate / hls4ml['events_per_s']:>20.2f}")


if __name__ == "__main__":
    main()
