"""What `trigger-ml report` does beyond showing one build: pages by name, and two builds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.terminal import console, shown

if TYPE_CHECKING:
    from trigger_ml.report.schema import Report

__all__ = ["require_page", "show_comparison", "write_page"]

WIDE = 160
"""Columns of a table that no terminal limits."""


def require_page(path: Path | None) -> None:
    """Refuse a file that is no page, before anything is done for it. Raises ConfigError."""
    if path is not None and path.suffix.lower() != ".html":
        what = f"{path.suffix or 'no suffix'} is no kind of page"
        raise ConfigError(Blocker(str(path), what, "use .html"))


def write_page(report: Report, output: Path) -> None:
    """The page of one report, under another name."""
    from trigger_ml.report.page import html_page

    _write(html_page(report), output)


def show_comparison(old: Path, new: Path, output: Path | None, *, as_json: bool) -> None:
    """Print what changed between two builds, and write the page of both if asked."""
    from rich.console import Console

    from trigger_ml.report.compare import compare_reports
    from trigger_ml.report.compare_table import comparison_table
    from trigger_ml.report.schema import load_report

    left, right = load_report(old), load_report(new)
    found = compare_reports(left, right, (str(old), str(new)))
    if output is not None:
        from trigger_ml.report.compare_page import comparison_page

        _write(comparison_page(left, right, found), output)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=1, allow_nan=False))
        return
    out = console()
    wide = out if out.is_terminal else Console(highlight=False, width=WIDE)
    wide.print(comparison_table(found))


def _write(page: str, output: Path) -> None:
    from trigger_ml.files import appearing

    with appearing(output) as part:
        part.write_text(page, encoding="utf-8")
    click.echo(f"wrote {shown(output)}", err=True)
