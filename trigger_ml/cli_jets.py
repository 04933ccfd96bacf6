"""Commands for jets: ``data jets`` and ``train jets``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from trigger_ml.terminal import EXIT_VERDICT, FILE, listener

__all__ = ["data_jets", "train_jets"]


@click.command("jets")
@click.option("--output", "-o", type=FILE, required=True, help="HDF5 file to write.")
@click.option("--jets", default=2000, show_default=True, help="Jets of each of the five classes.")
@click.option("--seed", default=1, show_default=True)
@click.option("--workers", type=int, help="Processes [one for each core].")
def data_jets(output: Path, jets: int, seed: int, workers: int | None) -> None:
    """Gluon, quark, W, Z and top jets with PYTHIA 8 and FastJet; resumes where it stopped."""
    import os

    from trigger_ml.tasks.jets.loaders import load_jets
    from trigger_ml.tasks.jets.simulate import generate
    from trigger_ml.tasks.jets.validate import mass_peaks

    title = "PYTHIA 8 and FastJet"
    with listener() as hears:
        hears.started(title)
        card = generate(
            output,
            jets,
            seed=seed,
            workers=workers or os.cpu_count() or 1,
            progress=lambda done, total: hears.moved(title, done, total),
        )
    click.echo(card.to_json())
    peaks = mass_peaks(load_jets(output, constituents=False))
    click.echo(f"{peaks.verdict.name}: {peaks.verdict.message}")
    sys.exit(0 if peaks.verdict.passed else EXIT_VERDICT)


@click.command("jets")
@click.argument("data_file", metavar="DATA", type=FILE)
@click.option("--output", "-o", type=FILE, required=True, help="Folder for the model.")
@click.option("--recipe", "recipe_file", type=FILE, help="YAML file.")
def train_jets(data_file: Path, output: Path, recipe_file: Path | None) -> None:
    """Train the pruned QKeras jet tagger on DATA."""
    from trigger_ml.tasks.jets.recipe import Recipe, read_recipe
    from trigger_ml.tasks.jets.train import train_tagger

    recipe = read_recipe(recipe_file) if recipe_file else Recipe()
    with listener() as hears:
        result = train_tagger(data_file, output, recipe, hears)
    for witness in result.comparison.witnesses:
        accuracy = witness.accuracy
        interval = f"95 % interval {accuracy.low:.2%} to {accuracy.high:.2%}"
        click.echo(f"{witness.witness}: accuracy {accuracy.value:.2%}, {interval}")
    click.echo(f"{result.sparsity:.1%} of the quantized weights are zero; see {output}/README.md")
