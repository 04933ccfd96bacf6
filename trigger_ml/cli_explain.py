"""``trigger-ml explain``: what hls4ml's default conversion would have got wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trigger_ml.terminal import FILE, console, listener

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from trigger_ml.default_gap import DefaultGap
    from trigger_ml.default_layers import LayerGap

__all__ = ["explain"]


@click.command()
@click.argument("model", type=FILE)
@click.option("--config", "config_file", type=FILE, help="YAML file, as for compile.")
@click.option(
    "--data", type=FILE, help="Events [draws over the input type; a float model needs events]."
)
@click.option(
    "--events",
    type=click.IntRange(min=1),
    help="Events to compare [1000, fewer of large images].",
)
@click.option(
    "--confirm",
    is_flag=True,
    help="Convert again with nothing changed but what is named: is the layer right then?",
)
@click.option("--json", "as_json", is_flag=True)
def explain(
    model: Path,
    config_file: Path | None,
    data: Path | None,
    events: int | None,
    confirm: bool,
    as_json: bool,
) -> None:
    """Compare hls4ml's default conversion of MODEL with the model, and with what compile sets."""
    from trigger_ml.default_gap import compare_with_default
    from trigger_ml.requirements import config_for

    config = config_for(model, config_file, {}, data)
    with listener() as hears:
        gap = compare_with_default(model, config, data, events, hears, confirm=confirm)
    if as_json:
        click.echo(json.dumps(gap.to_json(), indent=1))
    else:
        _show(gap, confirm=confirm)


def _show(gap: DefaultGap, *, confirm: bool) -> None:
    _table(gap)
    for note in gap.notes:
        click.echo(f"note: {note}")
    if gap.refused:
        click.echo(f"hls4ml's defaults make nothing of this model that runs: {gap.refused}")
        click.echo("compile sets the types above")
        return
    decision = "" if gap.same_decision is None else f", {gap.same_decision:.1%} the same decision"
    if gap.largest_error:
        outputs = f"outputs are off by {gap.output_error:.1%} of their spread"
        click.echo(f"{outputs} on {gap.events:,} events{decision}")
    else:
        click.echo(f"{gap.exact:.1%} of {gap.events:,} events have the same outputs{decision}")
    first = gap.first
    if first is None:
        limit = f": no layer is off by more than {gap.largest_error:.0%} of its spread"
        click.echo(
            f"hls4ml's defaults are right for this model{limit if gap.largest_error else ''}"
        )
        return
    click.echo(f"first wrong: {first.layer} ({first.kind}): {first.cause}")
    if first.own_type and first.cause_kind != "quantizer":
        sums = f", sums in {first.own_accumulator}" if first.own_accumulator else ""
        click.echo(f"compile sets {first.own_type}{sums} there")
    if first.changes:
        click.echo(f"in hls4ml's configuration that is LayerName: {_words(first.changes)}")
    if first.cause_kind == "softmax":
        click.echo(
            "compile leaves the softmax out, or makes an exact one: firmware.output: softmax"
        )
    if confirm:
        click.echo(_confirmed(gap, first))


def _table(gap: DefaultGap) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in (
        "layer",
        "hls4ml by default",
        "compile",
        "events that differ",
        "by up to",
        "error",
    ):
        table.add_column(title)
    for layer in gap.layers:
        default, own = (
            f"{kind}, sums {sums}" if sums else kind
            for kind, sums in (
                (layer.default_type, layer.default_accumulator),
                (layer.own_type, layer.own_accumulator),
            )
        )
        figures = ("-", "-", "-")
        if not gap.refused:
            share = f"{layer.differing:.1%}" if layer.differing else "none"
            figures = (share, f"{layer.largest:.3g}", f"{layer.error:.2%}")
        table.add_row(layer.layer, default or "-", own or "-", *figures)
    console().print(table)


def _confirmed(gap: DefaultGap, first: LayerGap) -> str:
    found = gap.confirmation
    if found is None:
        return "not confirmed: no setting of a type mends it"
    after = f"{found.differing:.1%} of the events differ there, error {found.error:.2%}"
    if found.confirmed and first.cause_kind in ("softmax", "table"):
        fallen = f"the error of {first.layer} falls from {first.error:.2%} to {found.error:.2%}"
        return f"confirmed: with that alone {fallen}"
    if found.confirmed:
        return f"confirmed: with that alone {first.layer} is right ({after})"
    return f"not confirmed: with that alone {first.layer} is still wrong ({after})"


def _words(changes: Mapping[str, Any]) -> str:
    """Settings in one line."""
    words = []
    for key, value in changes.items():
        inner = value if isinstance(value, str | int) else f"{{{_words(value)}}}"
        words.append(f"{key}: {inner}")
    return ", ".join(words)
