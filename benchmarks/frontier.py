"""The frontier of trigger_ml against two others, on the same events and by the same measure.

    python benchmarks/frontier.py --data events.npz [--front build/explore] [--output FOLDER]

Three series, each a set of model files, all read by the same front end, traced for the same
clock, counted by the same cost model and judged on the same test events:

    trigger_ml   HGQ2, recipe "balanced" on two sizes; or the points of a search (--front)
    uniform      QKeras, 6 bits for all weights and activations, 75 % of the weights zero
    hls4ml       hls4ml's own optimization API (see hls4ml_optimizer.py)

For every design of the two others it says whether a design of ours has at most its LUTs and at
least its accuracy, and by how much, with the paired interval. Writes ``frontier.json`` and
``frontier.png`` into FOLDER. Published figures are of another data set: drawn, never compared.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from frontier_series import METRIC, SEED, Asked, Bench, Design, optimized, ours, uniform
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console
from rich.table import Table

from trigger_ml.compress.dataset import Dataset
from trigger_ml.compress.front.pareto import Point, Published, dominates, hypervolume, pareto_front
from trigger_ml.compress.front.plot import front_figure, front_png
from trigger_ml.compress.front.table import front_table
from trigger_ml.compress.metrics.find import MetricChange, compare_metric, find_metric
from trigger_ml.files import write_text
from trigger_ml.settings import read_settings
from trigger_ml.terminal import listener

ROOT: Final = Path(__file__).resolve().parents[1]
MODEL: Final = ROOT / "models" / "jet_tagger" / "float_baseline.h5"
PUBLISHED: Final = Path(__file__).with_name("published_jets.yaml")
CORNER: Final = (20_000.0, 0.5)
"""LUTs and accuracy of the corner that areas under a frontier are measured from."""
WIDTH: Final = 140
"""Of the printed tables, in characters."""
SERIES: Final = {"trigger_ml": "ours", "uniform": "uniform 6 bit, 75 %", "hls4ml": "hls4ml's API"}


class _Figure(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    accuracy: float = Field(gt=0, lt=1)
    lut: float = Field(gt=0)
    source: str = Field(min_length=1)
    dsp: int = Field(default=0, ge=0)
    latency_ns: float | None = Field(default=None, gt=0)


class _Figures(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    dataset: str = Field(min_length=1)
    points: tuple[_Figure, ...] = Field(min_length=1)


def read_published(path: Path) -> tuple[Published, ...]:
    """Figures of papers; DSPs, which cost no LUT, are told in the name. Raises ConfigError."""
    found = read_settings(_Figures, path)
    return tuple(
        Published(
            f"{item.name} + {item.dsp} DSP" if item.dsp else item.name,
            item.lut,
            item.accuracy,
            found.dataset,
            item.source,
            item.latency_ns,
        )
        for item in found.points
    )


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What our designs make of one of another series.

    better: our most accurate one of at most its LUTs. change: accuracy of that one minus this
    one's, paired. smaller: our cheapest one of at least its accuracy. None: there is no such one.
    """

    design: Point
    better: Point | None
    change: MetricChange | None
    smaller: Point | None


def verdicts(ours: Sequence[Design], others: Sequence[Design], data: Dataset) -> list[Verdict]:
    """Hold every other design against ours."""
    metric, found = find_metric(METRIC, data.classes), []
    for other in others:
        cheap = [mine for mine in ours if mine.point.lut <= other.point.lut]
        good = [mine.point for mine in ours if mine.point.metric >= other.point.metric]
        best = max(cheap, key=lambda mine: mine.point.metric, default=None)
        change = None
        if best is not None:
            change = compare_metric(metric, other.scores, best.scores, data.y_test, seed=SEED)
        smaller = min(good, key=lambda point: point.lut, default=None)
        found.append(Verdict(other.point, best.point if best else None, change, smaller))
    return found


