"""How wrong the estimates are: the cost model and the rules of thumb against yosys.

    python -m benchmarks.calibration [OUT] [--jobs 1] [--only NAME] [--tables]

Makes every network of ``calibration_networks.py`` from its name, estimates it, writes its RTL,
lets yosys count it, and measures the latency of some in Icarus. OUT keeps a result for each
network, for a run that is taken up again: the whole one while neither network nor estimating code
change, and what yosys counted while the RTL is the same. From all networks come, at the end,

- ``benchmarks/calibration.json``: what was estimated and counted, network by network;
- ``trigger_ml/synth/calibration.yaml``: coefficients and bands, which the package ships;
- the table in ``docs/resources.md`` and its plot.

--tables makes only these last three from the first.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from benchmarks.calibration_networks import NETWORKS, Network, held_out
from benchmarks.calibration_tables import write_tables
from trigger_ml.artifacts import Hdl, RtlProject, Synthesis
from trigger_ml.capacity import count_stream
from trigger_ml.config import Config
from trigger_ml.files import write_text
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph
from trigger_ml.inspect.cost import rough_cost
from trigger_ml.lower.build import FirmwareLogic, trace_firmware
from trigger_ml.lower.rtl import pipeline, write_rtl
from trigger_ml.lower.stream.write import StreamLogic, write_stream
from trigger_ml.simulate.rtl import cosimulate, simulator
from trigger_ml.synth.cost_model import estimate
from trigger_ml.synth.operation_counts import Counts, count_operations, count_stage
from trigger_ml.synth.shift_registers import count_registers
from trigger_ml.synth.stream import synthesize_stream
from trigger_ml.synth.yosys import synthesize

ROOT: Final = Path(__file__).resolve().parents[1]
TABLE: Final = ROOT / "benchmarks" / "calibration.json"
PACKAGE: Final = ROOT / "trigger_ml"
ESTIMATING: Final = (
    "alkaid_codes.py",
    "cost_model.py",
    "operation_counts.py",
    "pipeline_bits.py",
    "rough.py",
    "shift_registers.py",
    "stream.py",
)
"""Modules of ``trigger_ml/synth`` that a result depends on."""
TOP: Final = "top"
SIMULATED: Final = (
    "dense_64x16x4_w3a3_z80",
    "argmax_16x16x5_w4a5",
    "slow_16x16x5_w4a6",
    "stream_4x16x2_f3x1_w2a2_c2",
    "tiny_qkeras",
)
"""Networks whose latency is measured, not only stated by what writes the RTL."""
EVENTS: Final = 40


def study(network: Network, out: Path) -> dict[str, Any]:
    """One network: what is estimated, what yosys counts. out: keeps yosys's counts."""
    config, graph = network.config(), network.graph()
    rough = rough_cost(graph, config)
    started = time.perf_counter()
    logic = trace_firmware(graph, config)
    parts, found, shell_lut = _parts(logic, config)
    seconds = time.perf_counter() - started
    with TemporaryDirectory(prefix="calibration_") as folder:
        project = _write(logic, config, Path(folder) / "rtl")
        counted = _count(project, Path(folder) / "yosys", out / f"{network.name}.yosys.json")
        simulated = None
        if network.name in SIMULATED:
            simulated = _simulate(graph, project, Path(folder) / "icarus")
    total = sum((Counts().plus(counts, times) for _, times, counts, _ in parts), Counts())
    srl = sum(times * lut for _, times, _, lut in parts)
    return {
        "name": network.name,
        "family": network.family,
        "held_out": held_out(network.name),
        "rough": {"lut": round(rough.lut, 1), "cycles": rough.latency_cycles},
        "cost_model": {k: v for k, v in found.total.to_json().items() if k != "bram36"},
        "fixed_lut": srl + shell_lut,
        "carry4": total.carry4,
        "dsp": total.dsp,
        "counts": _amounts(total),
        "cycles": {
            "rough": rough.latency_cycles,
            "predicted": _cycles(logic, found),
            "rtl": project.latency_cycles,
            "simulated": simulated,
        },
        "yosys": counted["total"],
        "parts": [
            # Of a stage without logic yosys leaves no module.
            [round(counted["parts"].get(name, 0.0) - lut, 1), _amounts(counts)]
            for name, _, counts, lut in parts
            if counts.amounts
        ],
        "seconds": {"estimate": round(seconds, 2), "yosys": round(counted["seconds"], 1)},
        "versions": {"alkaid": version("alkaid"), "yosys": counted["version"]},
    }


Part = tuple[str, int, Counts, int]
"""Name of what yosys counts by itself, how often it is there, its logic, its shift registers."""


def _parts(logic: FirmwareLogic, config: Config) -> tuple[list[Part], Synthesis, int]:
    """What yosys counts one by one, the whole estimate, and LUTs of a stream's shell."""
    if isinstance(logic, StreamLogic):
        parts = []
        for place, part in enumerate(logic.plan.kernels):
            fsm = logic.kernels[part.name].fsm
            waiting = count_registers(fsm).srl_lut
            parts.append((f"kernel{place}", part.instances, count_operations(fsm), waiting))
        return parts, count_stream(logic), logic.shell.lut
    fsm = pipeline(logic, config.target, config.firmware.routing_margin)
    stages = [
        (f"{TOP}_stage{place}", 1, count_stage(stage), 0)
        for place, stage in enumerate(fsm.logic.values())
    ]
    found = estimate(logic.program, fsm, extra_ff=len(stages) + 1)
    return [*stages, ("registers", 1, Counts(), count_registers(fsm).srl_lut)], found, 0


