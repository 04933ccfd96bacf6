"""``trigger-ml explain``: what hls4ml's default conversion would have got wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trigger_ml.terminal import FILE, console, listener

if TYPE_CHECKING:
    from trigger_ml.default_gap import DefaultGap

__all__ = ["explain"]


@click.command()
@click.argument("model", type=FILE)
@click.option("--config", "config_file", type=FILE, help="YAML file, as for compile.")
@click.option("--data", type=FILE, help="Events [draws over the input type].")
@click.option("--events", default=1000, show_default=True, help="Events to compare.")
@click.option("--json", "as_json", is_flag=True)
def explain(
    model: Path, config_file: Path | None, data: Path | None, events: int, as_json: bool
) -> None:
    """Compare hls4ml's default conversion of MODEL with the model, and with what compile sets."""
    from trigger_ml.config import load_config
    from trigger_ml.default_gap import compare_with_default

    with listener() as hears:
        gap = compare_with_default(model, load_config(config_file, {}), data, events, hears)
    if as_json:
        click.echo(json.dumps(gap.to_json(), indent=1))
    else:
        _show(gap)


def _show(gap: DefaultGap) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("layer", "hls4ml by default", "compile", "events that differ", "by up to"):
        table.add_column(title)
    for layer in gap.layers:
        default, own = (
            f"{kind}, sums {sums}" if sums else kind
            for kind, sums in (
                (layer.default_type, layer.default_accumulator),
                (layer.own_type, layer.own_accumulator),
            )
        )
        share = f"{layer.differing:.1%}" if layer.cause else "none"
        table.add_row(layer.layer, default, own or "-", share, f"{layer.largest:.3g}")
    console().print(table)
    first = gap.first
    if first is None:
        click.echo(f"hls4ml's defaults are right for this model on {gap.events:,} events")
        return
    decision = "" if gap.same_decision is None else f", {gap.same_decision:.1%} the same decision"
    click.echo(f"{gap.exact:.1%} of {gap.events:,} events have the same outputs{decision}")
    click.echo(f"first wrong: {first.layer} ({first.kind}): {first.cause}")
    if first.own_type:
        sums = f", sums in {first.own_accumulator}" if first.own_accumulator else ""
        click.echo(f"compile sets {first.own_type}{sums} there")
