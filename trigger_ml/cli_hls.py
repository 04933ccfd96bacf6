"""``compile --hls-only``, and ``check`` and ``report`` of what it left."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from trigger_ml.terminal import EXIT_VERDICT, console, listener, shown

if TYPE_CHECKING:
    from trigger_ml.build_check import CheckOutcome
    from trigger_ml.config import Config

__all__ = ["checked", "compile_hls", "report_hls"]


def compile_hls(
    model: Path, config: Config, data: Path | None, output: Path | None, as_json: bool
) -> NoReturn:
    """Compile without RTL, print the report, leave with exit code 0 or 3."""
    from trigger_ml.hls_only import compile_hls_only
    from trigger_ml.pipeline import Request
    from trigger_ml.report.hls_only_words import hls_terminal

    command = shlex.join(["trigger-ml", *sys.argv[1:]])
    with listener() as hears:
        outcome = compile_hls_only(Request(model, config, data, output, command), hears)
    if as_json:
        click.echo(outcome.report.to_text(), nl=False)
    else:
        console().print(hls_terminal(outcome.report, shown(outcome.folder)))
    sys.exit(0 if outcome.report.passed else EXIT_VERDICT)


def checked(build: Path, *, synthesis: bool, synth_cache: bool) -> CheckOutcome:
    """A build's measurements again, with RTL or without it."""
    from trigger_ml.build_check import check_build
    from trigger_ml.hls_only import check_hls_only
    from trigger_ml.report.hls_only import is_hls_only

    with listener() as hears:
        if is_hls_only(build):
            return check_hls_only(build, hears)
        return check_build(build, hears, synthesis=synthesis, synth_cache=synth_cache)


def report_hls(build: Path, more: Path | None, *, as_json: bool, as_markdown: bool) -> bool:
    """Show the report of a build without RTL, or say that it is none.

    more: what is to be written or read besides, which only builds with RTL have: the one who
    reads their reports refuses this one.
    """
    from trigger_ml.report.hls_only import is_hls_only, load_hls_report

    if more is not None or not is_hls_only(build):
        return False
    from trigger_ml.report.hls_only_words import hls_markdown, hls_terminal

    found = load_hls_report(build)
    if as_json:
        click.echo(found.to_text(), nl=False)
    elif as_markdown:
        click.echo(hls_markdown(found))
    else:
        console().print(hls_terminal(found, shown(build if build.is_dir() else build.parent)))
    return True
