"""The commands that make networks smaller: ``compress`` and ``explore``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from trigger_ml.terminal import EXIT_VERDICT, FILE, console, leave_interrupted, listener, shown

if TYPE_CHECKING:
    from trigger_ml.compress.front.pareto import Point
    from trigger_ml.compress.run import CompressOutcome
    from trigger_ml.compress.search.explore import ExploreOutcome
    from trigger_ml.config import Config

__all__ = ["compress", "explore"]

MOST_FAILURES: Final = 5


@click.command()
@click.argument("model", type=FILE)
@click.option("--data", type=FILE, required=True, help="Labelled events: .npz or .h5.")
@click.option(
    "--recipe",
    default="balanced",
    show_default=True,
    help="fast (no training), balanced, best, or a YAML file.",
)
@click.option("--metric", help="What may not get worse, such as accuracy, auc or rejection@0.3.")
@click.option("--tolerance", type=float, help="How much worse it may be, at 95 % confidence.")
@click.option("--max-lut", type=float, help="Most LUTs, by the cost model.")
@click.option("--max-latency", type=float, help="Longest latency, in ns.")
@click.option("--part", help="FPGA part or device, such as VU13P.")
@click.option("--clock", help="Target clock: 360, 360MHz or 2.778ns.")
@click.option("--output", "-o", type=FILE, help="Folder [build/<model>_compressed].")
@click.option("--json", "as_json", is_flag=True, help="Print compress.json on standard output.")
def compress(
    model: Path,
    data: Path,
    recipe: str,
    metric: str | None,
    tolerance: float | None,
    max_lut: float | None,
    max_latency: float | None,
    part: str | None,
    clock: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Make MODEL smaller: prune, choose fixed-point types, train, judge, choose."""
    from trigger_ml.compress.recipe import load_recipe
    from trigger_ml.compress.run import CompressRequest, compress_model
    from trigger_ml.frontends.client import top_name

    asked = load_recipe(
        recipe,
        {
            "goal.metric": metric,
            "goal.tolerance": tolerance,
            "limits.lut": max_lut,
            "limits.latency_ns": max_latency,
        },
    )
    folder = output or Path("build") / f"{top_name(model)}_compressed"
    command = shlex.join(["trigger-ml", *sys.argv[1:]])
    request = CompressRequest(model, data, asked, _target(part, clock), folder, command)
    with listener() as hears:
        outcome = compress_model(request, hears)
    if as_json:
        record = outcome.folder / "compress.json"
        click.echo(record.read_text(encoding="utf-8"), nl=False)
    else:
        _show_compressed(outcome, asked.goal.metric)
    sys.exit(0 if outcome.chosen else EXIT_VERDICT)


def _show_compressed(outcome: CompressOutcome, metric: str) -> None:
    from trigger_ml.compress.front.table import front_table

    out = console()
    out.print(front_table(outcome.points, metric))
    if outcome.chosen is None or outcome.model is None:
        out.print("\nNo candidate keeps to goal and limits:")
        for sentence in outcome.shortfall:
            out.print(f"  {sentence}")
        out.print(f"All candidates are in {shown(outcome.folder)}")
        return
    point = outcome.chosen
    out.print(f"\n{_stated(point, metric)}")
    events = shown(outcome.folder / "events.npz")
    out.print(f"Next: trigger-ml compile {shown(outcome.model)} --data {events}")


def _stated(point: Point, metric: str) -> str:
    change = f"{point.metric - point.reference:+.4f}"
    between = f"{point.change_low:+.4f} to {point.change_high:+.4f}"
    return (
        f"{point.name}: {point.lut:,.0f} LUT, {point.latency_ns:.1f} ns; {metric} "
        f"{point.metric:.4f} against {point.reference:.4f} on test events, a change of {change} "
        f"(95 % interval {between})"
    )


@click.command()
@click.argument("model", type=FILE)
@click.option("--data", type=FILE, required=True, help="Labelled events: .npz or .h5.")
@click.option("--search", "search_file", type=FILE, help="YAML file: space, first, recipe.")
@click.option("--trials", default=20, show_default=True, help="Trials in all, finished ones too.")
@click.option("--jobs", default=1, show_default=True, help="Trials at once.")
@click.option(
    "--scheduler",
    default="local",
    show_default=True,
    help="local, in-process, tcp://host:port of a Dask scheduler, or YAML of a batch system.",
)
@click.option("--storage", help="Optuna storage URL, or journal:FILE [<output>/study.db].")
@click.option("--part", help="FPGA part or device, such as VU13P.")
@click.option("--clock", help="Target clock: 360, 360MHz or 2.778ns.")
@click.option("--output", "-o", type=FILE, help="Folder [build/<model>_explore]; resumed if there.")
def explore(
    model: Path,
    data: Path,
    search_file: Path | None,
    trials: int,
    jobs: int,
    scheduler: str,
    storage: str | None,
    part: str | None,
    clock: str | None,
    output: Path | None,
) -> None:
    """Find the frontier of LUTs against physics for MODEL; resumes where it stopped."""
    from trigger_ml.compress.search.request import SearchRequest, load_search, run_search
    from trigger_ml.frontends.client import top_name

    search = load_search(search_file)
    folder = output or Path("build") / f"{top_name(model)}_explore"
    request = SearchRequest(
        model, data, search, _target(part, clock), folder, trials, jobs, scheduler, storage
    )
    try:
        with listener() as hears:
            outcome = run_search(request, hears)
    except KeyboardInterrupt:
        click.echo(
            "trigger-ml: interrupted; what ended is kept, the same command goes on", err=True
        )
        leave_interrupted()
    _show_explored(outcome, search.recipe.goal.metric)


def _show_explored(outcome: ExploreOutcome, metric: str) -> None:
    from trigger_ml.compress.front.table import front_table

    out = console()
    out.print(front_table(outcome.front, metric))
    out.print(
        f"\n{len(outcome.finished)} trials, {len(outcome.points)} designs, "
        f"{len(outcome.front)} of them beaten by no other: {shown(outcome.folder / 'front.md')}"
    )
    for number, reason in list(outcome.failed.items())[:MOST_FAILURES]:
        out.print(f"trial {number} failed: {reason}")
    if outcome.front:
        model = shown(outcome.folder / outcome.front[-1].model)
        out.print(f"Next: trigger-ml compile {model}")


def _target(part: str | None, clock: str | None) -> Config:
    from trigger_ml.config import load_config, parse_clock
    from trigger_ml.synth.devices import find_device

    mhz = parse_clock(clock) if clock is not None else None
    config = load_config(None, {"target.part": part, "target.clock_mhz": mhz})
    find_device(config.target.part)
    return config
