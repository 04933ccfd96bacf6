"""Commands for tracks: ``data tracks``, ``show tracks`` and ``train tracks``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trigger_ml.terminal import FILE, console, listener, shown

if TYPE_CHECKING:
    from trigger_ml.progress import Listener
    from trigger_ml.tasks.tracks.recipe import TracksRecipe
    from trigger_ml.tasks.tracks.summary import Summary

__all__ = ["data_tracks", "show_tracks_command", "train_tracks"]


@click.command("tracks")
@click.option(
    "--output", "-o", type=FILE, default=Path("hits.h5"), show_default=True, help="HDF5 file."
)
@click.option("--recipe", "recipe_file", type=FILE, help="YAML file; flags below override it.")
@click.option("--events", type=int, help="How many [1000; with --trackml all].")
@click.option("--seed", type=int, help="Equal seeds give equal hits [1].")
@click.option("--processes", type=int, help="How many work at once [one for each core].")
@click.option("--trackml", type=FILE, help="Folder of TrackML events to convert instead.")
def data_tracks(
    output: Path,
    recipe_file: Path | None,
    events: int | None,
    seed: int | None,
    processes: int | None,
    trackml: Path | None,
) -> None:
    """Track hits of top pairs and pile-up: PYTHIA 8, and ACTS for the TrackML detector.

    A run that is stopped goes on where it stopped.
    """
    import os
    import time

    from trigger_ml.settings import check_settings
    from trigger_ml.tasks.tracks.recipe import TracksRecipe, read_tracks_recipe
    from trigger_ml.tasks.tracks.simulate import simulate
    from trigger_ml.tasks.tracks.store import TrackStore
    from trigger_ml.tasks.tracks.summary import summarize

    recipe = read_tracks_recipe(recipe_file) if recipe_file else TracksRecipe()
    given = {key: value for key, value in (("events", events), ("seed", seed)) if value is not None}
    recipe = check_settings(TracksRecipe, {**recipe.model_dump(), **given}, "flags")
    title = "TrackML" if trackml else "PYTHIA 8 and ACTS"
    begin = time.perf_counter()
    with listener() as hears:
        hears.started(title)
        if trackml:
            _convert(trackml, output, recipe, events, hears, title)
        else:
            simulate(
                output,
                recipe,
                processes=os.cpu_count() or 1 if processes is None else processes,
                progress=lambda done, total: hears.moved(title, done, total),
            )
        seconds = time.perf_counter() - begin
        hears.ended(title, seconds, "")
        store = TrackStore.open(output)
        summary = summarize(store.events(), store.cuts)
    _print_summary(output, summary, seconds)


def _convert(
    folder: Path,
    output: Path,
    recipe: TracksRecipe,
    events: int | None,
    hears: Listener,
    title: str,
) -> None:
    """TrackML events into a file of ours."""
    from trigger_ml.tasks.tracks.store import write_events
    from trigger_ml.tasks.tracks.trackml import find_events, read_trackml

    found = find_events(folder)[:events]
    write_events(
        output,
        read_trackml(found, recipe.pt_min_gev),
        recipe.cuts,
        {"source": f"TrackML, {folder.resolve().name}", "pt_min_gev": str(recipe.pt_min_gev)},
        lambda done: hears.moved(title, done, len(found)),
    )


def _print_summary(output: Path, summary: Summary, seconds: float) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    events = summary.events
    rows = {
        "file": str(shown(output)),
        "events": f"{events:,}, {events / seconds:.1f} a second",
        "hits": f"{summary.hits:,}, {summary.hits / events:.0f} an event",
        "candidate edges": f"{summary.edges:,}, {summary.edges / events:.0f} an event",
        "true edges": _share(summary.true, summary.true_share),
        "lost by the cuts": f"{summary.lost:,} segments",
        "segment efficiency": _percent(summary.efficiency),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console().print(table)


def _share(count: int, share: float | None) -> str:
    return f"{count:,}, {_percent(share)}"


def _percent(share: float | None) -> str:
    return "none to measure" if share is None else f"{share:.2%}"


@click.command("tracks")
@click.argument("data_file", metavar="FILE", type=FILE)
@click.option("--event", default=0, show_default=True, help="Which one to draw.")
@click.option(
    "--output", "-o", type=FILE, default=Path("event.png"), show_default=True, help=".png or .svg."
)
@click.option("--build", "build_folder", type=FILE, help="Of an edge classifier: what it keeps.")
@click.option("--scores", type=FILE, help="Of its edges: .npz with an array scores.")
@click.option("--threshold", default=0.5, show_default=True, help="Edges above it are kept.")
@click.option("--zoom", type=(float, float), help="Azimuth to show, from and to, in rad.")
def show_tracks_command(
    data_file: Path,
    event: int,
    output: Path,
    build_folder: Path | None,
    scores: Path | None,
    threshold: float,
    zoom: tuple[float, float] | None,
) -> None:
    """Draw an event of FILE, across the beam and along it: hits, and edges between them.

    FILE is made by `data tracks`, or is one HEP.TrkX graph (.npz).
    """
    from trigger_ml.tasks.tracks.shown import show_tracks

    title = show_tracks(data_file, event, output, scores, build_folder, threshold, zoom)
    click.echo(f"{shown(output)}: {title}")


@click.command("tracks")
@click.argument("data_file", metavar="DATA", type=FILE)
@click.option("--output", "-o", type=FILE, required=True, help="Folder for the model.")
@click.option("--recipe", "recipe_file", type=FILE, help="YAML file.")
def train_tracks(data_file: Path, output: Path, recipe_file: Path | None) -> None:
    """Train the pruned QKeras edge classifier on DATA, made by `data tracks`."""
    from trigger_ml.tasks.tracks.train import train_edges
    from trigger_ml.tasks.tracks.training_recipe import EdgeRecipe, read_edge_recipe

    recipe = read_edge_recipe(recipe_file) if recipe_file else EdgeRecipe()
    with listener() as hears:
        result = train_edges(data_file, output, recipe, hears)
    for kind, item in result.kinds.items():
        for name, figures in item.networks.items():
            half = figures.half
            shares = (half.purity, half.efficiency, half.accuracy)
            purity, efficiency, accuracy = (_percent(share.value) for share in shares)
            found = f"purity {purity}, efficiency {efficiency}, accuracy {accuracy}"
            click.echo(f"{name}, {kind} sectors: {found}")
    click.echo(f"{result.sparsity:.1%} of the quantized weights are zero; see {output}/README.md")
