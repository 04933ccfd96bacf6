"""The command line: parse, call, print, exit code.

Exit codes: 0 all verdicts pass; 2 bad input or a missing tool; 3 a mismatch or an unmet budget;
130 interrupted.
"""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from trigger_ml import __version__
from trigger_ml.cli_compress import compress, explore
from trigger_ml.cli_explain import explain
from trigger_ml.cli_fit import fit_command, fitted
from trigger_ml.cli_hls import checked, compile_hls, report_hls
from trigger_ml.cli_inspect import diff, inspect
from trigger_ml.cli_jets import data_jets, train_jets
from trigger_ml.cli_muons import data_muons, show, train_muons
from trigger_ml.cli_report import require_page, show_comparison, write_page
from trigger_ml.cli_route import route
from trigger_ml.cli_sets import data_events, train_measure, train_set
from trigger_ml.cli_tracks import data_tracks, show_tracks_command, train_tracks
from trigger_ml.errors import BlockedError, BuildError, TriggerMLError
from trigger_ml.terminal import EXIT_VERDICT, FILE, console, leave_interrupted, listener, shown

if TYPE_CHECKING:
    from trigger_ml.config import Config

__all__ = ["main"]

EXIT_BAD_INPUT: Final = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Neural networks for hardware triggers: from a Keras model to checked firmware."""


@cli.command("compile")
@click.argument("model", type=FILE)
@click.option("--config", "config_file", type=FILE, help="YAML file; flags below override it.")
@click.option("--data", type=FILE, help="Events: .npz, .npy, .h5 or .csv.")
@click.option("--target", help="Preset: cms-l1, cms-l1-correlator or atlas-l0.")
@click.option("--part", help="FPGA part or device, such as VU13P.")
@click.option("--clock", help="Target clock: 360, 360MHz or 2.778ns.")
@click.option("--latency-budget", type=float, help="Longest latency, in ns.")
@click.option("--output", "-o", type=FILE, help="Build directory [build/<model>].")
@click.option("--backend", help="hls4ml backend [Vitis].")
@click.option("--simulator", type=click.Choice(["verilator", "icarus", "ghdl"]))
@click.option("--keep-softmax", is_flag=True, help="Firmware computes the softmax itself.")
@click.option(
    "--synth",
    type=click.Choice(["yosys", "vivado", "vitis", "none"]),
    help="What counts the resources [yosys].",
)
@click.option("--no-synth-cache", is_flag=True, help="Map all RTL anew, and keep nothing of it.")
@click.option("--quick", is_flag=True, help="Leave synthesis out.")
@click.option("--hls-only", is_flag=True, help="No RTL: hls4ml's project, held to the model.")
@click.option("--fit", is_flag=True, help="Choose pipeline and throughput for the budget first.")
@click.option("--json", "as_json", is_flag=True, help="Print report.json on standard output.")
def compile_command(
    model: Path,
    config_file: Path | None,
    data: Path | None,
    target: str | None,
    part: str | None,
    clock: str | None,
    latency_budget: float | None,
    output: Path | None,
    backend: str | None,
    simulator: str | None,
    keep_softmax: bool,
    synth: str | None,
    no_synth_cache: bool,
    quick: bool,
    hls_only: bool,
    fit: bool,
    as_json: bool,
) -> None:
    """Compile MODEL to firmware, simulate it, check it and report."""
    from trigger_ml.requirements import config_for

    overrides: dict[str, Any] = {
        "target.preset": target,
        "target.part": part,
        "budget.latency_ns": latency_budget,
        "firmware.backend": backend,
        "firmware.output": "softmax" if keep_softmax else None,
        "firmware.rtl": False if hls_only else None,
        "firmware.fit": fit or None,
        "verify.simulator": simulator,
        "verify.synth": synth,
        "verify.synth_cache": False if no_synth_cache else None,
        "verify.synthesis": False if quick else None,
    }
    config = config_for(model, config_file, overrides, data, clock)
    if config.firmware.fit:
        config = fitted(model, config, data)
    _compile(model, config, data, output, as_json)


def _compile(
    model: Path, config: Config, data: Path | None, output: Path | None, as_json: bool
) -> None:
    if not config.firmware.rtl:
        compile_hls(model, config, data, output, as_json)
    from trigger_ml.pipeline import Request, compile_model
    from trigger_ml.report.terminal import terminal_summary

    command = shlex.join(["trigger-ml", *sys.argv[1:]])
    with listener() as hears:
        outcome = compile_model(Request(model, config, data, output, command), hears)
    if as_json:
        click.echo(outcome.report.to_text(), nl=False)
    else:
        console().print(terminal_summary(outcome.report, shown(outcome.folder / "report.html")))
    sys.exit(0 if outcome.report.passed else EXIT_VERDICT)


@cli.command()
@click.argument("build", type=FILE)
@click.option("--quick", is_flag=True, help="Leave synthesis out.")
@click.option("--no-synth-cache", is_flag=True, help="Map all RTL anew, and keep nothing of it.")
def check(build: Path, quick: bool, no_synth_cache: bool) -> None:
    """Repeat every measurement of BUILD and hold it to its lock file."""
    outcome = checked(build, synthesis=not quick, synth_cache=not no_synth_cache)
    for verdict in outcome.verdicts:
        mark = "ok  " if verdict.passed else "FAIL"
        click.echo(f"{mark} {verdict.name}: {verdict.message}")
    if outcome.divergence:
        click.echo(outcome.divergence)
    failed = sum(not verdict.passed for verdict in outcome.verdicts)
    click.echo(f"{len(outcome.verdicts) - failed} verdicts pass, {failed} fail")
    sys.exit(0 if outcome.passed else EXIT_VERDICT)


@cli.command()
@click.argument("build", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print report.json.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the summary as Markdown.")
@click.option(
    "--import",
    "folder",
    type=FILE,
    help="Put Vivado's and Vitis HLS's reports below it into BUILD.",
)
@click.option("--design", help="Top that was synthesized, for --import [the build's].")
@click.option("--compare", "other", type=FILE, help="What changed from BUILD to this build.")
@click.option("--output", "-o", type=FILE, help="Also write the page, of both with --compare.")
def report(
    build: Path,
    as_json: bool,
    as_markdown: bool,
    folder: Path | None,
    design: str | None,
    other: Path | None,
    output: Path | None,
) -> None:
    """Show the report of BUILD, or what is better and worse in another build."""
    require_page(output)
    if other is not None:
        if as_markdown or folder is not None or design is not None:
            raise click.UsageError("--compare goes with --output and --json only")
        show_comparison(build, other, output, as_json=as_json)
        return
    if report_hls(build, output or folder, as_json=as_json, as_markdown=as_markdown):
        return
    from trigger_ml.report.markdown import markdown
    from trigger_ml.report.schema import load_report
    from trigger_ml.report.terminal import terminal_summary
    from trigger_ml.routing import load_routing

    if folder is None:
        found = load_report(build)
    else:
        from trigger_ml.vendor_import import import_reports

        command = shlex.join(["trigger-ml", *sys.argv[1:]])
        found = import_reports(build, folder, design=design, command=command)
    if output is not None:
        write_page(found, output)
    if as_json:
        click.echo(found.to_text(), nl=False)
    elif as_markdown:
        click.echo(markdown(found))
    else:
        where = build if build.is_dir() else build.parent
        console().print(terminal_summary(found, shown(where / "report.html")))
        if routing := load_routing(where):
            console().print(f"routed  {routing.text()}", highlight=False)
    if folder is not None:
        sys.exit(0 if found.passed else EXIT_VERDICT)


@cli.group()
def data() -> None:
    """Simulate physics data."""


@cli.group()
def train() -> None:
    """Train a reference model."""


@cli.command()
@click.option("--json", "as_json", is_flag=True)
def doctor(as_json: bool) -> None:
    """Say what is installed, what is missing, and what that would add."""
    from trigger_ml.doctor import diagnose

    findings = diagnose()
    if as_json:
        click.echo(json.dumps([asdict(item) for item in findings], indent=1))
    else:
        from rich.table import Table

        table = Table("", "what", "found", "for", "how to get it", box=None, pad_edge=False)
        for item in findings:
            mark = "ok" if item.good else ("MISSING" if item.blocking else "-")
            advice = "" if item.good else " ".join(filter(None, (item.problem, item.how)))
            table.add_row(mark, item.name, item.found or "", item.purpose, advice)
        console().print(table)
    sys.exit(EXIT_BAD_INPUT if any(item.blocking for item in findings) else 0)


data.add_command(data_events)
data.add_command(data_jets)
data.add_command(data_muons)
data.add_command(data_tracks)
show.add_command(show_tracks_command)
train.add_command(train_jets)
train.add_command(train_set)
train.add_command(train_measure)
train.add_command(train_muons)
train.add_command(train_tracks)
cli.add_command(compress)
cli.add_command(explain)
cli.add_command(explore)
cli.add_command(fit_command)
cli.add_command(inspect)
cli.add_command(diff)
cli.add_command(route)
cli.add_command(show)


def main() -> None:
    """Entry point of ``trigger-ml``."""
    signal.signal(signal.SIGTERM, _interrupt)
    _guarded(lambda: cli(standalone_mode=False))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _guarded(command: Callable[[], object]) -> None:
    """Run a command; every deliberate error becomes a message and an exit code."""
    try:
        command()
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_BAD_INPUT)
    except BlockedError as error:
        count = len(error.blockers)
        click.echo(f"trigger-ml: {count} problem{'s' if count > 1 else ''}", err=True)
        for blocker in error.blockers:
            click.echo(f"  {blocker}", err=True)
        sys.exit(error.exit_code)
    except TriggerMLError as error:
        click.echo(f"trigger-ml: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        click.echo(
            f"trigger-ml: {BuildError(f'{error.filename or error}: {error.strerror}')}", err=True
        )
        sys.exit(EXIT_BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        click.echo("trigger-ml: interrupted; nothing was changed", err=True)
        leave_interrupted()


if __name__ == "__main__":
    main()