def show(found: Sequence[Verdict]) -> Table:
    """The verdicts as a table."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("design")
    for head in ("LUT", "accuracy", "ours at its LUTs", "LUTs of ours at its accuracy"):
        table.add_column(head, justify="right", no_wrap=True)
    for item in found:
        gain = "none that small"
        if item.better is not None and item.change is not None:
            change = item.change.change
            gain = f"{change.value:+.2%} ({change.low:+.2%} to {change.high:+.2%})"
        fewer = "none as accurate"
        if item.smaller is not None:
            fewer = f"{item.smaller.lut:,.0f} ({item.smaller.lut / item.design.lut:.2f} of them)"
        table.add_row(
            item.design.name, f"{item.design.lut:,.0f}", f"{item.design.metric:.2%}", gain, fewer
        )
    return table


def _record(
    bench: Bench, series: dict[str, list[Design]], found: list[Verdict], left: Sequence[Point]
) -> dict[str, Any]:
    data = bench.data
    return {
        "metric": METRIC,
        "data": {"file": data.source, "digest": data.digest, "test": len(data.y_test)},
        "target": {"part": bench.config.target.part, "clock_mhz": bench.config.target.clock_mhz},
        "reference": series["trigger_ml"][0].point.reference,
        "epochs_share": bench.share,
        "series": {name: [item.point.to_json() for item in own] for name, own in series.items()},
        "area": {name: _area(own) for name, own in series.items()},
        "verdicts": [
            {
                "design": item.design.name,
                "better": item.better.name if item.better else None,
                "change": item.change.to_json() if item.change else None,
                "smaller": item.smaller.name if item.smaller else None,
            }
            for item in found
        ],
        "not_dominated": [point.name for point in left],
        "seconds": bench.seconds,
        "total_s": bench.watch.total,
    }


def _area(own: Sequence[Design]) -> float:
    return hypervolume((item.point for item in own), CORNER)


def _draw(series: dict[str, list[Design]], file: Path) -> None:
    points = [item.point for item in series["trigger_ml"]]
    front = pareto_front(points)
    figure = front_figure(
        front,
        [point for point in points if point not in front],
        metric="accuracy",
        comparison=[
            replace(item.point, origin=SERIES[name])
            for name in ("uniform", "hls4ml")
            for item in series[name]
        ],
        published=read_published(PUBLISHED),
    )
    if figure is not None:
        front_png(figure, file)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="labelled events: .npz or .h5")
    parser.add_argument("--model", type=Path, default=MODEL, help="float Keras model")
    parser.add_argument("--front", type=Path, help="folder of `trigger-ml explore` or `compress`")
    parser.add_argument("--output", type=Path, default=Path("build/frontier"))
    parser.add_argument("--epochs", type=float, default=1.0, help="share of all epochs [1]")
    parser.add_argument(
        "--peer-seconds", type=float, default=180, help="of hls4ml's API, for each run [180]"
    )
    parser.add_argument("--reuse", action="store_true", help="keep models that are there already")
    return parser.parse_args()


def main() -> None:
    """Train, measure, compare, print."""
    given = _arguments()
    with listener() as hears:
        asked = Asked(given.model, given.output, given.reuse, given.epochs, given.peer_seconds)
        bench = Bench(asked, given.data, hears)
        series = {
            "trigger_ml": ours(bench, given.front),
            "uniform": uniform(bench),
            "hls4ml": optimized(bench),
        }
    others = [item for name in ("uniform", "hls4ml") for item in series[name]]
    found = verdicts(series["trigger_ml"], others, bench.data)
    left = dominates([item.point for item in series["trigger_ml"]], [item.point for item in others])
    write_text(
        bench.folder / "frontier.json", json.dumps(_record(bench, series, found, left), indent=1)
    )
    _draw(series, bench.folder / "frontier.png")
    console = Console(highlight=False, width=WIDTH)
    for name, own in series.items():
        console.print(f"\n[bold]{SERIES[name]}[/bold], area {_area(own):,.0f}")
        console.print(front_table([item.point for item in own], METRIC))
    console.print("\n[bold]the others against ours[/bold], paired, 95 %")
    console.print(show(found))
    names = ", ".join(point.name for point in left) or "none"
    console.print(f"\nnot dominated, of {len(others)}: {names}")
    for name, seconds in bench.seconds.items():
        console.print(f"{name:<24}{seconds:8.1f} s")
    console.print(f"{'all':<24}{bench.watch.total:8.1f} s")


if __name__ == "__main__":
    main()
