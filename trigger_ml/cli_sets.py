"""Commands that lead from jets to a compressed tagger: ``data events``, ``train set`` and
``train measure``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from trigger_ml.terminal import FILE, listener, shown

__all__ = ["data_events", "train_measure", "train_set"]


@click.command("events")
@click.argument("sample", type=FILE)
@click.option("--output", "-o", type=FILE, required=True, help="Events file to write, .npz.")
@click.option("--constituents", type=int, help="Hardest particles of each jet [16 features].")
@click.option(
    "--classes", type=click.Choice(["five", "top-qcd"]), default="five", show_default=True
)
@click.option("--scaling", "scaling_file", type=FILE, help="scaling.json to apply [fitted].")
@click.option("--recipe", "recipe_file", type=FILE, help="Of a jet tagger: its split and seed.")
@click.option("--split", "shares", type=(float, float), help="Shares that test and validate.")
@click.option("--seed", type=int, help="Of the split [1].")
@click.option("--validation", type=int, help="So many of those that do not train, about.")
def data_events(
    sample: Path,
    output: Path,
    constituents: int | None,
    classes: str,
    scaling_file: Path | None,
    recipe_file: Path | None,
    shares: tuple[float, float] | None,
    seed: int | None,
    validation: int | None,
) -> None:
    """Turn the jets of SAMPLE into labelled events for train, compress and explore.

    SAMPLE is a file of `data jets`, a public hls4ml jet file, or the top-tagging reference set.
    """
    from trigger_ml.settings import check_settings
    from trigger_ml.splits import Split
    from trigger_ml.tasks.jets.events import EventsRequest, write_jet_events
    from trigger_ml.tasks.jets.recipe import Recipe, read_recipe
    from trigger_ml.tasks.jets.scaling import read_scaling

    recipe = read_recipe(recipe_file) if recipe_file else Recipe()
    split = recipe.split
    if shares is not None:
        asked = {"test": shares[0], "validation": shares[1]}
        split = check_settings(Split, asked, "--split")
    request = EventsRequest(
        constituents,
        read_scaling(scaling_file) if scaling_file else None,
        recipe.inputs if recipe_file and constituents is None else None,
        classes == "top-qcd",
        split,
        recipe.seed if seed is None else seed,
        validation,
    )
    with listener() as hears:
        written = write_jet_events(sample, output, request, hears)
    jets = ", ".join(f"{name} {count:,}" for name, count in written.jets.items())
    click.echo(f"{shown(written.events)}: {jets}; events of shape {written.shape}")


@click.command("set")
@click.argument("events", type=FILE)
@click.option("--output", "-o", type=FILE, required=True, help="Model file to write, .keras.")
@click.option("--recipe", "recipe_file", type=FILE, help="YAML file.")
def train_set(events: Path, output: Path, recipe_file: Path | None) -> None:
    """Train a float network on EVENTS: particles averaged (DeepSets), or plain dense layers."""
    from trigger_ml.compress.float_client import train_float_file
    from trigger_ml.compress.float_settings import FloatSettings
    from trigger_ml.settings import read_settings

    settings = read_settings(FloatSettings, recipe_file) if recipe_file else FloatSettings()
    with listener() as hears:
        trained = train_float_file(events, output, settings, hears)
    network, accuracy = trained.network, trained.accuracy
    click.echo(f"{shown(output)}: {network.parameters:,} parameters, test accuracy {accuracy:.2%}")


@click.command("measure")
@click.argument("float_model", metavar="FLOAT", type=FILE)
@click.argument("model", type=FILE)
@click.option("--data", type=FILE, required=True, help="The events that both were trained on.")
@click.option("--output", "-o", type=FILE, required=True, help="metrics.json to write.")
def train_measure(float_model: Path, model: Path, data: Path, output: Path) -> None:
    """Measure MODEL and the FLOAT model it came from on the test side of the events."""
    from trigger_ml.tasks.jets.top_metrics import write_metrics

    with listener() as hears:
        found = write_metrics(float_model, model, data, output, hears)
    click.echo(json.dumps(found["change"], indent=1))
