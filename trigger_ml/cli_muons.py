"""Commands for muon chambers: ``data muons``, ``show muons`` and ``train muons``."""

from __future__ import annotations

from pathlib import Path

import click

from trigger_ml.terminal import FILE, listener, shown

__all__ = ["data_muons", "show", "train_muons"]


@click.command("muons")
@click.option("--output", "-o", type=FILE, required=True, help="HDF5 file to write.")
@click.option("--recipe", "recipe_file", type=FILE, help="YAML file; flags below override it.")
@click.option("--images", type=int, help="How many [100000].")
@click.option(
    "--background",
    type=float,
    multiple=True,
    help="Multiple of the HL-LHC's rate; several are mixed evenly [1, 5, 10].",
)
@click.option("--seed", type=int, help="Equal seeds give equal images [1].")
@click.option("--jobs", default=1, show_default=True, help="Processes.")
def data_muons(
    output: Path,
    recipe_file: Path | None,
    images: int | None,
    background: tuple[float, ...],
    seed: int | None,
    jobs: int,
) -> None:
    """Images of a six-layer muon chamber: muons, background, dead strips and layers."""
    from trigger_ml.progress import Stopwatch
    from trigger_ml.settings import check_settings
    from trigger_ml.tasks.muons.recipe import SampleRecipe, read_sample_recipe
    from trigger_ml.tasks.muons.store import write_muons

    recipe = read_sample_recipe(recipe_file) if recipe_file else SampleRecipe()
    mixed = {"multiples": background, "weights": [1.0] * len(background)} if background else None
    asked = {"images": images, "seed": seed, "background": mixed}
    given = {key: value for key, value in asked.items() if value is not None}
    recipe = check_settings(SampleRecipe, {**recipe.model_dump(), **given}, "flags")
    with listener() as hears, Stopwatch(hears).stage("simulate", "muon chamber") as stage:
        write_muons(output, recipe, jobs=jobs, progress=stage.moved)
        stage.note = f"{recipe.images:,} images"
    click.echo(f"{shown(output)}: {recipe.images:,} images, seed {recipe.seed}")


@click.group()
def show() -> None:
    """Draw physics data."""


@show.command("muons")
@click.argument("data_file", metavar="FILE", type=FILE)
@click.option("--image", "numbers", type=int, multiple=True, help="Rows to draw [0].")
@click.option(
    "--output", "-o", type=FILE, default=Path("event.png"), show_default=True, help=".png or .svg."
)
@click.option("--mask", type=FILE, help="Marked cells: .npz with an array mask.")
@click.option("--strips", type=(int, int), default=(0, 384), help="First and last to draw.")
def show_muons_command(
    data_file: Path,
    numbers: tuple[int, ...],
    output: Path,
    mask: Path | None,
    strips: tuple[int, int],
) -> None:
    """Draw images of FILE, made by `data muons`: partitions, layers and strips."""
    from trigger_ml.tasks.muons.shown import show_muons

    for picture, title in show_muons(data_file, numbers or (0,), output, mask, strips):
        click.echo(f"{shown(picture)}: {title}")


@click.command("muons")
@click.argument("data_file", metavar="DATA", type=FILE)
@click.option("--output", "-o", type=FILE, required=True, help="Folder for the model.")
@click.option("--recipe", "recipe_file", type=FILE, help="YAML file.")
def train_muons(data_file: Path, output: Path, recipe_file: Path | None) -> None:
    """Train the pruned QKeras muon segmenter on DATA, made by `data muons`."""
    from trigger_ml.tasks.muons.train import train_segmenter
    from trigger_ml.tasks.muons.training_recipe import SegmenterRecipe, read_segmenter_recipe

    recipe = read_segmenter_recipe(recipe_file) if recipe_file else SegmenterRecipe()
    with listener() as hears:
        result = train_segmenter(data_file, output, recipe, hears)
    for equal in result.results.equal:
        for name, found in ((equal.finder, equal.found), *equal.networks.items()):
            fires = f"{found.empty_firing.value or 0:.2%} of empty chambers fire"
            fakes = f"{found.fakes.value or 0:.3f} fake cells an image"
            click.echo(f"{name}: efficiency {found.efficiency.value or 0:.2%}, {fakes}, {fires}")
    click.echo(f"{result.sparsity:.1%} of the quantized weights are zero; see {output}/README.md")
