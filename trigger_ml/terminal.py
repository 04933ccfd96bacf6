"""What commands share: exit codes, the console, progress on standard error."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

if TYPE_CHECKING:
    from trigger_ml.progress import Listener

__all__ = ["EXIT_VERDICT", "FILE", "console", "leave_interrupted", "listener", "shown"]

EXIT_INTERRUPTED: Final = 130
EXIT_VERDICT: Final = 3
"""A mismatch, or something that was asked for and is not met."""
FILE: Final = click.Path(path_type=Path)


def shown(path: Path) -> Path:
    """A path as a person would type it: relative where it lies below this folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def console() -> Any:
    """Standard output, for tables and sentences."""
    from rich.console import Console

    return Console(highlight=False)


@contextlib.contextmanager
def listener() -> Iterator[Listener]:
    """Progress on standard error: live bars on a terminal, a line for each stage elsewhere."""
    from rich.console import Console

    out = Console(stderr=True, highlight=False)
    hears = _Bars(out) if out.is_terminal else _Lines()
    with hears:
        yield hears


def leave_interrupted() -> NoReturn:
    """End with exit code 130 at once; everything that has to be undone was, on the way here.

    Not by ``sys.exit``: on a busy machine the interpreter was seen to end itself by SIGINT while
    it shut down, so that the exit code was another one.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(EXIT_INTERRUPTED)


class _Lines:
    """One line for each stage that took more than a blink."""

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def started(self, stage: str) -> None:
        click.echo(f"... {stage}", err=True)

    def moved(self, stage: str, done: int, total: int) -> None:
        pass

    def ended(self, stage: str, seconds: float, note: str) -> None:
        click.echo(f"    {stage}: {seconds:.1f} s{f', {note}' if note else ''}", err=True)


class _Bars:
    """A live line for each stage that runs, and a kept line when it has ended."""

    def __init__(self, console: Any) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def started(self, stage: str) -> None:
        self._tasks[stage] = self._progress.add_task(stage, total=None)

    def moved(self, stage: str, done: int, total: int) -> None:
        if stage in self._tasks:
            self._progress.update(self._tasks[stage], completed=done, total=total)

    def ended(self, stage: str, seconds: float, note: str) -> None:
        if stage in self._tasks:
            self._progress.remove_task(self._tasks.pop(stage))
        self._console.print(f"  {stage}: {seconds:.1f} s{f', {note}' if note else ''}")
