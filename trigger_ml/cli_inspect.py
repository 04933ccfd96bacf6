"""The commands that look at models without compiling them: ``inspect`` and ``diff``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from trigger_ml.terminal import FILE, console, listener, shown

if TYPE_CHECKING:
    from trigger_ml.inspect.diff import Difference
    from trigger_ml.inspect.figures import Inspection

__all__ = ["diff", "inspect"]

EXIT_DIFFERENT: Final = 1
WIDE: Final = 400
"""Characters of a line in a file or a pipe."""


@click.command()
@click.argument("model", type=FILE)
@click.option("--config", "config_file", type=FILE, help="YAML file, as for compile.")
@click.option("--data", type=FILE, help="Events; the first 10,000 are looked at.")
@click.option("--part", help="FPGA part or device, such as VU13P.")
@click.option("--clock", help="Target clock: 360, 360MHz or 2.778ns.")
@click.option("--output", "-o", type=FILE, help="Also write a page or drawing: .html, .svg, .png.")
@click.option("--trace", is_flag=True, help="Count LUTs with the cost model: seconds to minutes.")
@click.option("--full", is_flag=True, help="Let the model's framework and hls4ml read it.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def inspect(
    model: Path,
    config_file: Path | None,
    data: Path | None,
    part: str | None,
    clock: str | None,
    output: Path | None,
    trace: bool,
    full: bool,
    as_json: bool,
) -> None:
    """Show MODEL: layers, types, weights, and about what each costs. Nothing is compiled."""
    from trigger_ml.inspect.run import Request, inspect_model
    from trigger_ml.inspect.write import require_kind
    from trigger_ml.requirements import config_for

    if output is not None:
        require_kind(output)
    config = config_for(model, config_file, {"target.part": part}, data, clock)
    with listener() as hears:
        looked = inspect_model(Request(model, config, data, full, trace), hears)
    if output is not None:
        _write(looked.inspection, output)
    if as_json:
        click.echo(json.dumps(looked.inspection.to_json(), indent=1, allow_nan=False))
    else:
        _show(looked.inspection)


def _write(inspection: Inspection, output: Path) -> None:
    from trigger_ml.inspect.write import write_inspection

    write_inspection(inspection, output)
    click.echo(f"wrote {shown(output)}", err=True)


def _show(inspection: Inspection) -> None:
    """On a terminal as wide as that is; elsewhere as wide as the table is."""
    from rich.console import Console

    from trigger_ml.inspect.table import inspection_table

    out = console()
    if out.is_terminal:
        out.print(inspection_table(inspection, out.width))
    else:
        Console(highlight=False, width=WIDE).print(inspection_table(inspection, WIDE))


@click.command()
@click.argument("old", metavar="A", type=FILE)
@click.argument("new", metavar="B", type=FILE)
@click.option("--config", "config_file", type=FILE, help="YAML file, for model files.")
@click.option("--full", is_flag=True, help="Let the models' framework and hls4ml read files.")
@click.option("--exit-code", is_flag=True, help="End with exit code 1 where they differ.")
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def diff(
    old: Path, new: Path, config_file: Path | None, full: bool, exit_code: bool, as_json: bool
) -> None:
    """What changed from A to B: model files, builds (folders), or one of each."""
    from trigger_ml.config import load_config
    from trigger_ml.inspect.diff import compare
    from trigger_ml.inspect.subject import read_subjects

    config = load_config(config_file)
    with listener() as hears:
        left, right = read_subjects(old, new, config, full=full, listener=hears)
    found = compare(left, right)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=1, allow_nan=False))
    else:
        _show_difference(found)
    sys.exit(EXIT_DIFFERENT if exit_code and found.different else 0)


def _show_difference(found: Difference) -> None:
    from rich.console import Console

    from trigger_ml.inspect.diff_table import diff_table

    out = console()
    wide = out if out.is_terminal else Console(highlight=False, width=WIDE)
    wide.print(diff_table(found))