def _cycles(logic: FirmwareLogic, found: Synthesis) -> int:
    """Of a pipeline: its stages and the registers in front; of a stream: as it is planned."""
    if isinstance(logic, StreamLogic):
        return logic.latency_cycles
    return int(found.details["stages"]) + 1


def _write(logic: FirmwareLogic, config: Config, folder: Path) -> RtlProject:
    if isinstance(logic, StreamLogic):
        return write_stream(logic, config.target, TOP, folder)
    folder.mkdir(parents=True)
    margin = config.firmware.routing_margin
    return write_rtl(logic, config.target, margin, TOP, Hdl.VERILOG, folder)


def _count(project: RtlProject, work: Path, kept: Path) -> dict[str, Any]:
    """Counts of yosys, from an earlier run if that was of the same RTL."""
    sources = hashlib.sha256()
    for path in sorted(project.sources):
        sources.update(path.name.encode() + path.read_bytes())
    digest = sources.hexdigest()
    if kept.exists():
        known: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        if known["rtl"] == digest:
            return known
    found = (synthesize_stream if project.stream else synthesize)(project, work=work)
    made = {
        "rtl": digest,
        "version": found.version,
        "seconds": found.seconds,
        "total": {k: v for k, v in found.total.to_json().items() if k != "bram36"},
        "parts": _counted_parts(found),
    }
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_text(kept, json.dumps(made, indent=1) + "\n")
    return made


def _counted_parts(found: Synthesis) -> dict[str, float]:
    kernels = found.details.get("kernels")
    if kernels is None:
        return {name: item["lut"] for name, item in found.details["by_module"].items()}
    names = [name for name in kernels if name != "shell"]
    return {f"kernel{place}": kernels[name]["lut"] for place, name in enumerate(names)}


def _simulate(graph: FixedGraph, project: RtlProject, work: Path) -> int:
    """Clocks from an event's input to its output, measured by Icarus; the outputs must be right."""
    random = np.random.default_rng(0)
    kinds = graph.input_types
    low = [kind.min_code for kind in kinds]
    high = [kind.max_code + 1 for kind in kinds]
    codes = random.integers(low, high, (EVENTS, len(kinds)))
    expected = evaluate(graph, codes)
    found = cosimulate(
        project,
        codes,
        expected=expected,
        input_types=kinds,
        output_types=graph.output_types,
        simulator=simulator("icarus"),
        work=work,
    )
    if not np.array_equal(found.run.codes, expected):
        raise AssertionError(f"{graph.name}: the RTL computes something else")
    return found.latency_cycles


def _amounts(counts: Counts) -> dict[str, float]:
    return {kind: round(amount, 2) for kind, amount in counts.amounts.items() if amount}


def _all(networks: Iterable[Network], out: Path, jobs: int) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        running = {pool.submit(_named, network.name, out): network for network in networks}
        for done in as_completed(running):
            item = done.result()
            found[item["name"]] = item
            print(_line(item), flush=True)
    return [found[network.name] for network in running.values()]


def _named(name: str, out: Path) -> dict[str, Any]:
    """A result that is kept, or a new one. By name: how a network is made does not travel."""
    network = next(network for network in NETWORKS if network.name == name)
    key = _key(network)
    path = out / f"{name}.json"
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return dict(kept["result"])
    found = study(network, out)
    write_text(path, json.dumps({"key": key, "result": found}, indent=1))
    return found


def _key(network: Network) -> str:
    """Digest of a network and of what estimates and lowers it."""
    digest = hashlib.sha256(network.graph().digest.encode())
    digest.update(network.config().model_dump_json().encode())
    digest.update(version("alkaid").encode())
    code = [*(PACKAGE / "lower").rglob("*.py"), *(PACKAGE / "synth" / name for name in ESTIMATING)]
    for path in sorted(code):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _line(item: Mapping[str, Any]) -> str:
    lut, ff = item["yosys"]["lut"], item["yosys"]["ff"]
    return (
        f"{item['name']:<40} {item['cost_model']['lut']:>8,.0f} LUT by the cost model, "
        f"{lut:>8,.0f} by yosys; {item['cost_model']['ff']:>8,.0f} and {ff:>8,.0f} FF"
    )


def _table(items: list[dict[str, Any]]) -> str:
    """JSON with one network a line."""
    versions = {key: item["versions"][key] for item in items for key in item["versions"]}
    head = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": {**versions, "numpy": np.__version__},
    }
    kept = [{k: v for k, v in item.items() if k != "versions"} for item in items]
    lines = ",\n".join(json.dumps(item, sort_keys=True) for item in kept)
    return f'{json.dumps(head)[:-1]},\n "networks": [\n{lines}\n]}}'


def main() -> None:
    """Study, and write what comes out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path, nargs="?", default=Path("build/calibration"))
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=1)
    parser.add_argument("--only", default="", help="networks with this in their name; no tables")
    parser.add_argument("--tables", action="store_true", help="only from what is committed")
    options = parser.parse_args()
    if not options.tables:
        chosen = [network for network in NETWORKS if options.only in network.name]
        items = _all(chosen, options.out, options.jobs)
        if options.only:
            return
        write_text(TABLE, _table(items))
    sys.stdout.write(write_tables(TABLE))


if __name__ == "__main__":
    main()
