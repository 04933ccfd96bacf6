"""``fit``, and what ``compile --fit`` does before it compiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from trigger_ml.terminal import FILE, listener

if TYPE_CHECKING:
    from trigger_ml.config import Config
    from trigger_ml.fit.run import Fit

__all__ = ["fit_command", "fitted"]

WIDE: Final = 200
"""Characters of a line in a file or a pipe."""


@click.command("fit")
@click.argument("model", type=FILE)
@click.option("--config", "config_file", type=FILE, help="YAML file, as for compile.")
@click.option("--data", type=FILE, help="Events, from which a float model gets its types.")
@click.option("--target", help="Preset: cms-l1, cms-l1-correlator or atlas-l0.")
@click.option("--part", help="FPGA part or device, such as VU13P.")
@click.option("--clock", help="Target clock: 360, 360MHz or 2.778ns.")
@click.option("--latency-budget", type=float, help="Longest latency, in ns.")
@click.option("--json", "as_json", is_flag=True, help="Print the candidates as JSON.")
def fit_command(
    model: Path,
    config_file: Path | None,
    data: Path | None,
    target: str | None,
    part: str | None,
    clock: str | None,
    latency_budget: float | None,
    as_json: bool,
) -> None:
    """Show how MODEL would meet its budget, or which budget it cannot meet. Builds nothing."""
    from trigger_ml.requirements import config_for

    overrides: dict[str, Any] = {
        "target.preset": target,
        "target.part": part,
        "budget.latency_ns": latency_budget,
    }
    config = config_for(model, config_file, overrides, data, clock)
    found = _fit(model, config, data)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=1, allow_nan=False))
    else:
        _show(found)
    found.fitted()


def fitted(model: Path, config: Config, data: Path | None) -> Config:
    """The configuration to compile with; what was tried is shown on standard error.

    Raises ConfigError where no candidate meets the budget.
    """
    found = _fit(model, config, data)
    _show(found, stderr=True)
    return found.fitted()


def _fit(model: Path, config: Config, data: Path | None) -> Fit:
    from trigger_ml.fit.run import fit_model

    with listener() as hears:
        return fit_model(model, config, data, hears)


def _show(found: Fit, *, stderr: bool = False) -> None:
    from rich.console import Console

    from trigger_ml.fit.table import fit_table

    out = Console(highlight=False, stderr=stderr)
    if not out.is_terminal:
        out = Console(highlight=False, stderr=stderr, width=WIDE)
    out.print(fit_table(found))
